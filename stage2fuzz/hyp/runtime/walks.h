/* The hardware's walks of EL2's trees, which pass no scheduling point. */
#ifndef STAGE2FUZZ_EL2_WALKS_H
#define STAGE2FUZZ_EL2_WALKS_H

#include "el2_seam.h"
#include "linkage.h"

#define EL2_ADDRESS 0xfffffffff000UL
/* AF, or software bits: no table descriptor has one. */
#define EL2_LEAF_OF_LAST_LEVEL (1UL << 10)
/* Where EL2's private mappings begin. */
#define S2_EL2_PRIVATE 0x400000000000UL

/* A translation: whether there is one, the entry, its level, and the address. */
struct el2_walk {
	int valid, level;
	s2_u64 entry, address;
};

/* `root` may be concatenated tables; none: 0. */
S2_OWN struct el2_walk walk_stage2(s2_u64 root, s2_u64 ipa);
/* Through EL2's stage 1; 0 where it has nothing there. */
S2_OWN s2_u64 hyp_translation(s2_u64 va);
/* Whether a write goes through. */
S2_OWN int may_write(const struct el2_walk *walk);

#endif
