/* MMU notifiers: the host moves, protects and ages pages, and stage 2 must follow. */
#ifndef STAGE2FUZZ_NOTIFIER_H
#define STAGE2FUZZ_NOTIFIER_H

#include "hostpages.h"

/* Tell the glue the count of invalidations, and the sequence: what it was, as kernel code may have
 * moved it on, too, and so many more. */
S2_OWN void publish_sequence(int moved);
/* Host operations on a range of a slot, by its original addresses: their result. */
S2_OWN int move(struct s2_slot *slot, s2_u64 first, s2_u64 size);
S2_OWN int invalidate(struct s2_slot *slot, s2_u64 first, s2_u64 size, int may_block);
S2_OWN int protect(struct s2_slot *slot, s2_u64 first, s2_u64 size);
S2_OWN int unprotect(struct s2_slot *slot, s2_u64 first, s2_u64 size);
S2_OWN int munmap_range(struct s2_slot *slot, s2_u64 first, s2_u64 size);
S2_OWN int mmap_range(struct s2_slot *slot, s2_u64 first, s2_u64 size);
S2_OWN int share(struct s2_slot *slot, s2_u64 first, s2_u64 size);
/* A lookup for writing meets a shared page: copy it, as the thread that wants it. */
S2_OWN void copy_page(struct s2_slot *slot, s2_u64 ipa);
S2_OWN int thp_split(struct s2_slot *slot, s2_u64 first);
S2_OWN int thp_collapse(struct s2_slot *slot, s2_u64 first);
S2_OWN int change_pte(struct s2_slot *slot, s2_u64 first);
S2_OWN int age(struct s2_slot *slot, s2_u64 first, s2_u64 size);
S2_OWN int test_young(struct s2_slot *slot, s2_u64 first);

#endif
