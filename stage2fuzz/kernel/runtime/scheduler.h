/* Threads, what each waits for, and who runs. */
#ifndef STAGE2FUZZ_SCHEDULER_H
#define STAGE2FUZZ_SCHEDULER_H

#include <stdint.h>
#include "abi.h"
#include "assertion.h"
#include "coroutine.h"
#include "seam.h"

#define S2_FOREVER (1 << 30)

/* What a blocked thread waits for; it is not enabled until that holds. */
enum s2_wait {
	S2_RUNNABLE, S2_FOR_LOCK, S2_FOR_LOCK_SHARED, S2_FOR_PAGE, S2_FOR_NOTIFIERS,
	S2_FOR_READERS, S2_FOR_SILENCE
};

struct s2_thread {
	struct s2_coroutine coroutine;
	int ended;
	enum s2_wait wait;
	int wait_name;
	int pending_kind;
	int64_t pending_where;
	/* The one fault or host operation under way. */
	int reader_epoch, rcu_depth, locks_held, sparse, call;
	/* Teardown waits for it. */
	int in_ioctl;
	int injected, signalled, skipped;
	/* The stage 2 that its guest is translated by: the VM's own, or a shadow, whose number is
	 * in the bits above an address. */
	s2_u64 root, tree;
	int start_level;
	/* Faults of the access under way. */
	int faults;
	s2_u64 fault_granule, fault_address;
	s2_u64 pinned_ipa, pinned_address;
	int pinned, pins_host_page;
};

struct s2_sched {
	/* The running thread (-1: none; store buffers come after all threads), the points that it
	 * may still pass, and was granted. */
	int current, left, granted;
	int steps, threads, yielded, preemptions;
	/* Set-up and teardown follow no schedule; set-up records nothing, either. */
	int alone, silent;
	enum s2_call_end ended;
	uint32_t enabled;
	/* A question to whoever drives the run from outside, and the answer of that or a
	 * strategy. */
	int asked_current, asked_options, answer_thread, answer_points;
	struct s2_thread thread[S2_THREADS];
	struct s2_coroutine hub;
};

extern struct s2_sched s2_sched;

/* The running thread. */
static inline struct s2_thread *running_thread(void)
{
	S2_ASSERT((unsigned)s2_sched.current < S2_THREADS, s2_sched.current);
	return &s2_sched.thread[s2_sched.current];
}

static inline int current_enabled(void)
{
	return s2_sched.current >= 0 && (s2_sched.enabled >> s2_sched.current & 1);
}

/* Threads as at the start of a run of `threads` of them; their stacks are kept. */
S2_OWN void reset_threads(int threads);
S2_OWN uint32_t enabled_threads(void);
/* Decide who runs next: a thread, or -1 if the run is over. */
S2_OWN int decide(void);
/* Whether the run is over: nobody can go on, or a limit was reached. */
S2_OWN int exhausted(void);
/* Take the answer of a strategy, or of whoever drives from outside: the thread that runs. */
S2_OWN int apply_answer(void);
/* Write down what the running thread passed since it was let run. */
S2_OWN void close_run(void);
/* The last event of a run that ended by itself, and how it ended. */
S2_OWN void record_end(void);
/* Leave `from` for the next thread; `me` is the number of that thread, where it may go on. */
S2_OWN void run_next(struct s2_coroutine *from, int me);
/* The running thread has no points left: who runs next? */
S2_OWN void dispatch(void);
/* Block the running thread until what it waits for holds. */
S2_OWN void wait_for(enum s2_wait what, int name, int kind, int64_t where);
/* The vCPU re-enters the guest. */
S2_OWN void yield(void);
/* Give the run up: it goes over a limit. */
S2_OWN void give_up(int limit) __attribute__((noreturn));

#endif
