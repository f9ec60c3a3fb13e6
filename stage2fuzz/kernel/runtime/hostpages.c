/* Memslots, host pages and the dirty bitmap, as a fault handler asks virt/kvm for them.
 *
 * With memslots.c, notifier.c and hostthread.c this is our model of virt/kvm and of the VMM: what
 * memslots.py, notifier.py, host.py and parts of abort.py are in stage2fuzz/engine. Every report
 * lists it as "modelled, not yours".
 */
#include "machine.h"

#define PAGE 4096ULL
#define MAX_CHANGED 4
#define HYP_VMID -1
#define HYP_BITS 39
#define USER_BASE 0x7f0000000000ULL

enum { RW, R_ONLY, ABSENT, POISON, LAZY };
enum { BACKING_PAGE, BACKING_PMD, BACKING_PUD, BACKING_DEVICE };

struct s2_glue_options s2_options;

static s2_u64 ipa_of(int64_t page)
{
	return S2_IPA_BASE + (s2_u64)page * PAGE;
}

static s2_u64 backing_size(int backing)
{
	return backing == BACKING_PMD ? PAGE << 9 : backing == BACKING_PUD ? PAGE << 18 : PAGE;
}

static s2_u64 home(int slot, s2_u64 unit)
{
	return S2_HOST_BASE + (unit - S2_IPA_BASE) + (s2.slot[slot].skewed ? PAGE : 0);
}

static s2_u64 unit_of(const struct s2_slot *slot, s2_u64 ipa)
{
	s2_u64 size = backing_size(slot->backing);

	return slot->first + (ipa - slot->first) / size * size;
}

static int number_of(const struct s2_slot *slot)
{
	return (int)(slot - s2.slot);
}

struct s2_slot *s2_slot_of(s2_u64 ipa)
{
	for (int i = 0; i < s2.scenario.slots; i++)
		if (s2.slot[i].exists && ipa >= s2.slot[i].first && ipa < s2.slot[i].end)
			return &s2.slot[i];
	return NULL;
}

/* The slot that holds `ipa`, deleted or not: a fault may still be under way in it. */
static struct s2_slot *any_slot_of(s2_u64 ipa)
{
	for (int i = 0; i < s2.scenario.slots; i++)
		if (ipa >= s2.slot[i].first && ipa < s2.slot[i].end)
			return &s2.slot[i];
	return NULL;
}

static struct s2_host_page *host_page(const struct s2_slot *slot, s2_u64 ipa)
{
	s2_u64 unit = unit_of(slot, ipa);
	struct s2_host_page *page;

	for (int i = 0; i < s2.host_pages; i++)
		if (s2.host_page[i].unit == unit)
			return &s2.host_page[i];
	if (s2.host_pages == 64)
		s2_give_up(S2_LIMIT_STEPS);
	page = &s2.host_page[s2.host_pages++];
	page->unit = unit;
	page->address = home(number_of(slot), unit);
	page->host = RW;
	page->slot = number_of(slot);
	page->locked = 0;
	return page;
}

static int host_flags(const struct s2_slot *slot, int host)
{
	static const int flags[] = { S2_HOST_READ | S2_HOST_WRITE, S2_HOST_READ, S2_HOST_ABSENT,
				     S2_HOST_POISON, S2_HOST_READ };

	return flags[host] | (slot->backing == BACKING_DEVICE ? S2_HOST_DEVICE : 0);
}

static void announce(const struct s2_slot *slot, const struct s2_host_page *page)
{
	s2_record(S2_BACKING, (int64_t)page->unit, (int64_t)backing_size(slot->backing),
		  (int64_t)page->address, host_flags(slot, page->host));
}

/* ---- what a fault handler asks of virt/kvm ---- */

int s2_retry(s2_u64 sampled)
{
	int retry = s2.invalidations || (s2_u64)s2.sequence != sampled;

	s2_record(S2_RETRY, 0, (int64_t)sampled, retry, 0);
	return retry;
}

int s2_host_absent(s2_u64 ipa)
{
	struct s2_slot *slot = any_slot_of(ipa);

	return !slot || host_page(slot, ipa)->host == ABSENT;
}

int s2_pin(s2_u64 ipa, int write, s2_u64 *address, int *writable)
{
	struct s2_slot *slot = any_slot_of(ipa);
	struct s2_thread *me = &s2.thread[s2.current];
	struct s2_host_page *page;
	int flags;

	s2_point(S2_PIN, (int64_t)ipa);
	page = host_page(slot, ipa);
	if (page->host == ABSENT || (write && page->host == R_ONLY))
		return -S2_EFAULT;
	if (write && page->host == LAZY) {
		page->host = RW;
		announce(slot, page);
	}
	flags = host_flags(slot, page->host);
	*address = page->address + (ipa - page->unit);
	*writable = !!(flags & S2_HOST_WRITE) && !(slot->flags & S2_SLOT_READONLY);
	me->pinned = me->pins_host_page = !(flags & (S2_HOST_DEVICE | S2_HOST_POISON));
	me->pinned_ipa = ipa;
	me->pinned_address = *address;
	s2_record(S2_PIN, (int64_t)ipa, write ? S2_HOST_WRITE : 0, (int64_t)*address, flags);
	s2_point(S2_PIN, (int64_t)ipa);
	return flags & S2_HOST_POISON;
}

/* A huge page adjustment drops the reference of the tail and takes one of the head page: what
 * counts is what is left when the fault is over. */
void s2_pin_again(void)
{
	s2.thread[s2.current].pinned++;
}

void s2_unpin(void)
{
	struct s2_thread *me = &s2.thread[s2.current];

	if (!me->pins_host_page)
		return;
	me->pinned--;
}

/* One UNPIN for each reference that the fault gave back, at its end. */
static void settle_pins(struct s2_thread *me)
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
	struct s2_thread *me = &s2.thread[s2.current];

	s2_record(S2_PFN_DIRTY, (int64_t)me->pinned_ipa, 0, (int64_t)address, 0);
}

void s2_mark_dirty(int number, s2_u64 ipa)
{
	struct s2_slot *slot = &s2.slot[number];
	int at = 0;

	s2_point(S2_MARK_DIRTY, (int64_t)ipa);
	while (at < slot->dirty_count && slot->dirty[at] != ipa)
		at++;
	if (at == slot->dirty_count && at < 64)
		slot->dirty[slot->dirty_count++] = ipa;
	s2_record(S2_MARK_DIRTY, (int64_t)ipa, 0, 0, 0);
}

/* What backs a host address, whichever generation of the page it is. */
static int backing_of(s2_u64 address)
{
	s2_u64 slot = (address - S2_HOST_BASE) % S2_GENERATION_STRIDE / (S2_SLOT_STRIDE * PAGE);

	return slot < (s2_u64)s2.scenario.slots ? s2.slot[slot].backing : BACKING_PAGE;
}

int s2_is_device(s2_u64 address)
{
	return backing_of(address) == BACKING_DEVICE;
}

int s2_is_huge(s2_u64 address)
{
	return backing_of(address) == BACKING_PMD;
}

void s2_signal(void)
{
	s2.thread[s2.current].signalled = 1;
}

void s2_inject(int code)
{
	s2.thread[s2.current].injected = code;
}

s2_u64 s2_fault_granule(void)
{
	return s2.thread[s2.current].fault_granule;
}
