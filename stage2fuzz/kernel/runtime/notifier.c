/* MMU notifiers: the host moves, protects and ages pages, and stage 2 must follow. */
#include "notifier.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "step.h"

S2_OWN void publish_sequence(int moved)
{
	s2_host.sequence = *s2_watched_sequence + moved;
	s2_glue_sequence(s2_host.sequence, s2_host.invalidations);
}

static void invalidate_start(struct s2_slot *slot, s2_u64 first, s2_u64 size, int may_block)
{
	s2_record(S2_CALL, (int64_t)first, (int64_t)size, 0, S2_CALL_INVALIDATE_START);
	s2_lock(S2_LOCK_MMU, 0);
	s2_host.invalidations++;
	publish_sequence(0);
	s2_record(S2_INVALIDATE_BEGIN, (int64_t)first, (int64_t)size, s2_host.invalidations, 0);
	s2_glue_invalidate(number_of(slot), first, size, may_block);
	s2_unlock(S2_LOCK_MMU, 0);
	s2_record(S2_RETURN, (int64_t)first, (int64_t)size, 0, S2_CALL_INVALIDATE_START);
}

static void invalidate_end(s2_u64 first, s2_u64 size)
{
	s2_record(S2_CALL, (int64_t)first, (int64_t)size, 0, S2_CALL_INVALIDATE_FINISH);
	s2_lock(S2_LOCK_MMU, 0);
	s2_host.invalidations--;
	publish_sequence(1);
	s2_record(S2_INVALIDATE_END, (int64_t)first, (int64_t)size, s2_host.sequence, 0);
	s2_unlock(S2_LOCK_MMU, 0);
	s2_record(S2_RETURN, (int64_t)first, (int64_t)size, 0, S2_CALL_INVALIDATE_FINISH);
}

/* A notifier for exactly this range, after which the pages are what they were. */
S2_OWN int invalidate(struct s2_slot *slot, s2_u64 first, s2_u64 size, int may_block)
{
	invalidate_start(slot, first, size, may_block);
	invalidate_end(first, size);
	return 0;
}

static void relocate(struct s2_slot *slot, s2_u64 unit, int host)
{
	struct s2_host_page *page = host_page(slot, unit);

	s2_host.generation++;
	page->address = home(number_of(slot), unit) +
			(s2_u64)s2_host.generation * S2_GENERATION_STRIDE;
	if (host >= 0)
		page->host = host;
	announce(slot, page);
}

/* The host mappings that the range touches: the first of them, their size, the length. */
static s2_u64 host_range(struct s2_slot *slot, s2_u64 first, s2_u64 size, s2_u64 *step,
			 s2_u64 *length)
{
	s2_u64 start = unit_of(slot, first);

	*step = backing_size(slot->backing);
	*length = (first + size - start + *step - 1) / *step * *step;
	return start;
}

/* lock_page: two threads of the host never replace the same page at once. */
static void lock_pages(struct s2_slot *slot, s2_u64 start, s2_u64 step, s2_u64 length)
{
	if (s2_scenario.hosts < 2)
		return;
	for (s2_u64 i = 0; i < MAX_CHANGED && i * step < length; i++) {
		struct s2_host_page *page = host_page(slot, start + i * step);

		s2_point(S2_LOCK, (int64_t)page->unit);
		wait_for(S2_FOR_PAGE, (int)(page - s2_host.host_page), S2_LOCK,
			    (int64_t)page->unit);
		page->locked = 1;
	}
}

static void unlock_pages(struct s2_slot *slot, s2_u64 start, s2_u64 step, s2_u64 length)
{
	for (s2_u64 i = 0; i < MAX_CHANGED && i * step < length; i++)
		host_page(slot, start + i * step)->locked = 0;
}

S2_OWN int move(struct s2_slot *slot, s2_u64 first, s2_u64 size)
{
	s2_u64 step, length, start = host_range(slot, first, size, &step, &length);

	lock_pages(slot, start, step, length);
	invalidate_start(slot, start, length, 1);
	for (s2_u64 i = 0; i < MAX_CHANGED && i * step < length; i++) {
		s2_point(S2_BACKING, (int64_t)(start + i * step));
		relocate(slot, start + i * step, -1);
	}
	invalidate_end(start, length);
	unlock_pages(slot, start, step, length);
	return 0;
}

static void change_host(struct s2_slot *slot, s2_u64 unit, int host)
{
	struct s2_host_page *page = host_page(slot, unit);

	s2_point(S2_BACKING, (int64_t)unit);
	page->host = host;
	announce(slot, page);
}

/* A notifier around the change of those of the mappings from `from` to `to` that are to change. */
static void change_between(struct s2_slot *slot, s2_u64 from, s2_u64 to, const int *changing,
			   int grant)
{
	s2_u64 step = backing_size(slot->backing);

	invalidate_start(slot, from, to - from, 1);
	for (s2_u64 i = 0; i < MAX_CHANGED && from + i * step < to; i++)
		if (changing[i])
			change_host(slot, from + i * step, grant);
	invalidate_end(from, to - from);
}

/* Host mappings of a range whose grant is in the mask `old` become `grant`, with a notifier around,
 * under the mmap lock; where none changes, nothing happens. `by_vma`: mappings that do not change
 * are other VMAs, so that each run of those that do has a notifier of its own. */
static int change_grants(struct s2_slot *slot, s2_u64 first, s2_u64 size, unsigned old, int grant,
			 int by_vma)
{
	s2_u64 step, length, start = host_range(slot, first, size, &step, &length);
	int changing[2 * MAX_CHANGED] = { 0 }, any = 0, count = 0;

	s2_lock(S2_LOCK_MMAP, 0);
	for (; count < MAX_CHANGED && (s2_u64)count * step < length; count++) {
		changing[count] = old >> host_page(slot, start + (s2_u64)count * step)->host & 1;
		any |= changing[count];
	}
	if (any && !by_vma)
		change_between(slot, start, start + length, changing, grant);
	for (int from = 0, to; by_vma && from < count; from = to + 1) {
		for (to = from; to < count && changing[to];)
			to++;
		if (to > from)
			change_between(slot, start + (s2_u64)from * step,
				       start + (to < count ? (s2_u64)to * step : length),
				       changing + from, grant);
	}
	s2_unlock(S2_LOCK_MMAP, 0);
	return 0;
}

S2_OWN int protect(struct s2_slot *slot, s2_u64 first, s2_u64 size)
{
	return change_grants(slot, first, size,
			     1 << S2_GRANT_RW | 1 << S2_GRANT_LAZY | 1 << S2_GRANT_COW,
			     S2_GRANT_R, 1);
}

S2_OWN int unprotect(struct s2_slot *slot, s2_u64 first, s2_u64 size)
{
	return change_grants(slot, first, size, 1 << S2_GRANT_R, S2_GRANT_RW, 1);
}

S2_OWN int share(struct s2_slot *slot, s2_u64 first, s2_u64 size)
{
	if (slot->backing == S2_BACKING_DEVICE)
		return 0;
	return change_grants(slot, first, size, 1 << S2_GRANT_RW, S2_GRANT_COW, 0);
}

S2_OWN int munmap_range(struct s2_slot *slot, s2_u64 first, s2_u64 size)
{
	return change_grants(slot, first, size, ~(1U << S2_GRANT_ABSENT), S2_GRANT_ABSENT, 0);
}

/* Where there was no VMA nothing needs to be invalidated. */
S2_OWN int mmap_range(struct s2_slot *slot, s2_u64 first, s2_u64 size)
{
	s2_u64 step, length, start = host_range(slot, first, size, &step, &length);

	s2_lock(S2_LOCK_MMAP, 0);
	for (s2_u64 i = 0; i < MAX_CHANGED && i * step < length; i++) {
		if (host_page(slot, start + i * step)->host != S2_GRANT_ABSENT)
			continue;
		s2_point(S2_BACKING, (int64_t)(start + i * step));
		relocate(slot, start + i * step, S2_GRANT_RW);
	}
	s2_unlock(S2_LOCK_MMAP, 0);
	return 0;
}

S2_OWN void copy_page(struct s2_slot *slot, s2_u64 ipa)
{
	s2_u64 unit = unit_of(slot, ipa), size = backing_size(slot->backing);
	struct s2_host_page *page = host_page(slot, unit);

	s2_lock(S2_LOCK_MMAP, 1);
	while (page->host == S2_GRANT_COW) {
		s2_u64 before;

		/* change_pte holds the lock of the host's table. */
		wait_for(S2_FOR_PAGE, (int)(page - s2_host.host_page), S2_LOCK, (int64_t)unit);
		before = page->address;
		invalidate_start(slot, unit, size, 1);
		s2_point(S2_BACKING, (int64_t)unit);
		wait_for(S2_FOR_PAGE, (int)(page - s2_host.host_page), S2_BACKING, (int64_t)unit);
		/* Another thread may have copied or replaced it meanwhile. */
		if (page->host == S2_GRANT_COW && page->address == before)
			relocate(slot, unit, S2_GRANT_RW);
		invalidate_end(unit, size);
	}
	s2_unlock(S2_LOCK_MMAP, 1);
}

S2_OWN int change_pte(struct s2_slot *slot, s2_u64 first)
{
	s2_u64 unit = unit_of(slot, first), address;

	if (slot->backing != S2_BACKING_PAGE)
		return 0;
	lock_pages(slot, unit, PAGE, PAGE);
	invalidate_start(slot, unit, PAGE, 1);
	s2_point(S2_BACKING, (int64_t)unit);
	host_page(slot, unit)->locked = 1;
	relocate(slot, unit, S2_GRANT_COW);
	address = host_page(slot, unit)->address;
	s2_record(S2_CALL, (int64_t)unit, (int64_t)PAGE, (int64_t)address, S2_CALL_CHANGE_PTE);
	s2_lock(S2_LOCK_MMU, 0);
	publish_sequence(1);
	if (slot->exists)
		s2_glue_change_pte(number_of(slot), unit, address);
	s2_unlock(S2_LOCK_MMU, 0);
	s2_record(S2_RETURN, (int64_t)unit, (int64_t)PAGE, 0, S2_CALL_CHANGE_PTE);
	host_page(slot, unit)->locked = 0;
	invalidate_end(unit, PAGE);
	unlock_pages(slot, unit, PAGE, PAGE);
	return 0;
}

/* The core ages one host mapping a call; a longer range is a few such calls. */
S2_OWN int age(struct s2_slot *slot, s2_u64 first, s2_u64 size)
{
	int young = 0;

	s2_lock(S2_LOCK_MMU, 0);
	if (size == PAGE << 9 || size == PAGE << 18)
		young = s2_glue_age(number_of(slot), first, size);
	else
		for (s2_u64 i = 0; i < MAX_CHANGED && i * PAGE < size; i++)
			young |= s2_glue_age(number_of(slot), first + i * PAGE, PAGE);
	s2_unlock(S2_LOCK_MMU, 0);
	return young;
}

S2_OWN int test_young(struct s2_slot *slot, s2_u64 first)
{
	int young;

	s2_lock(S2_LOCK_MMU, 0);
	young = s2_glue_test_young(number_of(slot), first);
	s2_unlock(S2_LOCK_MMU, 0);
	return young;
}
