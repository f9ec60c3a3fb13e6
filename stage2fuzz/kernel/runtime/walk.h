/* The hardware's walk for one guest access. */
#ifndef STAGE2FUZZ_WALK_H
#define STAGE2FUZZ_WALK_H

#include "linkage.h"
#include "seam.h"

/* 0 or the fault, with the level of the entry and the address that it gives. */
S2_OWN int translate(s2_u64 ipa, int kind, int *level, s2_u64 *address);

#endif
