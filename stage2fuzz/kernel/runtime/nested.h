/* A guest hypervisor (L1): its stage-2 tables, what it does to them, and vCPUs of its guests. */
#ifndef STAGE2FUZZ_NESTED_H
#define STAGE2FUZZ_NESTED_H

#include "linkage.h"
#include "seam.h"

#define S2_SHADOWS (2 * (S2_MAX_VCPUS + S2_MAX_HOST_THREADS))

struct s2_nested {
	/* Shadow MMUs, and of each the root and the VTTBR_EL2 of L1 that it is for (0: none). */
	int shadows;
	s2_u64 root[S2_SHADOWS], bound[S2_SHADOWS];
	/* L1's leaf entries that are not what they were at first, each of one guest's page. */
	int changes;
	struct { s2_u64 ipa, entry; int guest; } change[S2_MAX_HOST_THREADS * S2_MAX_HOST_OPS];
};

extern struct s2_nested s2_nested;

/* What the scenario has of it; after the VM's own MMU, before hyp's. Root pages that were taken. */
S2_OWN int set_up_nested(void);
S2_OWN void describe_nested(void);
/* The running vCPU begins to run the guest that has `ipa`, enters it, and stops. */
S2_OWN void load_guest(s2_u64 ipa);
S2_OWN void enter_guest(void);
S2_OWN void put_guest(void);
/* An operation of L1; whether it is one. */
S2_OWN int is_of_hypervisor(int op);
S2_OWN void operate_hypervisor(int op, s2_u64 ipa, s2_u64 size);

#endif
