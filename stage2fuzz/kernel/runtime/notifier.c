/* MMU notifiers: the host moves, protects and ages pages, and stage 2 must follow. */
#include "notifier.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "step.h"
#include "tables.h"

S2_OWN void publish_sequence(int moved)
{
	s2_host.sequence = *s2_watched_sequence + moved;
	s2_glue_sequence(s2_host.sequence, s2_host.invalidations);
}

/* Where the range lies now for the guest; the address is what the end is to be told. */
static s2_u64 invalidate_start(struct s2_slot *slot, s2_u64 first, s2_u64 size, int may_block)
{
	s2_u64 told = first + slot->moved;

	s2_record(S2_CALL, (int64_t)told, (int64_t)size, 0, S2_CALL_INVALIDATE_START);
	s2_lock(S2_LOCK_MMU, 0);
	s2_host.invalidations++;
	publish_sequence(0);
	first += slot->moved;
	s2_record(S2_INVALIDATE_BEGIN, (int64_t)first, (int64_t)size, s2_host.invalidations, 0);
	s2_glue_invalidate(number_of(slot), first, size, may_block);
	s2_unlock(S2_LOCK_MMU, 0);
	s2_record(S2_RETURN, (int64_t)told, (int64_t)size, 0, S2_CALL_INVALIDATE_START);
	return first;
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
	invalidate_end(invalidate_start(slot, first, size, may_block), size);
	return 0;
}

static void relocate(struct s2_slot *slot, struct s2_host_page *page, int host)
{
	s2_host.generation++;
	page->address = home(number_of(slot), page->unit) +
			(s2_u64)s2_host.generation * S2_GENERATION_STRIDE;
	if (host >= 0)
		page->host = host;
	announce(slot, page);
}

/* The host mappings that a range touches: the first few, and where they begin and end. */
struct changes {
	s2_u64 start, end;
	int count;
	struct s2_host_page *page[MAX_CHANGED];
};

static void find_changes(struct s2_slot *slot, s2_u64 first, s2_u64 size, struct changes *found)
{
	const struct s2_host_page *last = host_page(slot, first + size - 1);

	found->count = 0;
	found->start = host_page(slot, first)->unit;
	found->end = last->unit + last->size;
	for (s2_u64 at = found->start; at < found->end && found->count < MAX_CHANGED;) {
		found->page[found->count] = host_page(slot, at);
		at += found->page[found->count++]->size;
	}
}

/* lock_page: two threads of the host never replace the same page at once. */
static void lock_page(struct s2_host_page *page)
{
	if (s2_scenario.hosts < 2)
		return;
	s2_point(S2_LOCK, (int64_t)page->unit);
	wait_for(S2_FOR_PAGE, (int)(page - s2_host.host_page), S2_LOCK, (int64_t)page->unit);
	page->locked = 1;
}

S2_OWN int move(struct s2_slot *slot, s2_u64 first, s2_u64 size)
{
	struct changes found;
	s2_u64 told;

	find_changes(slot, first, size, &found);
	for (int i = 0; i < found.count; i++)
		lock_page(found.page[i]);
	told = invalidate_start(slot, found.start, found.end - found.start, 1);
	for (int i = 0; i < found.count; i++) {
		s2_point(S2_BACKING, (int64_t)found.page[i]->unit);
		/* Meanwhile it may have been split, or made part of a huge page. */
		if (host_page(slot, found.page[i]->unit) == found.page[i])
			relocate(slot, found.page[i], -1);
	}
	invalidate_end(told, found.end - found.start);
	for (int i = 0; i < found.count; i++)
		found.page[i]->locked = 0;
	return 0;
}

/* Whether khugepaged leaves a split page alone: some page of it is not the VMM's own. */
static int has_odd_page(struct s2_slot *slot, const struct s2_host_page *whole)
{
	for (int i = 0; i < s2_host.host_pages; i++) {
		struct s2_host_page *page = &s2_host.host_page[i];

		if (page->unit - whole->unit >= whole->size || page->size == whole->size ||
		    host_page(slot, page->unit) != page)
			continue;
		if (page->host != S2_GRANT_RW || page->locked)
			return 1;
	}
	return whole->host != S2_GRANT_RW;
}

/* A huge page is mapped by pages from now on, or again as one, which is elsewhere then. */
static int change_mapping(struct s2_slot *slot, s2_u64 first, int split)
{
	struct s2_host_page *page = huge_page(slot, first);
	s2_u64 told;

	if (!is_transparent(slot))
		return 0;
	s2_lock(S2_LOCK_MMAP, 0);
	lock_page(page);
	if (page->split != split && !(split ? 0 : has_odd_page(slot, page))) {
		told = invalidate_start(slot, page->unit, page->size, 1);
		s2_point(S2_BACKING, (int64_t)page->unit);
		page->split = split;
		page->splits += split;
		if (split)
			announce(slot, page);
		else
			relocate(slot, page, S2_GRANT_RW);
		invalidate_end(told, page->size);
	}
	page->locked = 0;
	s2_unlock(S2_LOCK_MMAP, 0);
	return 0;
}

S2_OWN int thp_split(struct s2_slot *slot, s2_u64 first)
{
	return change_mapping(slot, first, 1);
}

S2_OWN int thp_collapse(struct s2_slot *slot, s2_u64 first)
{
	return change_mapping(slot, first, 0);
}

static void change_host(struct s2_slot *slot, struct s2_host_page *page, int host)
{
	s2_point(S2_BACKING, (int64_t)page->unit);
	page->host = host;
	announce(slot, page);
}

/* A notifier around the change of those of the mappings from `from` to `to` that are to change. */
static void change_between(struct s2_slot *slot, s2_u64 from, s2_u64 to,
			   const struct changes *found, const int *changing, int grant)
{
	s2_u64 told = invalidate_start(slot, from, to - from, 1);

	for (int i = 0; i < found->count; i++)
		if (changing[i] && found->page[i]->unit >= from && found->page[i]->unit < to)
			change_host(slot, found->page[i], grant);
	invalidate_end(told, to - from);
}

/* Host mappings of a range whose grant is in the mask `old` become `grant`, with a notifier around,
 * under the mmap lock; where none changes, nothing happens. `by_vma`: mappings that do not change
 * are other VMAs, so that each run of those that do has a notifier of its own. */
static int change_grants(struct s2_slot *slot, s2_u64 first, s2_u64 size, unsigned old, int grant,
			 int by_vma)
{
	int changing[MAX_CHANGED] = { 0 }, any = 0;
	struct changes found;

	s2_lock(S2_LOCK_MMAP, 0);
	find_changes(slot, first, size, &found);
	for (int i = 0; i < found.count; i++) {
		changing[i] = old >> found.page[i]->host & 1;
		any |= changing[i];
	}
	if (any && !by_vma)
		change_between(slot, found.start, found.end, &found, changing, grant);
	for (int from = 0, to; by_vma && from < found.count; from = to + 1) {
		for (to = from; to < found.count && changing[to];)
			to++;
		if (to > from)
			change_between(slot, found.page[from]->unit,
				       to < found.count ? found.page[to]->unit : found.end,
				       &found, changing, grant);
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
	struct changes found;

	s2_lock(S2_LOCK_MMAP, 0);
	find_changes(slot, first, size, &found);
	for (int i = 0; i < found.count; i++) {
		if (found.page[i]->host != S2_GRANT_ABSENT)
			continue;
		s2_point(S2_BACKING, (int64_t)found.page[i]->unit);
		relocate(slot, found.page[i], S2_GRANT_RW);
	}
	s2_unlock(S2_LOCK_MMAP, 0);
	return 0;
}

S2_OWN void copy_page(struct s2_slot *slot, s2_u64 ipa)
{
	struct s2_host_page *page;

	s2_lock(S2_LOCK_MMAP, 1);
	/* Splitting and collapse hold that lock alone. */
	page = host_page(slot, ipa);
	while (page->host == S2_GRANT_COW) {
		int number = (int)(page - s2_host.host_page);
		s2_u64 before, told;

		/* change_pte holds the lock of the host's table. */
		wait_for(S2_FOR_PAGE, number, S2_LOCK, (int64_t)page->unit);
		before = page->address;
		told = invalidate_start(slot, page->unit, page->size, 1);
		s2_point(S2_BACKING, (int64_t)page->unit);
		wait_for(S2_FOR_PAGE, number, S2_BACKING, (int64_t)page->unit);
		/* Another thread may have copied or replaced it meanwhile. */
		if (page->host == S2_GRANT_COW && page->address == before)
			relocate(slot, page, S2_GRANT_RW);
		invalidate_end(told, page->size);
	}
	s2_unlock(S2_LOCK_MMAP, 1);
}

S2_OWN int change_pte(struct s2_slot *slot, s2_u64 first)
{
	struct s2_host_page *page = host_page(slot, first);
	s2_u64 told, now;

	/* hugetlbfs memory is no anonymous one. */
	if (slot->backing != S2_BACKING_PAGE || slot->contiguous)
		return 0;
	lock_page(page);
	told = invalidate_start(slot, page->unit, PAGE, 1);
	s2_point(S2_BACKING, (int64_t)page->unit);
	page->locked = 1;
	relocate(slot, page, S2_GRANT_COW);
	now = page->unit + slot->moved;
	s2_record(S2_CALL, (int64_t)now, (int64_t)PAGE, (int64_t)page->address,
		  S2_CALL_CHANGE_PTE);
	s2_lock(S2_LOCK_MMU, 0);
	publish_sequence(1);
	if (slot->exists)
		s2_glue_change_pte(number_of(slot), page->unit + slot->moved, page->address);
	s2_unlock(S2_LOCK_MMU, 0);
	s2_record(S2_RETURN, (int64_t)now, (int64_t)PAGE, 0, S2_CALL_CHANGE_PTE);
	page->locked = 0;
	invalidate_end(told, PAGE);
	return 0;
}

/* The core ages one host mapping a call; a longer range is a few such calls. */
S2_OWN int age(struct s2_slot *slot, s2_u64 first, s2_u64 size)
{
	int young = 0;

	s2_lock(S2_LOCK_MMU, 0);
	first += slot->moved;
	if (size == granule(2) || size == granule(1))
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
	young = s2_glue_test_young(number_of(slot), first + slot->moved);
	s2_unlock(S2_LOCK_MMU, 0);
	return young;
}
