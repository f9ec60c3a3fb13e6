/* A vCPU: the running thread's accesses, one after another. */
#ifndef STAGE2FUZZ_GUEST_H
#define STAGE2FUZZ_GUEST_H

#include "linkage.h"

/* Faults that one access takes at most; a search may allow fewer. */
extern int s2_most_faults;

S2_OWN void vcpu_body(void);

#endif
