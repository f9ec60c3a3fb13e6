/* A run's Mazurkiewicz class: what is left of it when independent steps have no order.
 *
 * Two runs that differ only in the order of independent steps are one trace, so the hash sums one
 * term an event, made of what the event is, of its thread's previous event and of the last event
 * it depends on.
 */
#include <string.h>
#include "machine.h"

/* What an event touches: its place, whether it writes it, and the table page of an entry. */
static uint64_t touched(const struct s2_event *event, int *writes, uint64_t *page)
{
	*writes = 1;
	*page = 0;
	switch (event->kind) {
	case S2_LOAD: case S2_WALK: case S2_CAS_FAIL:
		*writes = 0;
		/* fall through */
	case S2_STORE: case S2_HARDWARE_AF:
		*page = (uint64_t)event->where & ~4095ULL;
		return (uint64_t)event->where | 1;
	case S2_ALLOC: case S2_ZERO: case S2_FREE: case S2_FREE_DEFERRED: case S2_GET: case S2_PUT:
		return (uint64_t)event->where;
	case S2_LOCK: case S2_UNLOCK:
		*writes = !event->aux;
		return OF_LOCKS + (uint64_t)event->where;
	case S2_SEQ_READ: case S2_RETRY:
		*writes = 0;
		return OF_SEQUENCE;
	case S2_INVALIDATE_BEGIN: case S2_INVALIDATE_END:
		return OF_SEQUENCE;
	case S2_PIN:
		*writes = 0;
		return OF_BACKING;
	case S2_BACKING:
		return OF_BACKING;
	case S2_FAULT:
		*writes = 0;
		return OF_SLOTS;
	case S2_SLOT:
		return OF_SLOTS;
	case S2_MARK_DIRTY: case S2_CLEAR_DIRTY: case S2_REPORT:
		return OF_DIRTY;
	case S2_ACCESS:
		*writes = 0;
		return OF_TLB;
	case S2_TLBI:
		return OF_TLB;
	case S2_DSB:
		*writes = event->aux == S2_DSB_ISH || event->aux == S2_DSB_NSH;
		return OF_TLB;
	case S2_RETURN:
		*writes = event->aux == S2_CALL_UNMAP || event->aux >= S2_CALL_LOG_ENABLE;
		return *writes ? OF_TLB : 0;
	}
	return 0;
}

/* The class of the last run, and its tripwires. */
static uint64_t fold(int *trips)
{
	struct thread_state threads[S2_THREADS + 1];
	uint64_t sum = 0;

	memset(threads, 0, sizeof(threads));
	stamp++;
	*trips = 0;
	for (int i = 0; i < s2.events_count; i++) {
		const struct s2_event *event = &s2.events[i];
		struct thread_state *me = &threads[event->thread + 1];
		uint64_t page, hash, key;
		int writes;

		*trips |= trip(event, me);
		key = touched(event, &writes, &page);
		hash = mix(me->hash, (uint64_t)event->kind << 32 | (uint32_t)event->aux);
		hash = mix(hash, (uint64_t)event->where * 31 + (uint64_t)event->old);
		hash = mix(hash, (uint64_t)event->new_ * 31 + (uint64_t)event->thread);
		if (key)
			hash = follow(hash, key, writes);
		if (page)
			hash = follow(hash, page, 0);
		if (key)
			leave_mark(key, writes, hash);
		if (page)
			leave_mark(page, 0, hash);
		me->hash = hash;
		sum += hash;
	}
	if (s2.scenario.teardown && s2.ended == S2_END_FINISHED)
		for (int i = s2.roots; i < s2.next_page; i++)
			if (s2_page_table[i].live)
				*trips |= TRIP_LEAK;
	return sum ? sum : 1;
}
