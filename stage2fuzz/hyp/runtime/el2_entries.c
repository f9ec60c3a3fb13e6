/* EL2's accesses: table entries and page states are steps and events, other memory is noted. */
#include <string.h>
#include "el2_locks.h"
#include "el2_trees.h"
#include "machine.h"
#include "observe.h"
#include "record.h"
#include "sites.h"
#include "scheduler.h"
#include "step.h"
#include "walks.h"

static inline int quiet(void)
{
	return s2_sched.silent || s2_sched.current < 0;
}

static int held_now(void)
{
	return (int)(el2_held.mask[s2_sched.current] << S2_HELD_SHIFT);
}

static void note_store(const volatile void *entry, s2_u64 old, s2_u64 value)
{
	int tree = tree_of(entry);

	note_entry(tree, old, value);
	el2_changes++;
	s2_record(S2_TABLE_STORE, (int64_t)s2_pa(entry), (int64_t)old, (int64_t)value,
		  tree | held_now());
}

s2_u64 s2_entry_load(const volatile void *entry)
{
	if (!quiet())
		s2_point(S2_LOAD, (int64_t)s2_pa(entry));
	return *(const volatile s2_u64 *)entry;
}

void s2_entry_store(volatile void *entry, s2_u64 value, int order)
{
	volatile s2_u64 *at = entry;
	s2_u64 old;

	(void)order;
	if (!quiet())
		s2_point(S2_TABLE_STORE, (int64_t)s2_pa(entry));
	mark_written(entry, 8);
	old = *at;
	*at = value;
	if (!quiet())
		note_store(entry, old, value);
}

s2_u64 s2_entry_cmpxchg(volatile void *entry, s2_u64 expected, s2_u64 value)
{
	volatile s2_u64 *at = entry;
	s2_u64 old;

	if (!quiet())
		s2_point(S2_TABLE_STORE, (int64_t)s2_pa(entry));
	old = *at;
	if (old != expected)
		return old;
	mark_written(entry, 8);
	*at = value;
	if (!quiet())
		note_store(entry, old, value);
	return old;
}

s2_u64 s2_entry_xchg(volatile void *entry, s2_u64 value)
{
	s2_u64 old = *(volatile s2_u64 *)entry;

	s2_entry_store(entry, value, S2_ORDER_CAS);
	return old;
}

/* A plain store of a page's state, now that it is known what it wrote. */
S2_OWN void record_plain(void)
{
	volatile s2_u64 *at = s2_log.plain_entry;
	s2_u64 old = s2_log.plain_old, value = *at;
	struct el2_state before, after;
	int64_t pfn;

	s2_log.plain_entry = NULL;
	if (old == value)
		return;
	before = el2_unpack(old);
	after = el2_unpack(value);
	if (before.host == after.host && before.hyp == after.hyp && before.count == after.count)
		return;
	el2_changes++;
	pfn = (int64_t)(((unsigned long)at - S2_EL2_PAGE_STATES) / 8);
	s2_record(S2_PAGE_STATE, page_number((s2_u64)pfn << 12), packed(before), packed(after),
		  (int)el2_held.mask[s2_sched.current]);
}

static void plain_load(const void *at)
{
	if (in_states(at)) {
		if (!quiet())
			s2_point(S2_PAGE_STATE, (int64_t)((unsigned long)at >> 3));
	} else if (in_memory(at) && !quiet()) {
		s2_log.plain_loads++;
		check_access(at, 0);
	}
}

static void plain_store(void *at, unsigned long size)
{
	if (in_memory(at)) {
		mark_written(at, size);
		if (!quiet())
			check_access(at, 1);
	} else if (in_states(at) && !quiet()) {
		s2_point(S2_PAGE_STATE, (int64_t)((unsigned long)at >> 3));
		s2_log.plain_entry = (volatile s2_u64 *)((unsigned long)at & ~7UL);
		s2_log.plain_old = *s2_log.plain_entry;
	}
}

/* Both spellings of compiler instrumentation: clang's trace-loads, and -fsanitize=thread. */
#define ANNOUNCED(n) \
	void __sanitizer_cov_load##n(void *at) { plain_load(at); } \
	void __sanitizer_cov_store##n(void *at) { plain_store(at, n); } \
	void __tsan_read##n(void *at) { plain_load(at); } \
	void __tsan_write##n(void *at) { plain_store(at, n); } \
	void __tsan_volatile_read##n(void *at) { plain_load(at); } \
	void __tsan_volatile_write##n(void *at) { plain_store(at, n); } \
	void __tsan_unaligned_read##n(void *at) { plain_load(at); } \
	void __tsan_unaligned_write##n(void *at) { plain_store(at, n); } \
	void __tsan_read_write##n(void *at) { plain_load(at); plain_store(at, n); }
ANNOUNCED(1) ANNOUNCED(2) ANNOUNCED(4) ANNOUNCED(8) ANNOUNCED(16)
void __tsan_func_entry(void *at) { (void)at; }
void __tsan_func_exit(void) {}
void __tsan_init(void) {}
void __tsan_read_range(void *at, unsigned long size) { (void)size; plain_load(at); }
void __tsan_write_range(void *at, unsigned long size) { plain_store(at, size); }

/* What EL2 clears, through its own stage 1 where it is mapped for the moment only. */
void *s2_memset(void *at, int value, unsigned long size)
{
	char *to = at;

	if (s2_log.plain_entry)
		record_plain();
	if (!in_memory(at) && (s2_u64)at >= S2_EL2_PRIVATE && (s2_u64)at < S2_EL2_PAGE_STATES) {
		s2_u64 physical = hyp_translation((s2_u64)at);

		if (!physical) {
			s2_record(S2_HYP_ACCESS, -1, 0, 0, 1);
			return at;
		}
		to = (char *)s2_va(physical);
	} else if (in_memory(at) && !quiet()) {
		check_access(at, 1);
	}
	if (in_memory(to))
		mark_written(to, size);
	return memset(to, value, size);
}

void s2_barrier(int kind)
{
	if (!quiet())
		s2_point(S2_DSB, kind);
}

void s2_dsb(const char *domain)
{
	(void)domain;
	s2_barrier(S2_DSB_ISH);
}

void s2_isb(void) {}

void s2_cache_maintenance(const void *at, unsigned long size)
{
	(void)at;
	(void)size;
	s2_barrier(0);
}

void s2_warn(int code)
{
	if (!el2_machine.warnings++) {
		int noted = s2_sites.on;

		note_stack(el2_machine.warned_at);
		s2_sites.on = noted;
	}
	if (!quiet())
		s2_record(S2_WARN, 0, 0, 0, code);
}
