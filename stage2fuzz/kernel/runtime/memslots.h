/* Memslot changes: the dirty log switched on and off, read and cleared; deletion. */
#ifndef STAGE2FUZZ_MEMSLOTS_H
#define STAGE2FUZZ_MEMSLOTS_H

#include "hostpages.h"

/* Tell the glue what a slot is now. */
S2_OWN void publish_slot(const struct s2_slot *slot);
/* Host operations: 0 or a negative error number. */
S2_OWN int log_enable(struct s2_slot *slot);
/* A log begins: empty, or with all bits set. */
S2_OWN void begin_log(struct s2_slot *slot);
S2_OWN int log_disable(struct s2_slot *slot);
/* The range is that of the host's pages, as their slot lay at first. */
S2_OWN int harvest(struct s2_slot *slot, s2_u64 first, s2_u64 size, int by_clear);
S2_OWN int slot_delete(struct s2_slot *slot);
S2_OWN int slot_create(struct s2_slot *slot);
S2_OWN int slot_move(struct s2_slot *slot);
S2_OWN int slot_limit(struct s2_slot *slot);

#endif
