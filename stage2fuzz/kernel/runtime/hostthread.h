/* A thread of the host: its operations, one after another. */
#ifndef STAGE2FUZZ_HOSTTHREAD_H
#define STAGE2FUZZ_HOSTTHREAD_H

#include "linkage.h"

S2_OWN void host_body(void);

#endif
