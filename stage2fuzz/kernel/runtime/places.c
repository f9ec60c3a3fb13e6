/* What dependent events meet at.
 *
 * An event comes to a place from one side, the other, or both, and depends on all that came from
 * the side that it is not on. Readers are on one side and writers on both, so readers commute.
 * What commutes with its kind but not with another (two stores to two entries, but a store and the
 * TLBI that may cover it) takes one side each.
 */
#include <string.h>
#include "machine.h"

#define PLACES 8192

enum { ONE = 1, OTHER = 2, BOTH = 3, READS = ONE, WRITES = BOTH };

/* Places that are no address: entries and pages have their own. */
enum { OF_SEQUENCE = 1, OF_HOST, OF_TLB, OF_TREE, OF_READERS, OF_NAMES };

struct place {
	uint64_t key, one, other, leaf;
	uint32_t stamp;
};

static struct place places[PLACES], named[OF_NAMES];
static uint32_t stamp;

static inline uint64_t mix(uint64_t a, uint64_t b)
{
	a ^= b + 0x9E3779B97F4A7C15ULL + (a << 6) + (a >> 2);
	a *= 0xBF58476D1CE4E5B9ULL;
	return a ^ (a >> 29);
}

static inline struct place *fresh(struct place *place, uint64_t key)
{
	if (place->stamp != stamp) {
		memset(place, 0, sizeof(*place));
		place->stamp = stamp;
		place->key = key;
	}
	return place;
}

static struct place *place_of(uint64_t key)
{
	uint32_t at = (uint32_t)((key * 0x9E3779B97F4A7C15ULL) >> 51) & (PLACES - 1);

	if (key < OF_NAMES)
		return fresh(&named[key], key);
	for (int tries = 0; tries < 64; tries++, at = (at + 1) & (PLACES - 1))
		if (places[at].stamp != stamp || places[at].key == key)
			return fresh(&places[at], key);
	/* Too many places: sharing one only makes classes finer. */
	return &places[at];
}

/* What `side` of a place depends on. */
static inline uint64_t seen_from(const struct place *place, int side)
{
	return (side & ONE ? place->other : 0) + (side & OTHER ? place->one * 3 : 0);
}

static inline void leave_mark(struct place *place, int side, uint64_t hash)
{
	if (side & ONE)
		place->one += hash;
	if (side & OTHER)
		place->other += hash;
}
