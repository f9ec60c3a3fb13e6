/* One run from set-up to teardown. */
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

#endif
