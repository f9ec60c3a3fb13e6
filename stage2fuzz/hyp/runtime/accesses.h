/* Accesses of the host and of guests, through the TLB and stage 2. */
#ifndef STAGE2FUZZ_EL2_ACCESSES_H
#define STAGE2FUZZ_EL2_ACCESSES_H

#include "el2_seam.h"
#include "linkage.h"

enum { ACCESS_DONE, ACCESS_ABSENT, ACCESS_FORBIDDEN };

/* What came of one access of CPU `cpu`: ACCESS_*. */
S2_OWN int host_uses(int cpu, s2_u64 address, int write);
S2_OWN int guest_uses(int cpu, s2_u64 ipa, int write);
/* The first word of what a protected guest writes; no other word has it. */
S2_OWN s2_u64 secret_of(int vm);

#endif
