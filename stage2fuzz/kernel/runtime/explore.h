/* Many schedules of one scenario. */
#ifndef STAGE2FUZZ_EXPLORE_H
#define STAGE2FUZZ_EXPLORE_H

#include <stdint.h>
#include "abi.h"
#include "linkage.h"

/* Run a schedule as far as it goes, then fairly to the end. */
S2_OWN void follow_schedule(const int32_t *runs, int count, const int32_t *choices, int chosen);
/* Find out how long the scenario's runs are, before the first seed of it. */
S2_OWN void estimate_length(void);
S2_OWN void run_seed(uint64_t seed);
/* What the judge says of the last run, not 0 where somebody else has to look at it. */
S2_OWN int asked(s2_judge judge, int lasso);

#endif
