/* Allocation tags (MTE) of host pages: whose were initialised, and whose are just now. */
#ifndef STAGE2FUZZ_TAGS_H
#define STAGE2FUZZ_TAGS_H

#include "scheduler.h"
#include "seam.h"

#define S2_TAG_SPANS 64

struct s2_tags {
	/* Ranges of addresses whose pages have PG_mte_tagged, in the order in which they got it. */
	int spans;
	struct { s2_u64 first, end; } span[S2_TAG_SPANS];
	/* The first address that a thread has locked for tagging, 0: none. */
	s2_u64 locked[S2_THREADS];
};

extern struct s2_tags s2_tags;

S2_OWN void reset_tags(void);
/* Whether the VM has tags: the option, a tree that knows how, and VMAs that allow them. */
S2_OWN int has_tags(void);

#endif
