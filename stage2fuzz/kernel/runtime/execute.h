/* One run from set-up to teardown, of whichever machine the library has. */
#ifndef STAGE2FUZZ_EXECUTE_H
#define STAGE2FUZZ_EXECUTE_H

#include "abi.h"

/* Set the machine up and stop before the first decision; 0 where not even that could be done. */
S2_OWN int begin_run(void);
/* Run to the end with a strategy of our own. */
S2_OWN void execute(void);
/* The two parts of that: until all threads have ended, and the teardown, where there is one. */
S2_OWN void execute_threads(void);
S2_OWN void finish_run(void);
/* Begin a run that is driven from outside, and go on with an answer: how it stands, an
 * s2_call_end. */
S2_OWN int start_external(void);
S2_OWN int resume_external(int answer_thread, int answer_points);
/* As that, but where all threads have ended the teardown is left to finish_run(). */
S2_OWN int step_external(int answer_thread, int answer_points);

/* Run kernel code outside any thread of the scenario: on the first one's stack, since the hub's
 * belongs to the caller and has no guard of ours. It may leave early, from any depth. */
S2_OWN void run_alone(void (*what)(void));
S2_OWN void leave_alone(void) __attribute__((noreturn));

/* What a machine brings: to be as it is before a run's first decision (0: it can't), to say so in
 * events, to run the program of a thread, and to take everything down. */
S2_OWN int prepare_machine(void);
S2_OWN void describe_machine(void);
S2_OWN void run_program(int thread);
S2_OWN void end_machine(void);

#endif
