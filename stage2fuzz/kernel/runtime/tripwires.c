/* Tripwires: crude and cheap signs that a run is worth judging first; they never judge it. */
#include <string.h>
#include "pages.h"
#include "places.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "setup.h"
#include "tripwires.h"

#define MANY_FAULTS 10

enum {
	TRIP_BREAK = 1, TRIP_DOWNGRADE = 2, TRIP_WARN = 4, TRIP_END = 8, TRIP_LEAK = 16,
	TRIP_FLUSH = 32, TRIP_STUCK = 64,
};

struct trip_thread {
	int call, faults, cleared, flushed;
};

/* At the last level a leaf looks like a table; a leaf has R, W or AF, a table never. */
static int is_leaf(uint64_t entry)
{
	return (entry & 1) && (!(entry & 2) || (entry & (S2_PTE_PERMISSIONS | S2_PTE_AF)));
}

static int lost_permission(uint64_t before, uint64_t after)
{
	return (((before ^ S2_PTE_XN) & ~(after ^ S2_PTE_XN)) & S2_PTE_PERMISSIONS) != 0;
}

static int trip_store(const struct s2_event *event, struct trip_thread *me)
{
	struct place *place = place_of((uint64_t)event->where | 1);
	uint64_t old = (uint64_t)event->old, new_ = (uint64_t)event->new_;
	int trips = 0;

	if ((old & 1) && (new_ & 1) && ((old ^ new_) & ~S2_PTE_IN_PLACE))
		trips |= TRIP_BREAK;
	if ((old & 1) && !(new_ & 1)) {
		me->cleared = 1;
		me->flushed = 0;
		if (is_leaf(old))
			place->leaf = old;
	}
	if (is_leaf(new_) && me->call == S2_CALL_MAP) {
		uint64_t before = is_leaf(old) ? old : place->leaf;

		if (before && !((before ^ new_) & S2_PTE_ADDRESS) && lost_permission(before, new_))
			trips |= TRIP_DOWNGRADE;
	}
	if (is_leaf(new_) && me->call == S2_CALL_RELAX && lost_permission(old, new_))
		trips |= TRIP_DOWNGRADE;
	if (is_leaf(new_) || me->call == S2_CALL_UNMAP || me->call == S2_CALL_WRPROTECT)
		place->leaf = new_ & 1 ? new_ : 0;
	return trips;
}

static int trip(const struct s2_event *event, struct trip_thread *me)
{
	switch (event->kind) {
	case S2_STORE:
		return trip_store(event, me);
	case S2_CALL:
		me->call = event->aux & S2_CALL_CODE;
		me->cleared = 0;
		return 0;
	case S2_TLBI:
		me->flushed = 1;
		return 0;
	case S2_RETURN:
		if (event->aux == S2_CALL_UNMAP && me->cleared && !me->flushed)
			return TRIP_FLUSH;
		me->call = 0;
		return 0;
	case S2_FAULT:
		return ++me->faults >= MANY_FAULTS ? TRIP_STUCK : 0;
	case S2_ACCESS:
		me->faults = 0;
		return 0;
	case S2_WARN:
		return TRIP_WARN;
	case S2_DEADLOCK: case S2_LIMIT: case S2_CRASH:
		return TRIP_END;
	}
	return 0;
}

/* The tripwires of the last run. */
S2_OWN int tripped_wires(void)
{
	struct trip_thread threads[S2_THREADS + 1];
	int trips = 0;

	memset(threads, 0, sizeof(threads));
	forget_places();
	for (int i = 0; i < s2_log.events_count; i++)
		trips |= trip(&s2_log.events[i], &threads[s2_log.events[i].thread + 1]);
	if (s2_scenario.teardown && s2_sched.ended == S2_END_FINISHED)
		for (int i = s2_vm.roots; i < s2_memory.next_page; i++)
			if (s2_page_table[i].live)
				trips |= TRIP_LEAK;
	return trips;
}
