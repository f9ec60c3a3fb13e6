/* Stores to table entries that nobody but their own CPU sees yet.
 *
 * Where the scenario has pending stores, each CPU keeps its stores in a buffer, and each buffer is
 * one more that may be scheduled: it then makes one store visible. What a barrier, a release, a
 * compare-and-exchange and an unlock mean to it is as in stage2fuzz/model/machine/memory.py.
 *
 * Memory holds what everybody sees, and while a thread runs kernel code its own pending values over
 * that, so that plain loads of compiled code need not be told.
 */
#ifndef STAGE2FUZZ_STOREBUFFER_H
#define STAGE2FUZZ_STOREBUFFER_H

#include "abi.h"
#include "linkage.h"
#include "scenario.h"
#include "seam.h"

/* Stores that a CPU may have pending; one more makes the oldest visible. */
#define S2_BUFFERED 64

struct s2_buffered_store {
	/* NULL: what follows becomes visible after what stands before. */
	volatile s2_u64 *at;
	/* `covered`: what memory holds for everybody, while `value` is shown to its own CPU. */
	s2_u64 value, covered;
	s2_s64 order;
};

struct s2_storebuffers {
	/* The thread whose stores memory shows at the moment, or -1. */
	int shown;
	int count[S2_THREADS];
	struct s2_buffered_store store[S2_THREADS][S2_BUFFERED];
};

extern struct s2_storebuffers s2_storebuffers;

S2_OWN void reset_storebuffers(void);
/* The running thread has just written `value` over `old`. */
S2_OWN void buffer_store(volatile s2_u64 *at, s2_u64 old, s2_u64 value, int order);
/* Whatever the running thread stores from now on becomes visible after what it stored before. */
S2_OWN void order_stores(void);
/* Make all stores of the running thread visible, in order; those to one page, where it has any. */
S2_OWN void empty_storebuffer(void);
S2_OWN void empty_storebuffer_of(const void *page);
/* Memory as everybody sees it, or as the running thread does. */
S2_OWN int hide_shown_stores(void);
S2_OWN void show_own_stores(void);
/* The buffers that hold a store, as bits above those of the threads. */
S2_OWN uint32_t waiting_storebuffers(void);
/* The buffer that was chosen makes as many stores visible as it was granted points. */
S2_OWN void drain_storebuffer(void);
/* The same, where whoever drives from outside chooses which: 1 where he is asked. */
S2_OWN int drain_from_outside(int is_answer);
/* What a search keeps of them. */
S2_OWN void storebuffer_pieces(void (*with)(void *at, size_t size));

/* Whether something was shown. */
static inline int hide_stores(void)
{
	return s2_scenario.pending_stores && hide_shown_stores();
}

#endif
