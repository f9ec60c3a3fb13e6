/* Who holds which of EL2's locks. */
#ifndef STAGE2FUZZ_EL2_LOCKS_H
#define STAGE2FUZZ_EL2_LOCKS_H

#include "abi.h"
#include "numbers.h"

/* Those under which states and translations change. */
#define STATE_LOCKS \
	(1u << S2_LOCK_HOST_STAGE2 | 1u << S2_LOCK_HYP_STAGE1 | \
	 ((1u << S2_MAX_EL2_VMS) - 1) << S2_LOCK_GUEST)

struct el2_held {
	/* Of each CPU, and of all together: bit LOCK_*. */
	unsigned mask[S2_THREADS], all;
};

extern struct el2_held el2_held;

S2_OWN void reset_held(void);

#endif
