/* RCU: readers, and frees that wait for them. What kernel code calls is in seam.h. */
#ifndef STAGE2FUZZ_RCU_H
#define STAGE2FUZZ_RCU_H

#include <stdint.h>
#include "linkage.h"

#define S2_DEFERRED 64

struct s2_rcu {
	int deferred_count;
	void *deferred[S2_DEFERRED];
	void (*deferred_callback[S2_DEFERRED])(void *);
	/* The threads that were readers when it was deferred, and still are. */
	uint32_t deferred_readers[S2_DEFERRED];
};

extern struct s2_rcu s2_rcu;

S2_OWN void reset_rcu(void);

#endif
