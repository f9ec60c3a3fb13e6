/* A vCPU: the running thread's accesses, one after another. */
#ifndef STAGE2FUZZ_GUEST_H
#define STAGE2FUZZ_GUEST_H

#include "linkage.h"

S2_OWN void vcpu_body(void);

#endif
