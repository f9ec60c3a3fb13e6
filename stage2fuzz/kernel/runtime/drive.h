/* Driving a run: how threads get on and off their stacks, which execute.h need not know. */
#ifndef STAGE2FUZZ_DRIVE_H
#define STAGE2FUZZ_DRIVE_H

#include "coroutine.h"
#include "linkage.h"

/* Make `one` begin `with` that, on a stack that it gets if it has none. */
S2_OWN void prepare(struct s2_coroutine *one, void (*with)(void));
/* Run `what` outside any thread of the scenario, on the first one's stack, until back_to_hub(). */
S2_OWN void run_alone(void (*what)(void));
S2_OWN void back_to_hub(void);
/* The running thread has done all it had to do; this returns to nobody. */
S2_OWN void end_thread(void) __attribute__((noreturn));

#endif
