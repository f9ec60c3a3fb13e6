/* What dependent events meet at: the last writer of a place, and its readers since. */
#include <string.h>
#include "machine.h"

#define PLACES 8192

/* Places that are no address: entries and pages have their own. */
enum { OF_LOCKS = 1, OF_SEQUENCE = 16, OF_BACKING, OF_TLB, OF_SLOTS, OF_DIRTY };

struct place {
	uint64_t key, writer, readers;
	uint64_t leaf;
	uint32_t stamp;
};

static struct place places[PLACES];
static uint32_t stamp;

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
