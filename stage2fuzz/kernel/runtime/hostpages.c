/* Memslots, host pages and the dirty bitmap, as a fault handler asks virt/kvm for them.
 *
 * With memslots.c, notifier.c and hostthread.c this is our model of virt/kvm and of the VMM: what
 * memslots.py, notifier.py, host.py and parts of the abort handlers are in stage2fuzz/model/mmu.
 * Every report lists it as "modelled, not yours".
 */
#include "hostpages.h"
#include "notifier.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "step.h"
#include "tables.h"

struct s2_host s2_host;

/* The slots themselves are made anew with the virtual machine. */
S2_OWN void reset_host(void)
{
	s2_host.host_pages = s2_host.generation = s2_host.slots_epoch = 0;
	s2_host.sequence = s2_host.invalidations = 0;
}

S2_OWN s2_u64 ipa_of(int64_t page)
{
	return S2_IPA_BASE + (s2_u64)page * PAGE;
}

S2_OWN s2_u64 backing_size(int backing)
{
	return backing == S2_BACKING_PUD ? granule(1) :
	       backing == S2_BACKING_PMD ? granule(2) : PAGE;
}

S2_OWN s2_u64 home(int slot, s2_u64 unit)
{
	return S2_HOST_BASE + (unit - S2_IPA_BASE) + (s2_u64)s2_host.slot[slot].skewed * PAGE;
}

S2_OWN int can_move(const struct s2_slot *slot)
{
	return slot->pages <= S2_GIB;
}

S2_OWN int is_transparent(const struct s2_slot *slot)
{
	return slot->backing == S2_BACKING_PMD && !slot->hugetlb && !slot->contiguous;
}

S2_OWN s2_u64 original(const struct s2_slot *slot, s2_u64 ipa)
{
	return can_move(slot) && ipa >= slot->origin + S2_MOVE_STRIDE ? ipa - S2_MOVE_STRIDE : ipa;
}

S2_OWN int number_of(const struct s2_slot *slot)
{
	S2_ASSERT(slot >= s2_host.slot && slot < s2_host.slot + S2_MAX_SLOTS, slot - s2_host.slot);
	return (int)(slot - s2_host.slot);
}

S2_OWN struct s2_slot *slot_numbered(int64_t number)
{
	S2_ASSERT(number >= 0 && number < s2_scenario.slots, number);
	return &s2_host.slot[number];
}

S2_OWN struct s2_slot *slot_of_ipa(s2_u64 ipa)
{
	for (int i = 0; i < s2_scenario.slots; i++)
		if (s2_host.slot[i].exists && ipa >= s2_host.slot[i].first &&
		    ipa < s2_host.slot[i].end)
			return &s2_host.slot[i];
	return NULL;
}

/* The slot that holds `ipa`, deleted, moved or not: a fault may still be under way in it. */
static struct s2_slot *any_slot_of(s2_u64 ipa)
{
	for (int i = 0; i < s2_scenario.slots; i++) {
		struct s2_slot *slot = &s2_host.slot[i];

		if (original(slot, ipa) - slot->origin < (s2_u64)slot->pages * PAGE)
			return slot;
	}
	return NULL;
}

/* The host mapping of this size, made where there is none yet. */
static struct s2_host_page *mapping(const struct s2_slot *slot, s2_u64 ipa, s2_u64 size)
{
	/* The host's mappings are aligned in its own addresses. */
	s2_u64 skew = (s2_u64)slot->skewed * PAGE;
	s2_u64 unit = slot->base + (ipa - slot->base + skew) / size * size - skew;
	struct s2_host_page *page;

	for (int i = 0; i < s2_host.host_pages; i++)
		if (s2_host.host_page[i].unit == unit && s2_host.host_page[i].size == size)
			return &s2_host.host_page[i];
	if (s2_host.host_pages == S2_HOST_PAGES)
		give_up(S2_LIMIT_HOST_PAGES);
	page = &s2_host.host_page[s2_host.host_pages++];
	*page = (struct s2_host_page){ .unit = unit, .size = size, .slot = number_of(slot) };
	page->address = home(number_of(slot), unit);
	page->host = S2_GRANT_RW;
	return page;
}

S2_OWN struct s2_host_page *huge_page(const struct s2_slot *slot, s2_u64 ipa)
{
	S2_ASSERT(slot, ipa);
	return mapping(slot, ipa, backing_size(slot->backing));
}

S2_OWN struct s2_host_page *host_page(const struct s2_slot *slot, s2_u64 ipa)
{
	struct s2_host_page *whole = huge_page(slot, ipa), *page;

	if (!whole->split)
		return whole;
	page = mapping(slot, ipa, PAGE);
	if (page->splits != whole->splits) {
		page->splits = whole->splits;
		page->address = whole->address + (page->unit - whole->unit);
		page->host = whole->host;
	}
	return page;
}

S2_OWN int host_flags(const struct s2_slot *slot, int host)
{
	static const int flags[] = {
		[S2_GRANT_RW] = S2_HOST_READ | S2_HOST_WRITE, [S2_GRANT_R] = S2_HOST_READ,
		[S2_GRANT_ABSENT] = S2_HOST_ABSENT, [S2_GRANT_POISON] = S2_HOST_POISON,
		[S2_GRANT_LAZY] = S2_HOST_READ, [S2_GRANT_COW] = S2_HOST_READ,
	};

	static const int sizes[] = {
		[S2_BACKING_PAGE] = 0, [S2_BACKING_PMD] = S2_HOST_PMD,
		[S2_BACKING_PUD] = S2_HOST_PUD, [S2_BACKING_DEVICE] = S2_HOST_DEVICE,
	};

	S2_ASSERT((unsigned)host < sizeof(flags) / sizeof(flags[0]), host);
	return flags[host] | sizes[slot->backing];
}

/* Of a mapping, which may be part of what could be a huge page. */
static int mapping_flags(const struct s2_slot *slot, const struct s2_host_page *page)
{
	int by_pages = page->split || page->size < backing_size(slot->backing);

	return host_flags(slot, page->host) & ~(by_pages ? S2_HOST_PMD | S2_HOST_PUD : 0);
}

S2_OWN void announce(const struct s2_slot *slot, const struct s2_host_page *page)
{
	s2_record(S2_BACKING, (int64_t)(page->unit + slot->moved), (int64_t)page->size,
		  (int64_t)page->address, mapping_flags(slot, page));
}

/* ---- what a fault handler asks of virt/kvm ---- */

int s2_retry(s2_u64 sampled)
{
	int retry = s2_host.invalidations || (s2_u64)*s2_watched_sequence != sampled;

	s2_record(S2_RETRY, 0, (int64_t)sampled, retry, 0);
	return retry;
}

int s2_host_absent(s2_u64 ipa)
{
	struct s2_slot *slot = any_slot_of(ipa);

	return !slot || host_page(slot, original(slot, ipa))->host == S2_GRANT_ABSENT;
}

int s2_slot_absent(int number)
{
	const struct s2_slot *slot = slot_numbered(number);
	s2_u64 end = slot->origin + (s2_u64)slot->pages * PAGE, holes = 0;

	for (int i = 0; i < s2_host.host_pages; i++) {
		const struct s2_host_page *page = &s2_host.host_page[i];
		s2_u64 first = page->unit > slot->origin ? page->unit : slot->origin;
		s2_u64 last = page->unit + page->size < end ? page->unit + page->size : end;

		if (page->slot == number && page->host == S2_GRANT_ABSENT &&
		    host_page(slot, page->unit) == page && first < last)
			holes += last - first;
	}
	return holes == end - slot->origin;
}

int s2_pin(s2_u64 ipa, int write, s2_u64 *address, int *writable)
{
	struct s2_slot *slot = any_slot_of(ipa);
	struct s2_thread *me = running_thread();
	struct s2_host_page *page;
	int flags, copied = 0;
	s2_u64 at;

	s2_point(S2_PIN, (int64_t)ipa);
	/* Kernel code may ask for a page of no slot; virt/kvm answers with an error, too. */
	if (!slot)
		return -S2_EFAULT;
	at = original(slot, ipa);
	page = host_page(slot, at);
	if (write && page->host == S2_GRANT_COW) {
		copy_page(slot, at);
		page = host_page(slot, at);
		copied = 1;
	}
	if (page->host == S2_GRANT_ABSENT || (write && page->host == S2_GRANT_R))
		return -S2_EFAULT;
	if (write && page->host == S2_GRANT_LAZY && slot->backing == S2_BACKING_DEVICE)
		return -S2_EFAULT;
	if (write && page->host == S2_GRANT_LAZY) {
		page->host = S2_GRANT_RW;
		announce(slot, page);
	}
	flags = mapping_flags(slot, page);
	*address = page->address + (at - page->unit);
	*writable = !!(flags & S2_HOST_WRITE) && !(slot->flags & S2_SLOT_READONLY);
	me->pinned = me->pins_host_page = !(flags & (S2_HOST_DEVICE | S2_HOST_POISON));
	me->pinned_ipa = ipa;
	me->pinned_address = *address;
	s2_record(S2_PIN, (int64_t)ipa, write ? S2_HOST_WRITE : 0, (int64_t)*address, flags);
	/* The copy's own steps end the lookup's, so that a lookup is one anchor (anchored.py). */
	if (!copied)
		s2_point(S2_PIN, (int64_t)ipa);
	return flags & S2_HOST_POISON;
}

/* A huge page adjustment drops the reference of the tail and takes one of the head page: what
 * counts is what is left when the fault is over. */
void s2_pin_again(void)
{
	running_thread()->pinned++;
}

/* The page of a fault: any of the host mapping that it looked up, since a huge page adjustment
 * goes from one to another. */
static void check_page(s2_u64 address)
{
	const struct s2_thread *me = running_thread();
	const struct s2_slot *slot = any_slot_of(me->pinned_ipa);
	s2_u64 size = slot ? backing_size(slot->backing) : PAGE;

	if (me->pins_host_page && address / size != me->pinned_address / size)
		s2_warn(S2_WARN_FOREIGN_PAGE);
}

void s2_unpin(s2_u64 address)
{
	struct s2_thread *me = running_thread();

	if (!me->pins_host_page)
		return;
	check_page(address);
	me->pinned--;
}

/* A page that some leaf maps, whose frame is the guest's if there is any. */
void s2_pfn_accessed(s2_u64 address)
{
	if (address < S2_HOST_BASE)
		s2_warn(S2_WARN_FOREIGN_PAGE);
}

/* One UNPIN for each reference that the fault gave back, at its end. */
S2_OWN void settle_pins(struct s2_thread *me)
{
	if (!me->pins_host_page)
		return;
	for (me->pins_host_page = 0; me->pinned < 1; me->pinned++) {
		s2_point(S2_UNPIN, (int64_t)me->pinned_ipa);
		s2_record(S2_UNPIN, (int64_t)me->pinned_ipa, 0, (int64_t)me->pinned_address, 0);
	}
}

void s2_pfn_dirty(s2_u64 address)
{
	struct s2_thread *me = running_thread();

	check_page(address);
	s2_record(S2_PFN_DIRTY, (int64_t)me->pinned_ipa, 0, (int64_t)address, 0);
}

void s2_mark_dirty(int number, s2_u64 ipa)
{
	struct s2_slot *slot = slot_numbered(number);
	int at = 0;

	s2_point(S2_MARK_DIRTY, (int64_t)ipa);
	while (at < slot->dirty_count && slot->dirty[at] != ipa)
		at++;
	if (slot->all_set) {
		if (at < slot->dirty_count)
			slot->dirty[at] = slot->dirty[--slot->dirty_count];
	} else if (at == slot->dirty_count) {
		if (at == S2_DIRTY_PAGES)
			give_up(S2_LIMIT_DIRTY_PAGES);
		slot->dirty[slot->dirty_count++] = ipa;
	}
	s2_record(S2_MARK_DIRTY, (int64_t)ipa, 0, 0, 0);
}

S2_OWN const struct s2_slot *slot_of_address(s2_u64 address)
{
	s2_u64 slot = (address - S2_HOST_BASE) % S2_GENERATION_STRIDE / (S2_SLOT_STRIDE * PAGE);
	s2_u64 last = (s2_u64)s2_scenario.slots - 1;

	/* The last slot may be larger than the stride. */
	return &s2_host.slot[slot < last ? slot : last];
}

static int backing_of(s2_u64 address)
{
	return slot_of_address(address)->backing;
}

/* A page that was mapped alone and went elsewhere. */
static int is_split_off(s2_u64 address)
{
	for (int i = 0; i < s2_host.host_pages; i++) {
		const struct s2_host_page *page = &s2_host.host_page[i];
		const struct s2_slot *slot = &s2_host.slot[page->slot];

		if (page->size < backing_size(slot->backing) && address - page->address < PAGE &&
		    host_page(slot, page->unit) == page)
			return 1;
	}
	return 0;
}

int s2_is_device(s2_u64 address)
{
	return backing_of(address) == S2_BACKING_DEVICE;
}

/* PageTransCompoundMap: part of a huge page, hugetlbfs among them, and mapped as one. */
int s2_is_huge(s2_u64 address)
{
	for (int i = 0; i < s2_host.host_pages; i++) {
		const struct s2_host_page *page = &s2_host.host_page[i];

		if (page->split && address - page->address < page->size)
			return 0;
	}
	if (backing_of(address) == S2_BACKING_PUD || slot_of_address(address)->contiguous)
		return 1;
	return backing_of(address) == S2_BACKING_PMD && !is_split_off(address);
}

/* How the host maps what the running fault looked up. */
int s2_maps_by_pages(void)
{
	const struct s2_thread *me = running_thread();
	const struct s2_slot *slot = any_slot_of(me->pinned_ipa);

	return slot && huge_page(slot, original(slot, me->pinned_ipa))->split;
}

void s2_signal(void)
{
	running_thread()->signalled = 1;
}

void s2_inject(int code)
{
	running_thread()->injected = code;
}

/* The instruction was no access after all: the guest goes on behind it. */
void s2_skip_instruction(void)
{
	running_thread()->skipped = 1;
}

/* io_mem_abort: the VMM emulates the access, if it is told which and where. */
int s2_mmio(s2_u64 address, int has_syndrome)
{
	if (address != running_thread()->fault_address)
		return -S2_EINVAL;
	return has_syndrome ? 0 : -S2_ENOSYS;
}

s2_u64 s2_fault_granule(void)
{
	return running_thread()->fault_granule;
}
