/* The configurations that a search has been to. */
#ifndef STAGE2FUZZ_CONFIGS_H
#define STAGE2FUZZ_CONFIGS_H

#include <stddef.h>
#include <stdint.h>
#include "linkage.h"

struct config {
	uint64_t key;
	/* One more than its place on the search's path of open components; 0: on none. */
	uint32_t open;
	/* The fewest preemptions with which it was reached. */
	uint32_t spent;
};

S2_OWN void reset_configs(void);
/* The configuration of a key, made where there is none, which *fresh says; NULL where that would
 * take more memory than `bytes`. The place moves when another one is made. */
S2_OWN struct config *config_of(uint64_t key, size_t bytes, int *fresh);
S2_OWN size_t config_bytes(void);

#endif
