/* A guest that turns its caches off and on again, and cleans them by set and way. */
#ifndef STAGE2FUZZ_CACHES_H
#define STAGE2FUZZ_CACHES_H

#include "linkage.h"

/* Host operations: the running thread is the vCPU that does it. */
S2_OWN int switch_caches(int on);

#endif
