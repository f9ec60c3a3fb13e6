/* Tripwires: crude and cheap signs that a run is worth judging; they never judge it. */
#include "machine.h"

#define IN_PLACE (1ULL << 6 | 1ULL << 7 | 1ULL << 10 | 1ULL << 51 | 0x1FULL << 54)
#define PERMISSIONS (1ULL << 6 | 1ULL << 7 | 1ULL << 54)
#define XN (1ULL << 54)
#define OUTPUT 0x0000FFFFFFFFF000ULL
#define MANY_FAULTS 10

enum {
	TRIP_BREAK = 1, TRIP_DOWNGRADE = 2, TRIP_WARN = 4, TRIP_END = 8, TRIP_LEAK = 16,
	TRIP_FLUSH = 32, TRIP_STUCK = 64,
};

static int is_leaf(uint64_t entry, uint64_t at)
{
	/* At the last level a leaf looks like a table; a leaf has R, W or AF, a table never. */
	(void)at;
	return (entry & 1) && (!(entry & 2) || (entry & (PERMISSIONS | 1ULL << 10)));
}

static int lost_permission(uint64_t before, uint64_t after)
{
	return (((before ^ XN) & ~(after ^ XN)) & PERMISSIONS) != 0;
}

static int trip_store(const struct s2_event *event, struct thread_state *me)
{
	struct place *place = place_of((uint64_t)event->where | 1);
	uint64_t old = (uint64_t)event->old, new_ = (uint64_t)event->new_;
	int trips = 0;

	if ((old & 1) && (new_ & 1) && ((old ^ new_) & ~IN_PLACE))
		trips |= TRIP_BREAK;
	if ((old & 1) && !(new_ & 1)) {
		me->cleared = 1;
		me->flushed = 0;
		if (is_leaf(old, 0))
			place->leaf = old;
	}
	if (is_leaf(new_, 0) && me->call == S2_CALL_MAP) {
		uint64_t before = is_leaf(old, 0) ? old : place->leaf;

		if (before && !((before ^ new_) & OUTPUT) && lost_permission(before, new_))
			trips |= TRIP_DOWNGRADE;
	}
	if (is_leaf(new_, 0) && me->call == S2_CALL_RELAX && lost_permission(old, new_))
		trips |= TRIP_DOWNGRADE;
	if (is_leaf(new_, 0) || me->call == S2_CALL_UNMAP || me->call == S2_CALL_WRPROTECT)
		place->leaf = new_ & 1 ? new_ : 0;
	return trips;
}

static int trip(const struct s2_event *event, struct thread_state *me)
{
	switch (event->kind) {
	case S2_STORE:
		return trip_store(event, me);
	case S2_CALL:
		me->call = event->aux & 0xFF;
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
