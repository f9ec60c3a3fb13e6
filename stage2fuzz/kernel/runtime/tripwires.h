/* Tripwires: crude and cheap signs that a run is worth judging first. */
#ifndef STAGE2FUZZ_TRIPWIRES_H
#define STAGE2FUZZ_TRIPWIRES_H

#include "linkage.h"

/* The tripwires of the last run, a bit each. */
S2_OWN int tripped_wires(void);

#endif
