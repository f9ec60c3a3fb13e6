/* The run: threads, scheduling points, the event list. Shared by the runtime's own files only. */
#ifndef STAGE2FUZZ_MACHINE_H
#define STAGE2FUZZ_MACHINE_H

#include <stdint.h>
#include <stddef.h>
#include "seam.h"
#include "coroutine.h"

#define S2_THREADS (S2_MAX_VCPUS + S2_MAX_HOST_THREADS)
#define S2_EVENTS 65536
#define S2_RUNS 32768
#define S2_MAX_STEPS 20000
#define S2_FOREVER (1 << 30)
#define S2_LOCKS 8
#define S2_CHANGES 4
#define S2_ISSUED 64
#define S2_PUBLIC __attribute__((visibility("default")))

struct s2_event {
	int16_t kind, thread;
	int32_t aux;
	int64_t where, old, new_;
};

struct s2_run {
	int32_t thread, points;
};

/* What a blocked thread waits for; it is not enabled until that holds. */
enum s2_wait {
	S2_RUNNABLE, S2_FOR_LOCK, S2_FOR_LOCK_SHARED, S2_FOR_PAGE, S2_FOR_NOTIFIERS,
	S2_FOR_READERS, S2_FOR_SILENCE
};

struct s2_thread {
	struct s2_coroutine coroutine;
	int begun, ended;
	enum s2_wait wait;
	int wait_name;
	int pending_kind;
	int64_t pending_where;
	/* The one fault or host operation under way. */
	int reader_epoch, rcu_depth, sparse, leaving, call;
	int injected, signalled;
	s2_u64 fault_granule, fault_ipa;
	s2_u64 pinned_ipa, pinned_address;
	int pinned, pins_host_page;
};

struct s2_lock {
	int writer, readers;
};

enum s2_ended { S2_END_FINISHED, S2_END_DEADLOCK, S2_END_LIMIT, S2_END_CRASH, S2_ASK, S2_ASK_CHOICE };

/* How the next thread is chosen. */
enum s2_strategy { S2_REPLAY, S2_EXTERNAL, S2_RANDOM, S2_PRIORITY, S2_BREAKER };

/* Where PCT lowers the running thread's priority, and to what. */
struct s2_change {
	int step, priority;
};

/* How a run left the schedule that it was told to follow; the order of replay.py's MISMATCHES. */
enum s2_mismatch { S2_FOLLOWED, S2_STOPPED_EARLY, S2_COULD_NOT_RUN, S2_NO_SUCH_CHOICE,
		   S2_RUN_UNUSED, S2_CHOICE_UNUSED };

/* The first mismatch: which run or choice it was, and the numbers that tell what happened. */
struct s2_divergence {
	enum s2_mismatch how;
	int at, number, limit;
};

struct s2_slot {
	s2_u64 first, end;
	int pages, backing, flags, skewed, exists;
	/* The dirty bitmap, sparse: the set bits in the order in which they were set. */
	int dirty_count;
	s2_u64 dirty[64];
};

struct s2_host_page {
	s2_u64 unit, address;
	int host, slot, locked;
};

struct s2_access {
	int kind;
	int64_t page;
};

struct s2_host_op {
	int op;
	int64_t page, pages;
};

struct s2_scenario {
	int ipa_bits, tlb, hardware_af, dic, fwb, cache_pages, failing_topup, teardown;
	int slots, vcpus, hosts, host_pages;
	struct { int pages, backing, readonly, logging, skewed; } slot[S2_MAX_SLOTS];
	struct { int accesses; struct s2_access access[S2_MAX_ACCESSES]; } vcpu[S2_MAX_VCPUS];
	struct { int ops; struct s2_host_op op[S2_MAX_HOST_OPS]; } host[S2_MAX_HOST_THREADS];
	struct { int64_t page; int host; } host_page[S2_MAX_HOST_PAGES];
};

/* A TLBI that no DSB has completed yet. */
struct s2_issued {
	s2_u64 first, size;
	int broadcast;
};

struct s2_machine {
	int current, left, granted, steps, threads, yielded, preemptions, alone, silent, ended;
	struct s2_thread thread[S2_THREADS];
	struct s2_coroutine hub;
	struct s2_lock lock[S2_LOCKS];
	int events_count, runs_count, choices_count, overflow;
	struct s2_event events[S2_EVENTS];
	struct s2_run runs[S2_RUNS];
	int32_t choices[S2_RUNS];
	/* Strategies. */
	enum s2_strategy strategy;
	const int32_t *replay_runs, *replay_choices;
	int replay_runs_count, replay_choices_count, replay_at, chosen_at, following;
	struct s2_divergence diverged;
	s2_u64 random;
	int longest, priority[S2_THREADS], changes, lowest, length_estimate;
	struct s2_change change[S2_CHANGES];
	uint32_t enabled_before, intruders;
	/* A question to whoever drives the run from outside. */
	uint32_t enabled;
	int asked_current, asked_options, answer_thread, answer_points;
	/* A plain store whose new value is known only when the thread next enters the runtime. */
	volatile s2_u64 *plain_entry;
	s2_u64 plain_old;
	/* The virtual machine. */
	struct s2_scenario scenario;
	struct s2_slot slot[S2_MAX_SLOTS];
	struct s2_host_page host_page[64];
	int host_pages, generation, topups, slots_epoch;
	s2_s64 sequence, invalidations;
	int mapped, loads_seen, plain_loads;
	s2_u64 root, hyp_root;
	int start_level, roots;
	int next_page, free_count, peak_page;
	int free_pages[S2_PAGES];
	void *deferred[64];
	void (*deferred_callback[64])(void *);
	uint32_t deferred_readers[64];
	int deferred_count;
	struct s2_issued issued[S2_THREADS][S2_ISSUED];
	int issued_count[S2_THREADS];
	s2_u64 walking[S2_THREADS];
	/* A thread's stack is in use, so that kernel code runs. */
	volatile int inside;
	volatile int crashed;
};

extern struct s2_machine s2;

void s2_dispatch(void);
void s2_record_plain(void);
int s2_choose(int options);
void s2_wait_for(enum s2_wait what, int name, int kind, int64_t where);
void s2_yield(void);
void s2_give_up(int limit) __attribute__((noreturn));

static inline void s2_record(int kind, int64_t where, int64_t old, int64_t new_, int aux)
{
	struct s2_event *event = &s2.events[s2.events_count];

	if (__builtin_expect(s2.plain_entry != NULL, 0))
		s2_record_plain(), event = &s2.events[s2.events_count];
	if (__builtin_expect(s2.silent, 0))
		return;
	if (__builtin_expect(s2.events_count >= S2_EVENTS - 64, 0)) {
		s2.overflow = 1;
		return;
	}
	event->kind = (int16_t)kind;
	event->thread = (int16_t)s2.current;
	event->aux = aux;
	event->where = where;
	event->old = old;
	event->new_ = new_;
	s2.events_count++;
}

/* A scheduling point before the shared step (kind, where) of the running thread. */
static inline void s2_point(int kind, int64_t where)
{
	if (__builtin_expect(s2.plain_entry != NULL, 0))
		s2_record_plain();
	if (!s2.left) {
		s2.thread[s2.current].pending_kind = kind;
		s2.thread[s2.current].pending_where = where;
		s2_dispatch();
	}
	s2.left--;
}

static inline s2_u64 s2_pa(const volatile void *address)
{
	return (s2_u64)((const volatile char *)address - s2_arena) + S2_TABLE_BASE;
}

static inline s2_u64 *s2_va(s2_u64 address)
{
	return (s2_u64 *)(s2_arena + (address - S2_TABLE_BASE));
}

static inline s2_u64 granule(int level)
{
	return 1ULL << (12 + 9 * (3 - level));
}

/* The root entry that translates `ipa`. */
static inline s2_u64 s2_root_entry(s2_u64 ipa)
{
	return s2.root + ipa / granule(s2.start_level) * 8;
}

/* window.c */
void s2_window_write(s2_u64 location, s2_u64 old, s2_u64 value);
/* tlb.c, walk.c */
void s2_dsb_ish(void);
int s2_translate(s2_u64 ipa, int kind, int *level, s2_u64 *address);
/* pages.c */
void s2_memory_reset(void);
/* hostpages.c, hostthread.c, guest.c */
struct s2_slot *s2_slot_of(s2_u64 ipa);
void s2_host_body(void);
void s2_vcpu_body(void);
/* setup.c */
void s2_vm_reset(void);
void s2_describe(void);
void s2_run_teardown(void);
/* execute.c */
void s2_execute(void);
int s2_begin(void);
int s2_resume(int answer_thread, int answer_points);
int s2_start_external(void);
/* strategy.c */
void s2_strategy_random(s2_u64 seed);
/* guard.c */
void s2_guard_begin(void);
void s2_guard_progress(void);

#endif
