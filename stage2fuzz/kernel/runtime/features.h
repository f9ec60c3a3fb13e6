/* Interleaving features of a run. */
#ifndef STAGE2FUZZ_FEATURES_H
#define STAGE2FUZZ_FEATURES_H

#include <stdint.h>
#include "linkage.h"

/* Add the last run's features to `counters`. */
S2_OWN void count_features(uint8_t *counters);
/* How many features `counters` show that no call showed before. */
S2_OWN int new_features(const uint8_t *counters);

#endif
