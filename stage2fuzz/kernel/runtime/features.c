/* Interleaving features of a run: what stage2fuzz/fuzz/features.py counts, number for number.
 *
 * The events stay where they are, so a run costs a tenth of what the Python side would take.
 */
#include <string.h>
#include "features.h"
#include "places.h"
#include "record.h"
#include "scheduler.h"

#define COUNTERS S2_FEATURE_COUNTERS
#define BUCKETS 8

/* Labels of the table of events (stage2fuzz/events.py). */
enum { BY_NOTHING, BY_ENTRY, BY_WHERE, BY_SEQUENCE, BY_TLB };

#define FEATURE(kind, code, label) [kind] = { code, BY_##label },

/* The row of each kind; the code of those that make no feature is 0. */
static const struct { uint8_t code, label; } feature_of[S2_KINDS] = { S2_FEATURES(FEATURE) };

static uint8_t seen_features[COUNTERS];

static int value_class(uint64_t pte)
{
	if (!(pte & S2_PTE_VALID))
		return pte != 0;
	if ((pte & S2_PTE_TYPE) == S2_PTE_TYPE && !(pte & S2_PTE_AF) && !(pte & S2_PTE_READ))
		return 2;
	return 4 + !!(pte & S2_PTE_WRITE) + 2 * !!(pte & S2_PTE_XN) + 4 * !!(pte & S2_PTE_AF) +
	       8 * !!(pte & S2_PTE_TABLE);
}

static void bump(uint8_t *counters, uint64_t number)
{
	uint8_t *counter = &counters[(number ^ number >> 15) & (COUNTERS - 1)];

	*counter += *counter < 255;
}

/* The code of an event that touches a place, 0 for the others; `where` is that place. */
static uint64_t located(const struct s2_event *event, int64_t *where)
{
	uint64_t code = feature_of[event->kind].code;
	int label = feature_of[event->kind].label;

	*where = event->where;
	if (label == BY_ENTRY)
		return code | (uint64_t)value_class((uint64_t)event->new_) << 5;
	if (label >= BY_SEQUENCE)
		*where = BY_WHERE - label; /* -1 or -2: no address */
	return code;
}

struct feature_thread {
	uint64_t doing;
	int faults;
};

/* How the thread's fault or call goes: what no place shows. */
static void count_progress(const struct s2_event *event, struct feature_thread *me,
			   uint8_t *counters)
{
	uint64_t aux = (uint64_t)event->aux;

	switch (event->kind) {
	case S2_FAULT:
		me->faults++;
		me->doing = (uint64_t)event->old | (uint64_t)event->new_ << 3 | aux << 5;
		bump(counters, 0x3A7 + me->doing * 0x61 +
				       (me->faults < 8 ? me->faults : 8) * 0x1F3ULL);
		break;
	case S2_CALL:
		me->doing = 0x80 + (aux & S2_CALL_CODE) + (aux >> S2_CALL_PROT_SHIFT << 6);
		break;
	case S2_RETURN: case S2_RESUME:
		bump(counters, 0x5D1 + ((uint64_t)event->new_ & 0x7F) * 0x95 + me->doing * 0x2B);
		break;
	case S2_DEADLOCK: case S2_LIMIT:
		bump(counters, 0x7F1 + (uint64_t)event->kind * 0x107 + aux);
		break;
	}
}

/* Add the last run's features to `counters`. */
S2_OWN void count_features(uint8_t *counters)
{
	struct feature_thread threads[S2_THREADS + 1];

	memset(threads, 0, sizeof(threads));
	forget_places();
	for (int i = 0; i < s2_log.events_count; i++) {
		const struct s2_event *event = &s2_log.events[i];
		struct feature_thread *me = &threads[event->thread + 1];
		uint64_t label, thread = (uint64_t)event->thread + 2;
		struct place *place;
		int64_t where;

		label = located(event, &where);
		if (!label) {
			count_progress(event, me, counters);
			continue;
		}
		label |= me->doing << 10;
		place = place_of((uint64_t)where);
		if (place->one && place->one != thread)
			bump(counters, place->other * 0x9E3B + label * 0x85EB);
		place->one = thread;
		place->other = label;
	}
}

static int bucket_of(int count)
{
	static const int edges[] = { 2, 3, 4, 8, 16, 32, 128 };
	int bucket = 0;

	while (bucket < BUCKETS - 1 && count >= edges[bucket])
		bucket++;
	return bucket;
}

/* How many features `counters` show that no call showed before (feature_set() says which). */
S2_OWN int new_features(const uint8_t *counters)
{
	int found = 0;

	for (int i = 0; i < COUNTERS; i += 8) {
		uint64_t eight;

		memcpy(&eight, counters + i, 8);
		for (int j = i; eight; j++, eight >>= 8) {
			uint8_t bit = (uint8_t)(1u << bucket_of((int)(eight & 255)));

			if (!(eight & 255) || seen_features[j] & bit)
				continue;
			seen_features[j] |= bit;
			found++;
		}
	}
	return found;
}

S2_PUBLIC void s2_count_features(uint8_t *counters)
{
	count_features(counters);
}
