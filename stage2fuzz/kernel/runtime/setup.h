/* The virtual machine of a scenario. */
#ifndef STAGE2FUZZ_SETUP_H
#define STAGE2FUZZ_SETUP_H

#include "linkage.h"
#include "scheduler.h"
#include "tables.h"

struct s2_vm {
	/* The first root page of stage 2 and of hyp stage 1 (0: none), how many they are
	 * together. */
	s2_u64 root, hyp_root;
	int start_level, roots;
	/* The tables are still there; no barrier came after the zeros of the root pages. */
	int mapped, zeros_late;
};

extern struct s2_vm s2_vm;

/* The entry of the root of a thread's stage 2 that translates `ipa`. */
static inline s2_u64 root_entry(const struct s2_thread *of, s2_u64 ipa)
{
	return of->root + ipa / granule(of->start_level) * 8;
}

/* Make it; execute.h has what else becomes of it. */
S2_OWN void set_up_vm(void);

#endif
