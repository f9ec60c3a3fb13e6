/* Locks, which block in the scheduler. What kernel code calls is in seam.h. */
#ifndef STAGE2FUZZ_LOCKS_H
#define STAGE2FUZZ_LOCKS_H

#include "linkage.h"

/* Those of EL2, one of each guest included. */
#define S2_LOCKS 24

struct s2_lock {
	/* The thread that holds it exclusively (-1: none), and how many share it. */
	int writer, readers;
};

extern struct s2_lock s2_locks[S2_LOCKS];

S2_OWN void reset_locks(void);
/* Whether a taker of the lock need not wait. */
S2_OWN int is_lock_free(int name, int shared);
/* What lockdep asks at the return to user space: the running thread's fault or operation is over.
 */
S2_OWN void check_nothing_held(void);

#endif
