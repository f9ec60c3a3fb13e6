/* A run's class: what an oracle could tell apart of it. */
#ifndef STAGE2FUZZ_FOLD_H
#define STAGE2FUZZ_FOLD_H

#include <stdint.h>
#include "linkage.h"

/* The class of the last run, never 0; of one that may hold a `lasso`, told by all its events. */
S2_OWN uint64_t fold(int lasso);
/* The same of a run so far, without the rounds of a fault that asked for another try and changed
 * nothing: what a configuration's past means to the oracles. */
S2_OWN uint64_t fold_effect(void);

#endif
