/* What each CPU's TLB holds of stage 2, by VMID; nothing leaves it but by a TLBI. */
#ifndef STAGE2FUZZ_EL2_TLB_H
#define STAGE2FUZZ_EL2_TLB_H

#include "el2_seam.h"
#include "linkage.h"
#include "walks.h"

#define EL2_TLB_ENTRIES 16

struct el2_translation {
	int valid, level, write;
	s2_s64 vmid;
	s2_u64 ipa, address;
};

struct el2_tlb {
	struct el2_translation entry[S2_CPUS][EL2_TLB_ENTRIES];
	int used[S2_CPUS];
	/* The VMID in VTTBR_EL2. */
	s2_s64 vmid[S2_CPUS];
};

extern struct el2_tlb el2_tlb;

S2_OWN void reset_el2_tlb(void);
S2_OWN int tlb_holds(int cpu, s2_s64 vmid, s2_u64 ipa, int write, s2_u64 *address);
S2_OWN void tlb_fill(int cpu, s2_s64 vmid, s2_u64 ipa, const struct el2_walk *walk);

#endif
