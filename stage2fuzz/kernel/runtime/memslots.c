/* Memslot changes: the dirty log switched on and off, read and cleared; deletion. */
#include "locks.h"
#include "memslots.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "step.h"

/* A slot as the glue is told of it. */
static struct s2_glue_slot told(const struct s2_slot *slot)
{
	/* Congruent with guest addresses up to the largest block, unless it is skewed. */
	return (struct s2_glue_slot){ slot->first, slot->end - slot->first,
				      USER_BASE - USER_BASE % (PAGE * S2_GIB) +
					      (slot->origin - S2_IPA_BASE) +
					      (s2_u64)slot->skewed * PAGE,
				      slot->flags, slot->backing, slot->skewed, slot->hugetlb,
				      slot->contiguous, slot->exists };
}

S2_OWN void publish_slot(const struct s2_slot *slot)
{
	struct s2_glue_slot what = told(slot);

	s2_glue_publish(number_of(slot), &what);
}

/* A new memslot array, then waiting until no fault handler uses the old one. */
static void publish(struct s2_slot *slot, int flags, int exists)
{
	s2_point(S2_SLOT, number_of(slot));
	if (s2_swap_waits)
		wait_for(S2_FOR_NOTIFIERS, 0, S2_SLOT, number_of(slot));
	slot->flags = flags;
	slot->exists = exists;
	publish_slot(slot);
	s2_record(S2_SLOT, (int64_t)slot->first, exists ? (int64_t)(slot->end - slot->first) : 0,
		  flags, number_of(slot));
	wait_for(S2_FOR_READERS, ++s2_host.slots_epoch, S2_SLOT, number_of(slot));
}

S2_OWN void begin_log(struct s2_slot *slot)
{
	slot->dirty_count = 0;
	slot->all_set = s2_scenario.logs_begin_set;
	for (s2_u64 ipa = slot->first; slot->all_set && ipa < slot->end; ipa += PAGE)
		s2_record(S2_MARK_DIRTY, (int64_t)ipa, 0, 0, 0);
}

/* What the architecture answers. The locks that it takes are no steps where nobody has them, so
 * that schedules from before it was asked mean what they meant. */
static int ask(int (*prepare)(int, const struct s2_glue_slot *), const struct s2_slot *slot,
	       const struct s2_glue_slot *what)
{
	/* The older trees flush a slot that comes, under mmu_lock. */
	int flushes = prepare != s2_glue_prepare_logging;
	int at_once = is_lock_free(S2_LOCK_MMAP, 1) &&
		      (!flushes || is_lock_free(S2_LOCK_MMU, 0));
	int left = s2_sched.left, result;

	if (at_once)
		s2_sched.left = S2_FOREVER;
	result = prepare(number_of(slot), what);
	if (at_once)
		s2_sched.left = left;
	return result;
}

/* The slot gets other flags, if the architecture has nothing against it. */
static int change_flags(struct s2_slot *slot, int flags)
{
	struct s2_glue_slot what = told(slot);
	int result;

	what.flags = flags;
	result = ask(s2_glue_prepare_logging, slot, &what);
	if (result)
		return result;
	if (flags & S2_SLOT_LOGGING)
		begin_log(slot);
	publish(slot, flags, 1);
	s2_glue_commit_logging(number_of(slot));
	return 0;
}

S2_OWN int log_enable(struct s2_slot *slot)
{
	int result = 0;

	s2_lock(S2_LOCK_SLOTS, 0);
	if (slot->exists && !(slot->flags & S2_SLOT_LOGGING))
		result = change_flags(slot, slot->flags | S2_SLOT_LOGGING);
	s2_unlock(S2_LOCK_SLOTS, 0);
	return result;
}

S2_OWN int log_disable(struct s2_slot *slot)
{
	int result = 0;

	s2_lock(S2_LOCK_SLOTS, 0);
	if (slot->exists && slot->flags & S2_SLOT_LOGGING)
		result = change_flags(slot, slot->flags & ~S2_SLOT_LOGGING);
	s2_unlock(S2_LOCK_SLOTS, 0);
	return result;
}

static void clear_bit(struct s2_slot *slot, s2_u64 ipa)
{
	int at = 0;

	while (at < slot->dirty_count && slot->dirty[at] != ipa)
		at++;
	S2_ASSERT(slot->all_set != (at < slot->dirty_count), ipa);
	s2_point(S2_CLEAR_DIRTY, (int64_t)ipa);
	if (slot->all_set) {
		if (slot->dirty_count == S2_DIRTY_PAGES)
			give_up(S2_LIMIT_DIRTY_PAGES);
		slot->dirty[slot->dirty_count++] = ipa;
	} else {
		slot->dirty[at] = slot->dirty[--slot->dirty_count];
	}
	s2_record(S2_CLEAR_DIRTY, (int64_t)ipa, 0, 0, 0);
}

/* The set bits of a range, ascending: how many. Where all may be set it is cut to one word. */
static int set_bits(const struct s2_slot *slot, s2_u64 first, s2_u64 size, s2_u64 *taken)
{
	s2_u64 end = first + size;
	int count = 0;

	if (slot->all_set) {
		if (size > S2_CLEARED_AT_ONCE * PAGE)
			end = first + S2_CLEARED_AT_ONCE * PAGE;
		for (s2_u64 ipa = first; ipa < end; ipa += PAGE) {
			int at = 0;

			while (at < slot->dirty_count && slot->dirty[at] != ipa)
				at++;
			if (at == slot->dirty_count)
				taken[count++] = ipa;
		}
		return count;
	}
	for (int i = 0; i < slot->dirty_count; i++) {
		int at = count;

		if (slot->dirty[i] < first || slot->dirty[i] >= end)
			continue;
		for (; at > 0 && taken[at - 1] > slot->dirty[i]; at--)
			taken[at] = taken[at - 1];
		taken[at] = slot->dirty[i];
		count++;
	}
	return count;
}

/* Clear bits and write-protect what they covered under the lock; unlock, flush, report. */
S2_OWN int harvest(struct s2_slot *slot, s2_u64 first, s2_u64 size, int by_clear)
{
	s2_u64 taken[S2_DIRTY_PAGES];
	int count;

	s2_lock(S2_LOCK_SLOTS, 0);
	first += slot->moved;
	/* KVM_CLEAR_DIRTY_LOG is for bitmaps; rings are collected and reset as a whole. */
	if (!slot->exists || !(slot->flags & S2_SLOT_LOGGING) ||
	    (by_clear && s2_options.dirty_ring)) {
		s2_unlock(S2_LOCK_SLOTS, 0);
		return -S2_ENOENT;
	}
	if (!by_clear && s2_scenario.manual) {
		/* Only KVM_CLEAR_DIRTY_LOG takes bits; those that were always set tell nothing. */
		count = slot->all_set ? 0 : set_bits(slot, first, size, taken);
		for (int i = 0; i < count; i++)
			s2_record(S2_REPORT, (int64_t)taken[i], 0, 0, by_clear);
		s2_unlock(S2_LOCK_SLOTS, 0);
		return 0;
	}
	s2_lock(S2_LOCK_MMU, 0);
	count = set_bits(slot, first, size, taken);
	for (int i = 0; i < count; i++)
		clear_bit(slot, taken[i]);
	for (int i = 0; i < count;) {
		s2_u64 word = (taken[i] - slot->first) / (64 * PAGE);
		unsigned long mask = 0;

		for (; i < count && (taken[i] - slot->first) / (64 * PAGE) == word; i++)
			mask |= 1UL << ((taken[i] - slot->first) / PAGE % 64);
		s2_glue_protect_masked(number_of(slot), word * 64, mask);
	}
	s2_unlock(S2_LOCK_MMU, 0);
	if (count)
		s2_glue_flush_all(number_of(slot));
	for (int i = 0; i < count; i++)
		s2_record(S2_REPORT, (int64_t)taken[i], 0, 0, by_clear);
	s2_unlock(S2_LOCK_SLOTS, 0);
	return 0;
}

S2_OWN int slot_delete(struct s2_slot *slot)
{
	s2_lock(S2_LOCK_SLOTS, 0);
	if (slot->exists) {
		publish(slot, slot->flags, 0);
		s2_glue_flush_slot(number_of(slot));
		s2_glue_commit_deletion(number_of(slot));
	}
	s2_unlock(S2_LOCK_SLOTS, 0);
	return 0;
}

/* A memslot that was deleted is added again, its log off. */
S2_OWN int slot_create(struct s2_slot *slot)
{
	int result = 0;

	s2_lock(S2_LOCK_SLOTS, 0);
	if (!slot->exists) {
		int flags = slot->flags & ~S2_SLOT_LOGGING;
		struct s2_glue_slot what = told(slot);

		what.flags = flags;
		result = ask(s2_glue_prepare_creation, slot, &what);
		if (!result) {
			slot->dirty_count = slot->all_set = 0;
			publish(slot, flags, 1);
			s2_glue_commit_creation(number_of(slot));
		}
	}
	s2_unlock(S2_LOCK_SLOTS, 0);
	return result;
}

/* The backing of the whole slot where it lies now, and what is known of single pages. */
static void announce_all(const struct s2_slot *slot)
{
	s2_record(S2_BACKING, (int64_t)slot->first, (int64_t)(slot->end - slot->first),
		  (int64_t)home(number_of(slot), slot->origin), host_flags(slot, S2_GRANT_RW));
	for (int parts = 0; parts < 2; parts++)
		for (int i = 0; i < s2_host.host_pages; i++) {
			const struct s2_host_page *page = &s2_host.host_page[i];
			int is_part = page->size < backing_size(slot->backing);

			if (page->slot != number_of(slot) || is_part != parts)
				continue;
			if (!is_part || host_page(slot, page->unit) == page)
				announce(slot, page);
		}
}

static void lie(struct s2_slot *slot, s2_u64 moved)
{
	s2_u64 size = slot->end - slot->first;

	slot->moved = moved;
	slot->first = slot->origin + moved;
	slot->end = slot->first + size;
}

/* KVM_MR_MOVE: the slot goes as in a deletion, then it is published elsewhere, or again where it
 * was if the architecture has something against it. */
S2_OWN int slot_move(struct s2_slot *slot)
{
	int result = 0;

	s2_lock(S2_LOCK_SLOTS, 0);
	if (slot->exists && can_move(slot) && !(slot->flags & S2_SLOT_LOGGING)) {
		s2_u64 before = slot->moved;
		struct s2_glue_slot what;

		publish(slot, slot->flags, 0);
		s2_glue_flush_slot(number_of(slot));
		lie(slot, before ? 0 : S2_MOVE_STRIDE);
		what = told(slot);
		result = ask(s2_glue_prepare_move, slot, &what);
		if (result)
			lie(slot, before);
		announce_all(slot);
		publish(slot, slot->flags, 1);
		if (!result)
			s2_glue_commit_move(number_of(slot));
	}
	s2_unlock(S2_LOCK_SLOTS, 0);
	return result;
}

/* May there be a slot that ends at `end`? It is not published. */
static int ask_for(struct s2_slot *slot, s2_u64 end)
{
	struct s2_glue_slot what = told(slot);
	int result;

	what.first = end - what.size;
	s2_record(S2_CALL, (int64_t)what.first, (int64_t)what.size, 0, S2_CALL_SLOT_LIMIT);
	result = ask(s2_glue_prepare_creation, slot, &what);
	s2_record(S2_RETURN, (int64_t)what.first, (int64_t)what.size, result, S2_CALL_SLOT_LIMIT);
	return result;
}

/* A memslot that ends where the guest's IPA space does, and one that ends a page above. */
S2_OWN int slot_limit(struct s2_slot *slot)
{
	s2_u64 end = 1ULL << s2_scenario.ipa_bits;

	s2_lock(S2_LOCK_SLOTS, 0);
	ask_for(slot, end);
	ask_for(slot, end + PAGE);
	s2_unlock(S2_LOCK_SLOTS, 0);
	return 0;
}
