/* TLB maintenance that no DSB has completed, and walks under way. */
#ifndef STAGE2FUZZ_TLB_H
#define STAGE2FUZZ_TLB_H

#include "abi.h"
#include "seam.h"

#define S2_ISSUED 64
/* A walk that a completed TLBI makes start again. */
#define S2_WALK_AGAIN (~0ULL)

struct s2_issued {
	s2_u64 first, size;
	int broadcast;
};

struct s2_tlb {
	/* The IPA that each thread's walk is for; 0 while it does not walk. */
	s2_u64 walking[S2_THREADS];
	int issued_count[S2_THREADS];
	struct s2_issued issued[S2_THREADS][S2_ISSUED];
};

extern struct s2_tlb s2_tlb;

/* One TLBI; `size` is 0 for one page, `level` -1 without a hint. */
struct s2_tlbi {
	int operation, vmid, level, broadcast, last_level;
	s2_u64 ipa, size;
};

S2_OWN void reset_tlb(void);
/* The running thread issues a TLBI; nothing goes before its DSB. */
S2_OWN void issue_tlbi(struct s2_tlbi *tlbi);
/* A DSB of the running thread: ISH completes all its TLBIs, NSH those of this PE alone. */
S2_OWN void complete_tlbis(int kind);

#endif
