/* What dependent events meet at.
 *
 * An event comes to a place from one side, the other, or both, and depends on all that came from
 * the side that it is not on. Readers are on one side and writers on both, so readers commute.
 * What commutes with its kind but not with another (two stores to two entries, but a store and the
 * TLBI that may cover it) takes one side each.
 */
#ifndef STAGE2FUZZ_PLACES_H
#define STAGE2FUZZ_PLACES_H

#include <stdint.h>
#include "linkage.h"

enum { ONE = 1, OTHER = 2, BOTH = 3, READS = ONE, WRITES = BOTH };

/* Places that are no address: entries and pages have their own. */
enum { OF_SEQUENCE = 1, OF_HOST, OF_TLB, OF_TREE, OF_READERS, OF_NAMES };

struct place {
	uint64_t key, one, other, leaf;
	uint32_t stamp;
};

/* Start with places that nobody came to. */
S2_OWN void forget_places(void);
S2_OWN struct place *place_of(uint64_t key);

static inline uint64_t mix(uint64_t a, uint64_t b)
{
	a ^= b + 0x9E3779B97F4A7C15ULL + (a << 6) + (a >> 2);
	a *= 0xBF58476D1CE4E5B9ULL;
	return a ^ (a >> 29);
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

#endif
