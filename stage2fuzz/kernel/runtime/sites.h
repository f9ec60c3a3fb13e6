/* Where in the code each event of a run came from; noted only where somebody asked for it. */
#ifndef STAGE2FUZZ_SITES_H
#define STAGE2FUZZ_SITES_H

#include <stdint.h>
#include "abi.h"

/* An event more than a run may fill is the one that says so. */
#define S2_EVENTS 65536

struct s2_sites {
	int on;
	/* Of each event the stack above it, innermost first: offsets into the library, 0 at its
	 * end. */
	uint32_t stack[S2_EVENTS + 1][S2_DEPTH];
	/* Of the plain store whose event is still to be recorded. */
	uint32_t plain[S2_DEPTH];
};

extern struct s2_sites s2_sites;

/* Fill `stack` with where the running code is now. */
S2_OWN void note_stack(uint32_t *stack);

#endif
