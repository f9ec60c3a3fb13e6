/* Which guest each PE's TLBIs are for: VTTBR_EL2's VMID, and HCR_EL2.TGE. */
#ifndef STAGE2FUZZ_REGIME_H
#define STAGE2FUZZ_REGIME_H

#include "abi.h"
#include "seam.h"

/* What a register holds, and what the last context synchronisation made sure of. */
struct s2_register {
	s2_u64 written, in_effect;
};

struct s2_regime {
	struct s2_register vttbr[S2_THREADS], hcr[S2_THREADS];
};

extern struct s2_regime s2_regime;

S2_OWN void reset_regime(void);
/* The VMID that a TLBI of the running thread is for: the old one until an ISB. */
S2_OWN int vmid_in_effect(int stage1_only);
/* An ISB, or an exception's entry or return: the running thread's registers are in effect. */
S2_OWN void synchronise_context(void);

#endif
