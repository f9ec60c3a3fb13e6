/* Which tree a table page belongs to, and what EL2 maps of memory. */
#ifndef STAGE2FUZZ_EL2_TREES_H
#define STAGE2FUZZ_EL2_TREES_H

#include "el2_seam.h"
#include "linkage.h"

/* The TREE_* whose page `entry` lies in, 0 for a table that is not linked. */
S2_OWN int tree_of(const volatile void *entry);
/* An entry of `tree` changed: a table that it links is of that tree from now on. */
S2_OWN void note_entry(int tree, s2_u64 old, s2_u64 value);
/* Find out what belongs to whom after set-up, or after a VM came or went. */
S2_OWN void note_trees(void);
S2_OWN void note_guest_tree(int vm);
S2_OWN void keep_trees(void);
S2_OWN void restore_trees(void);
/* EL2 touches memory: an event where its stage 1 has it not. */
S2_OWN void check_access(const void *at, int store);

#endif
