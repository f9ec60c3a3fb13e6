/* Observations: translations of the pages that matter, where they changed, and what TLBs keep. */
#include <string.h>
#include "accesses.h"
#include "el2_locks.h"
#include "el2_tlb.h"
#include "el2_trees.h"
#include "execute.h"
#include "host.h"
#include "machine.h"
#include "observe.h"
#include "record.h"
#include "scheduler.h"
#include "walks.h"

/* Pages of the host that are looked at: those that cases name, then some of EL2's own. */
#define OWN_PAGES 6
#define PAGES (S2_EL2_TEST_PAGES + OWN_PAGES)

struct seen {
	int64_t page;
	int state;
};

static struct {
	struct seen host[PAGES], hyp[S2_EL2_TEST_PAGES];
	struct seen guest[S2_EL2_VMS][S2_EL2_TEST_PAGES];
	int changes;
} last;

int el2_changes;

static unsigned long index_of(int number)
{
	static const unsigned long own[OWN_PAGES] = {
		64, EL2_VM_AREA + 16, EL2_VM_AREA + 32, EL2_VM_AREA + 48,
		EL2_VM_AREA + 2 * EL2_VM_STRIDE + 32, EL2_VM_AREA + 3 * EL2_VM_STRIDE + 32
	};

	if (number < S2_EL2_TEST_PAGES)
		return EL2_TEST_AREA + (unsigned long)number;
	return own[number - S2_EL2_TEST_PAGES];
}

static struct seen seen_of(const struct el2_walk *walk)
{
	struct seen seen = { -1, 0 };

	if (walk->valid) {
		seen.page = page_number(walk->address);
		seen.state = S2_MAPPED_VALID | (int)(walk->entry >> 55 & 3);
		if (may_write(walk))
			seen.state |= S2_MAPPED_WRITE;
	} else if (walk->entry) {
		seen.state = S2_MAPPED_NOTED;
	}
	return seen;
}

static void tell(struct seen *before, struct seen now, int64_t ipa, int tree)
{
	if (before->page == now.page && before->state == now.state)
		return;
	*before = now;
	s2_record(S2_MAPPING, ipa, now.page, now.state, tree);
}

static void look_at_host(void)
{
	s2_u64 root = el2_host_root();

	for (int i = 0; i < PAGES; i++) {
		s2_u64 address = el2_pfn(index_of(i)) << 12;
		struct el2_walk walk = walk_stage2(root, address);
		struct seen now = seen_of(&walk);

		/* The host's entries of memory that is its own alone carry no state. */
		tell(&last.host[i], now, page_number(address), S2_TREE_HOST);
	}
	for (int i = 0; i < S2_EL2_TEST_PAGES; i++) {
		s2_u64 address = hyp_translation((s2_u64)el2_page(index_of(i)));
		struct seen now = { address ? page_number(address) : -1,
				    address ? S2_MAPPED_VALID : 0 };

		tell(&last.hyp[i], now, i, S2_TREE_HYP);
	}
}

static void look_at_guests(void)
{
	for (int vm = 0; vm < S2_EL2_VMS; vm++) {
		s2_u64 root = guest_root_of(vm);
		int tree = (S2_TREE_GUEST + vm) | (root ? 0 : S2_TREE_GONE);

		for (int gfn = 0; gfn < S2_EL2_TEST_PAGES; gfn++) {
			struct el2_walk walk = walk_stage2(root, (s2_u64)gfn << 12);

			tell(&last.guest[vm][gfn], seen_of(&walk), gfn, tree);
		}
	}
}

S2_OWN s2_s64 vmid_of(int handle)
{
	int silent = s2_sched.silent;
	s2_s64 vmid;

	s2_sched.silent = 1;
	vmid = handle ? el2_guest_vmid(handle) : -1;
	s2_sched.silent = silent;
	return vmid;
}

/* Each translation that a TLB holds and its tables do not. */
static void look_at_tlbs_of(int tree, s2_s64 vmid, s2_u64 root)
{
	for (int cpu = 0; cpu < el2_scenario.cpus; cpu++) {
		for (int i = 0; i < EL2_TLB_ENTRIES; i++) {
			const struct el2_translation *one = &el2_tlb.entry[cpu][i];
			struct el2_walk walk;

			if (!one->valid || one->vmid != vmid)
				continue;
			walk = walk_stage2(root, one->ipa);
			if (walk.valid && (walk.address & ~(granule(one->level) - 1)) ==
					  one->address)
				continue;
			s2_record(S2_TLB_KEPT, (int64_t)(one->ipa >> 12),
				  page_number(one->address), cpu, tree);
		}
	}
}

/* Each translation of a VMID that is nobody's: the next VM that gets it would use them. */
static void look_at_lost_tlbs(void)
{
	s2_s64 vmid[S2_EL2_VMS];

	for (int vm = 0; vm < S2_EL2_VMS; vm++)
		vmid[vm] = guest_root_of(vm) ? vmid_of(el2_host.vm[vm].handle) : 0;
	for (int cpu = 0; cpu < el2_scenario.cpus; cpu++) {
		for (int i = 0; i < EL2_TLB_ENTRIES; i++) {
			const struct el2_translation *one = &el2_tlb.entry[cpu][i];
			int used = !one->valid || !one->vmid;

			for (int vm = 0; vm < S2_EL2_VMS; vm++)
				used |= one->vmid == vmid[vm];
			if (!used)
				s2_record(S2_TLB_KEPT, (int64_t)(one->ipa >> 12),
					  page_number(one->address), cpu, S2_TREE_GONE);
		}
	}
}

static void look_at_tlbs(void)
{
	look_at_lost_tlbs();
	look_at_tlbs_of(S2_TREE_HOST, 0, el2_host_root());
	for (int vm = 0; vm < S2_EL2_VMS; vm++)
		if (guest_root_of(vm))
			look_at_tlbs_of(S2_TREE_GUEST + vm, vmid_of(el2_host.vm[vm].handle),
					guest_root_of(vm));
}

/* What a protected guest wrote, in a page that is the host's alone. */
static void look_at_data(void)
{
	for (int i = 0; i < S2_EL2_TEST_PAGES; i++) {
		struct el2_state state = el2_unpack(state_word(el2_pfn(index_of(i))));
		s2_u64 value = *(s2_u64 *)el2_page(index_of(i));

		if (value >> 40 != secret_of(0) >> 40)
			continue;
		if (state.host <= S2_STATE_SHARED_OWNED) {
			s2_record(S2_PAGE_DATA, i, 0, (int64_t)value, 0);
		} else if (state.host == S2_STATE_SHARED_BORROWED) {
			/* The guest shares it, so it is no secret any more. */
			mark_written(el2_page(index_of(i)), 8);
			*(s2_u64 *)el2_page(index_of(i)) = 0x6035;
		}
	}
}

S2_OWN void observe(void)
{
	if (s2_sched.silent || last.changes == el2_changes)
		return;
	if (s2_log.plain_entry)
		record_plain();
	look_at_host();
	look_at_guests();
	look_at_tlbs();
	look_at_data();
	s2_record(S2_SETTLED, 0, 0, 0, 0);
	last.changes = el2_changes;
}

S2_OWN void note_entry_left(int vm)
{
	int gfn = el2_host.cpu[s2_sched.current].gfn;
	struct el2_walk walk;
	struct seen seen;

	if (gfn < 0)
		return;
	if (s2_log.plain_entry)
		record_plain();
	walk = walk_stage2(guest_root_of(vm), (s2_u64)gfn << 12);
	seen = seen_of(&walk);
	s2_record(S2_ENTRY_LEFT, gfn, seen.page, seen.state, S2_TREE_GUEST + vm);
}

S2_OWN void forget_guest(int vm)
{
	for (int gfn = 0; gfn < S2_EL2_TEST_PAGES; gfn++) {
		struct seen none = { -1, 0 };

		tell(&last.guest[vm][gfn], none, gfn, (S2_TREE_GUEST + vm) | S2_TREE_GONE);
	}
}

S2_OWN void reset_observation(void)
{
	memset(&last, 0, sizeof(last));
	for (int i = 0; i < PAGES; i++)
		last.host[i].page = -1;
	for (int i = 0; i < S2_EL2_TEST_PAGES; i++)
		last.hyp[i].page = -1;
	for (int vm = 0; vm < S2_EL2_VMS; vm++)
		for (int gfn = 0; gfn < S2_EL2_TEST_PAGES; gfn++)
			last.guest[vm][gfn].page = -1;
}

/* What each page is and what maps it. */
S2_OWN void describe_machine(void)
{
	reset_observation();
	el2_changes = 1;
	for (int i = 0; i < PAGES; i++) {
		s2_u64 word = state_word(el2_pfn(index_of(i)));

		s2_record(S2_PAGE_STATE, page_number(el2_pfn(index_of(i)) << 12), -1,
			  packed(el2_unpack(word)), 0);
	}
	observe();
}
