/* The guard against wild kernel code: a signal or a loop without end becomes a CRASH event. */
#ifndef STAGE2FUZZ_GUARD_H
#define STAGE2FUZZ_GUARD_H

#include "linkage.h"

struct s2_guard {
	/* A thread's stack is in use, so that kernel code runs. */
	volatile int inside;
	/* A signal ended the run. */
	volatile int crashed;
};

extern struct s2_guard s2_guard;

/* Have the signals come here, before runs begin; say between runs that there is progress. */
S2_OWN void begin_guard(void);
S2_OWN void guard_progress(void);

#endif
