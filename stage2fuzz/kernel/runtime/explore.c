/* Many schedules of one scenario: each run is folded into its class, and few go to the oracles.
 *
 * Two runs that differ only in the order of independent steps are one Mazurkiewicz trace, so the
 * hash sums one term an event, made of what the event is, of its thread's previous event and of the
 * last event it depends on. Tripwires are crude and cheap; they only choose runs, never judge them.
 */
#include <string.h>
#include "machine.h"

#define PLACES 8192
#define CLASSES (1 << 20)
#define IN_PLACE (1ULL << 6 | 1ULL << 7 | 1ULL << 10 | 1ULL << 51 | 0x1FULL << 54)
#define PERMISSIONS (1ULL << 6 | 1ULL << 7 | 1ULL << 54)
#define XN (1ULL << 54)
#define OUTPUT 0x0000FFFFFFFFF000ULL
#define MANY_FAULTS 10

void s2_strategy_random(s2_u64 seed);
void s2_guard_progress(void);

enum {
	TRIP_BREAK = 1, TRIP_DOWNGRADE = 2, TRIP_WARN = 4, TRIP_END = 8, TRIP_LEAK = 16,
	TRIP_FLUSH = 32, TRIP_STUCK = 64, TRIP_DIRTY = 128,
};

/* Places that are no address: entries and pages have their own. */
enum { OF_LOCKS = 1, OF_SEQUENCE = 16, OF_BACKING, OF_TLB, OF_SLOTS, OF_DIRTY };

struct place {
	uint64_t key, writer, readers;
	uint64_t leaf;
	uint32_t stamp;
};

static struct place places[PLACES];
static uint32_t stamp;
static uint64_t classes[CLASSES];
static uint32_t classes_count;
/* Where a parent process reads which seed was running when this one died. */
static volatile uint64_t nowhere, *running = &nowhere;

static inline uint64_t mix(uint64_t a, uint64_t b)
{
	a ^= b + 0x9E3779B97F4A7C15ULL + (a << 6) + (a >> 2);
	a *= 0xBF58476D1CE4E5B9ULL;
	return a ^ (a >> 29);
}

static struct place *place_of(uint64_t key)
{
	uint32_t at = (uint32_t)((key * 0x9E3779B97F4A7C15ULL) >> 51) & (PLACES - 1);

	for (int tries = 0; tries < 64; tries++, at = (at + 1) & (PLACES - 1)) {
		struct place *place = &places[at];

		if (place->stamp != stamp) {
			memset(place, 0, sizeof(*place));
			place->stamp = stamp;
			place->key = key;
			return place;
		}
		if (place->key == key)
			return place;
	}
	/* Too many places: sharing one only makes classes finer. */
	return &places[at];
}

struct thread_state {
	uint64_t hash;
	int call, faults, cleared, flushed;
};

static uint64_t follow(uint64_t seen, uint64_t key, int writes)
{
	const struct place *place = place_of(key);

	return mix(seen, writes ? place->writer + place->readers : place->writer);
}

static void leave_mark(uint64_t key, int writes, uint64_t hash)
{
	struct place *place = place_of(key);

	if (writes) {
		place->writer = hash;
		place->readers = 0;
	} else {
		place->readers += hash;
	}
}

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

/* Whether the class is new; when the table is three quarters full it starts afresh. */
static int remember(uint64_t class)
{
	uint32_t at = (uint32_t)(class >> 40) & (CLASSES - 1);

	while (classes[at]) {
		if (classes[at] == class)
			return 0;
		at = (at + 1) & (CLASSES - 1);
	}
	if (classes_count >= CLASSES / 4 * 3) {
		memset(classes, 0, sizeof(classes));
		classes_count = 0;
		at = (uint32_t)(class >> 40) & (CLASSES - 1);
	}
	classes[at] = class;
	classes_count++;
	return 1;
}

S2_PUBLIC void s2_forget_classes(void)
{
	memset(classes, 0, sizeof(classes));
	classes_count = 0;
}

/* The fair run says how long runs are; priority change points are drawn from that. */
static void estimate_length(void)
{
	s2.strategy = S2_REPLAY;
	s2.replay_runs_count = s2.replay_choices_count = 0;
	s2_execute();
	s2.length_estimate = s2.steps > 8 ? s2.steps : 8;
}

S2_PUBLIC void s2_watch(volatile uint64_t *place)
{
	running = place;
}

static void run_seed(uint64_t seed)
{
	*running = seed;
	s2_strategy_random(seed);
	s2_execute();
	s2_guard_progress();
}

/* The run of one seed; a pure function of scenario and seed. */
S2_PUBLIC int s2_run_seed(uint64_t seed)
{
	s2_guard_begin();
	estimate_length();
	run_seed(seed);
	s2_guard_end();
	return s2.ended;
}

/* Class and tripwires of the last run. */
S2_PUBLIC uint64_t s2_class(int *trips)
{
	return fold(trips);
}

/* Run seeds `seed` .. `seed + count - 1`; write (seed, class, trips) of those worth judging, those
 * with a tripwire before those of a new class. `figures`: runs, new classes, tripped, steps. Ends
 * early after a crash, since memory may be damaged. */
S2_PUBLIC int s2_explore(uint64_t seed, int64_t count, uint64_t *kept, int room, int64_t *figures)
{
	int used = 0, tripped = 0;
	int64_t run;

	memset(figures, 0, 5 * sizeof(*figures));
	s2_guard_begin();
	estimate_length();
	for (run = 0; run < count; run++) {
		uint64_t class;
		int trips, fresh;

		if (run && s2.crashed)
			break;
		run_seed(seed + (uint64_t)run);
		class = fold(&trips);
		fresh = remember(class);
		figures[1] += fresh;
		figures[2] += trips != 0;
		figures[3] += s2.steps;
		figures[4] += s2.preemptions;
		if (!fresh)
			continue;
		if (used == room && trips && tripped < room)
			used--;
		if (used == room)
			continue;
		if (trips && tripped < used) {
			memmove(kept + 3 * (tripped + 1), kept + 3 * tripped,
				24UL * (unsigned long)(used - tripped));
			kept[3 * tripped] = seed + (uint64_t)run;
			kept[3 * tripped + 1] = class;
			kept[3 * tripped + 2] = (uint64_t)trips;
		} else {
			kept[3 * used] = seed + (uint64_t)run;
			kept[3 * used + 1] = class;
			kept[3 * used + 2] = (uint64_t)trips;
		}
		tripped += trips != 0;
		used++;
	}
	s2_guard_end();
	figures[0] = run;
	return used;
}

/* As many runs as `count`, with neither classes nor tripwires: what the engine alone can do. */
S2_PUBLIC int64_t s2_bare(uint64_t seed, int64_t count)
{
	int64_t steps = 0;

	s2_guard_begin();
	estimate_length();
	for (int64_t run = 0; run < count; run++) {
		run_seed(seed + (uint64_t)run);
		steps += s2.steps;
	}
	s2_guard_end();
	return steps;
}
