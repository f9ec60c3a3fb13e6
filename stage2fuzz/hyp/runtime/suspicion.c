/* Whether a run is worth the oracles' time: they are asked about those that this objects to.
 *
 * It looks for what the rules of ownership (stage2fuzz/oracles/h*.py) object to, in fewer words and
 * rather too often than too seldom; it says nothing of what is wrong. A test compares the two.
 */
#include <string.h>
#include "abi.h"
#include "numbers.h"

#define STATE(word, shift) ((word) >> (shift) & S2_STATE_MASK)
#define TREES (S2_TREE_GUEST + S2_MAX_EL2_VMS)
#define OWNS(state) ((state) <= S2_STATE_SHARED_OWNED)

/* Of EL2's own pages that the host may come to have mapped, so many are looked at. */
#define OWN 8

struct said { int64_t pfn, state; };

static struct {
	/* What was noted of each page that cases name (-1: nothing), and each tree says of it. */
	int64_t state[S2_EL2_TEST_PAGES];
	struct said at[TREES][S2_EL2_TEST_PAGES];
	int owners[S2_EL2_TEST_PAGES], borrowers[S2_EL2_TEST_PAGES], pins[S2_EL2_TEST_PAGES];
	/* EL2's own pages, numbered from below 0: whose they are, and which the host has mapped. */
	unsigned char is_el2s[S2_PAGES];
	int64_t host_has[OWN];
	int own;
	unsigned held[S2_THREADS];
	/* Calls under way (of a load its vCPU, of others the page), and loaded vCPUs (-1: none). */
	int64_t vm[S2_THREADS], vcpu[S2_THREADS], loaded[S2_THREADS];
	int was_dying[S2_THREADS], dying[S2_MAX_EL2_VMS];
	/* What each call wrote last of its page (-1: nothing), and left in its guest's entry. */
	int64_t wrote[S2_THREADS], left[S2_THREADS], left_page[S2_THREADS];
} seen;

static int known_page(int64_t pfn)
{
	return pfn >= 0 && pfn < S2_EL2_TEST_PAGES;
}

static void note_own(const struct s2_event *event)
{
	int at = 0;

	while (at < seen.own && seen.host_has[at] != event->where)
		at++;
	if (at == seen.own && seen.own < OWN)
		seen.own++;
	if (at < OWN)
		seen.host_has[at] = event->new_ & S2_MAPPED_VALID ? event->where : 0;
}

static int odd_own(void)
{
	for (int at = 0; at < seen.own; at++) {
		int64_t pfn = seen.host_has[at];

		if (pfn < 0 && pfn > -S2_PAGES && seen.is_el2s[-pfn])
			return 1;
	}
	return 0;
}

static void note_mapping(const struct s2_event *event)
{
	int tree = event->aux & S2_TREE_BITS;
	struct said *at, now = { event->old, event->new_ };

	if (tree == S2_TREE_HOST && event->where < 0)
		note_own(event);
	if (!known_page(event->where) || tree >= TREES)
		return;
	at = &seen.at[tree][event->where];
	if ((event->aux & S2_TREE_GONE) && (at->state & S2_MAPPED_VALID) && known_page(at->pfn)) {
		seen.owners[at->pfn] += OWNS(at->state & 3);
		seen.borrowers[at->pfn] += (at->state & 3) == S2_STATE_SHARED_BORROWED;
	}
	*at = now;
}

static int odd_page(int pfn)
{
	int64_t word = seen.state[pfn], host = STATE(word, 0), hyp = STATE(word, 4);
	const struct said *of_host = &seen.at[S2_TREE_HOST][pfn];
	const struct said *of_hyp = &seen.at[S2_TREE_HYP][pfn];
	int owners = OWNS(host) + OWNS(hyp) + seen.owners[pfn], borrowers = seen.borrowers[pfn];
	int mapped = (of_host->state & S2_MAPPED_VALID) != 0;
	int at_el2 = (of_hyp->state & S2_MAPPED_VALID) != 0;

	if (word < 0)
		return 0;
	for (int tree = S2_TREE_GUEST; tree < TREES; tree++) {
		for (int gfn = 0; gfn < S2_EL2_TEST_PAGES; gfn++) {
			const struct said *guest = &seen.at[tree][gfn];
			int64_t state = guest->state & 3;

			if (guest->pfn != pfn || !(guest->state & S2_MAPPED_VALID))
				continue;
			owners += OWNS(state);
			borrowers += state == S2_STATE_SHARED_BORROWED;
			if (host != (state == S2_STATE_OWNED ? S2_STATE_NOPAGE :
				     state == S2_STATE_SHARED_OWNED ? S2_STATE_SHARED_BORROWED :
				     S2_STATE_SHARED_OWNED))
				return 1;
		}
	}
	if (owners != 1 || borrowers != word >> S2_STATE_COUNT_SHIFT)
		return 1;
	if (seen.pins[pfn] && (host != S2_STATE_SHARED_OWNED || hyp != S2_STATE_SHARED_BORROWED))
		return 1;
	if (host == S2_STATE_NOPAGE ? mapped || !(of_host->state & S2_MAPPED_NOTED) :
	    (of_host->state & S2_MAPPED_NOTED) != 0)
		return 1;
	if ((mapped && of_host->pfn != pfn) || (at_el2 && of_hyp->pfn != pfn))
		return 1;
	return hyp == S2_STATE_NOPAGE ? at_el2 : OWNS(hyp) && !at_el2;
}

#define BOTH(host, hyp) ((host) | (hyp) << S2_STATE_HYP_SHIFT)

/* A call that succeeded and left its page in another state than it was made for. */
static int odd_page_left(int op, int64_t wrote)
{
	int64_t host = STATE(wrote, 0), both = wrote & 0xff;

	switch (op) {
	case S2_HYP_SHARE_HYP:
		return both != BOTH(S2_STATE_SHARED_OWNED, S2_STATE_SHARED_BORROWED);
	case S2_HYP_UNSHARE_HYP: case S2_HYP_RECLAIM_HYP:
		return both != BOTH(S2_STATE_OWNED, S2_STATE_NOPAGE);
	case S2_HYP_DONATE_HYP: return both != BOTH(S2_STATE_NOPAGE, S2_STATE_OWNED);
	case S2_HYP_SHARE_FFA: return host != S2_STATE_SHARED_OWNED;
	case S2_HYP_UNSHARE_FFA: case S2_HYP_FORCE_RECLAIM: return host != S2_STATE_OWNED;
	}
	return 0;
}

/* The same of a guest's entry; `asked` is a page, or the flag of a relaxation. */
static int odd_entry_left(int op, int64_t left, int64_t page, int64_t asked)
{
	int valid = (left & S2_MAPPED_VALID) != 0, writable = (left & S2_MAPPED_WRITE) != 0;

	switch (op) {
	case S2_HYP_UNSHARE_GUEST: return valid;
	case S2_HYP_WRPROTECT_GUEST: return valid && writable;
	case S2_HYP_RELAX_GUEST: return !valid || (asked && !writable);
	case S2_HYP_GUEST_SHARE: return !valid || (left & 3) != S2_STATE_SHARED_OWNED;
	case S2_HYP_GUEST_UNSHARE: return !valid || (left & 3) != S2_STATE_OWNED;
	case S2_HYP_SHARE_GUEST: case S2_HYP_DONATE_GUEST: return !valid || page != asked;
	}
	return 0;
}

static int odd_call(const struct s2_event *event)
{
	int me = event->thread, done = event->kind == S2_HYPERCALL_RETURN;
	int64_t vm = seen.vm[me], which = vm * 2 + seen.vcpu[me];

	if (!done) {
		seen.vm[me] = event->new_;
		seen.vcpu[me] = event->where;
		seen.was_dying[me] = seen.dying[event->new_];
		seen.wrote[me] = seen.left[me] = -1;
		if (event->aux == S2_HYP_PUT)
			seen.loaded[me] = -1;
		if (event->aux == S2_HYP_UNPIN && seen.pins[event->where])
			seen.pins[event->where]--;
		return 0;
	}
	if (event->new_)
		return 0;
	if (odd_page_left(event->aux, seen.wrote[me]))
		return 1;
	if (seen.left[me] >= 0 && odd_entry_left(event->aux, seen.left[me], seen.left_page[me],
						 seen.vcpu[me]))
		return 1;
	switch (event->aux) {
	case S2_HYP_PIN: seen.pins[event->where]++; break;
	case S2_HYP_START_TEARDOWN: seen.dying[vm] = 1; break;
	case S2_HYP_CREATE: seen.dying[vm] = 0; break;
	case S2_HYP_LOAD:
		if (seen.was_dying[me] && seen.dying[vm])
			return 1;
		for (int i = 0; i < S2_THREADS; i++)
			if (i != me && seen.loaded[i] == which)
				return 1;
		seen.loaded[me] = which;
	}
	return 0;
}

static int odd_state(const struct s2_event *event)
{
	int64_t changed = event->old ^ event->new_;

	if (known_page(event->where)) {
		seen.state[event->where] = event->new_;
		if (event->thread >= 0 && seen.vcpu[event->thread] == event->where)
			seen.wrote[event->thread] = event->new_;
	} else if (event->where < 0 && event->where > -S2_PAGES) {
		seen.is_el2s[-event->where] = OWNS(STATE(event->new_, 4));
	}
	if (event->old < 0)
		return 0;
	if ((STATE(changed, 0) || changed >> S2_STATE_COUNT_SHIFT) &&
	    !(event->aux >> S2_LOCK_HOST_STAGE2 & 1))
		return 1;
	return STATE(changed, 4) && !(event->aux >> S2_LOCK_HYP_STAGE1 & 1);
}

static int odd_store(const struct s2_event *event)
{
	int tree = event->aux & S2_TREE_BITS, guard = S2_LOCK_GUEST + tree - S2_TREE_GUEST;

	if (tree == S2_TREE_HOST)
		guard = S2_LOCK_HOST_STAGE2;
	if (tree == S2_TREE_HYP)
		guard = S2_LOCK_HYP_STAGE1;
	return tree && !(event->aux >> S2_HELD_SHIFT >> guard & 1);
}

static int rank_of(int lock)
{
	if (lock == S2_LOCK_VM_TABLE || lock == S2_LOCK_HOST_STAGE2)
		return lock;
	if (lock == S2_LOCK_HYP_STAGE1 || (lock >= S2_LOCK_GUEST && lock < S2_LOCK_GUEST_POOL))
		return S2_LOCK_HYP_STAGE1;
	return S2_LOCK_GUEST_POOL;
}

static int odd_lock(const struct s2_event *event)
{
	unsigned *held = &seen.held[event->thread];
	int odd = 0, lock = (int)event->where;

	if (event->kind == S2_UNLOCK) {
		*held &= ~(1u << lock);
		return 0;
	}
	for (int outer = 0; outer < 32; outer++)
		if (*held >> outer & 1)
			odd |= rank_of(outer) > rank_of(lock) ||
			       (rank_of(outer) == rank_of(lock) && outer > lock &&
				rank_of(lock) == S2_LOCK_HYP_STAGE1);
	*held |= 1u << lock;
	return odd;
}

/* A page after the teardown; who took a VM down with a page in it does not get that one back. */
static int odd_return(const struct s2_event *event)
{
	int64_t pfn = event->where;

	if (known_page(pfn) && (seen.owners[pfn] || seen.borrowers[pfn]))
		return 0;
	return event->aux || event->new_ != (S2_STATE_NOPAGE << S2_STATE_HYP_SHIFT);
}

static int odd_event(const struct s2_event *event)
{
	switch (event->kind) {
	case S2_PAGE_STATE: return odd_state(event);
	case S2_TABLE_STORE: return odd_store(event);
	case S2_LOCK: case S2_UNLOCK: return odd_lock(event);
	case S2_MAPPING: note_mapping(event); return 0;
	case S2_HYPERCALL: case S2_HYPERCALL_RETURN: return odd_call(event);
	case S2_PAGE_DATA: return !event->aux;
	case S2_ENTRY_LEFT:
		seen.left[event->thread] = event->new_;
		seen.left_page[event->thread] = event->old;
		return 0;
	case S2_GIVEN_BACK: return odd_return(event);
	case S2_QUIESCENT: memset(seen.pins, 0, sizeof(seen.pins)); return 0;
	case S2_SETTLED:
		for (int pfn = 0; pfn < S2_EL2_TEST_PAGES; pfn++)
			if (odd_page(pfn))
				return 1;
		return odd_own();
	case S2_TLB_KEPT: case S2_HYP_ACCESS: case S2_WARN: case S2_CRASH: case S2_DEADLOCK:
	case S2_LIMIT:
		return 1;
	}
	return 0;
}

/* A judge in C, as s2_explore and s2_fuzz take one. */
S2_PUBLIC int32_t s2_suspects(const struct s2_event *events, int32_t count, int32_t lasso)
{
	(void)lasso;
	memset(&seen, 0, sizeof(seen));
	for (int i = 0; i < S2_EL2_TEST_PAGES; i++)
		seen.state[i] = -1;
	for (int tree = 0; tree < TREES; tree++)
		for (int i = 0; i < S2_EL2_TEST_PAGES; i++)
			seen.at[tree][i].pfn = -1;
	for (int i = 0; i < S2_THREADS; i++)
		seen.loaded[i] = -1;
	for (int i = 0; i < count; i++)
		if (odd_event(&events[i]))
			return 1;
	return 0;
}
