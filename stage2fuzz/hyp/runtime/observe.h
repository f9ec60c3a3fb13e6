/* What EL2's states and tables say, looked at where no lock guards a change that is under way. */
#ifndef STAGE2FUZZ_EL2_OBSERVE_H
#define STAGE2FUZZ_EL2_OBSERVE_H

#include "el2_seam.h"
#include "linkage.h"

/* A page's states as one number of events. */
static inline int64_t packed(struct el2_state state)
{
	return state.host | state.hyp << S2_STATE_HYP_SHIFT |
	       (int64_t)state.count << S2_STATE_COUNT_SHIFT;
}

/* Changes of states, tables and TLBs in this run: nobody need look again while there is none. */
extern int el2_changes;

S2_OWN void reset_observation(void);
/* The locks that guard states are all free: what changed since the last time is recorded. */
S2_OWN void observe(void);
/* This CPU releases a guest's lock: what it leaves in the entry that its call is about. */
S2_OWN void note_entry_left(int vm);
/* A VM was taken down: its tables are no tree any more. */
S2_OWN void forget_guest(int vm);
/* The VMID of a VM that is there. */
S2_OWN s2_s64 vmid_of(int handle);

#endif
