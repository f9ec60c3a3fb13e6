/* The table of places, emptied by a new stamp. */
#include <string.h>
#include "places.h"

#define PLACES 8192

static struct place places[PLACES], named[OF_NAMES];
static uint32_t stamp;

S2_OWN void forget_places(void)
{
	stamp++;
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

S2_OWN struct place *place_of(uint64_t key)
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
