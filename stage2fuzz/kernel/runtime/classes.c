/* Which classes of runs were seen, in a table that grows with them. */
#include <stdlib.h>
#include <string.h>
#include "assertion.h"
#include "classes.h"

#define FEWEST_CLASSES (1UL << 16)
/* 1 GiB; a process that has seen more than three quarters of this counts anew. */
#define MOST_CLASSES (1UL << 27)

static struct {
	uint64_t *slot;
	size_t slots, used;
	int64_t restarts;
} classes;

/* The slot that holds `class`, or the empty one where it belongs. */
static uint64_t *slot_of(uint64_t class)
{
	size_t at = (size_t)(class ^ class >> 32) & (classes.slots - 1);

	while (classes.slot[at] && classes.slot[at] != class)
		at = (at + 1) & (classes.slots - 1);
	return &classes.slot[at];
}

static void grow(void)
{
	uint64_t *before = classes.slot;
	size_t slots = classes.slots, more = slots ? 2 * slots : FEWEST_CLASSES;
	uint64_t *new_ = more > MOST_CLASSES ? NULL : calloc(more, sizeof(*new_));

	if (!new_) {
		S2_ASSERT(before, more);
		memset(before, 0, slots * sizeof(*before));
		classes.used = 0;
		classes.restarts++;
		return;
	}
	classes.slot = new_;
	classes.slots = more;
	for (size_t at = 0; at < slots; at++)
		if (before[at])
			*slot_of(before[at]) = before[at];
	free(before);
}

S2_OWN int64_t take_restarts(void)
{
	int64_t restarts = classes.restarts;

	classes.restarts = 0;
	return restarts;
}

/* Whether the class is new. */
S2_OWN int remember(uint64_t class)
{
	uint64_t *slot;

	if (classes.used >= classes.slots / 4 * 3)
		grow();
	slot = slot_of(class);
	if (*slot)
		return 0;
	*slot = class;
	classes.used++;
	return 1;
}
