/* Who runs: decisions, replay, random strategies, blocking, and the guard against wild code. */
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include "machine.h"

struct s2_machine s2;

/* ---- which threads can go on ---- */

static int ready(const struct s2_thread *thread)
{
	const struct s2_lock *lock = &s2.lock[thread->wait_name];

	switch (thread->wait) {
	case S2_RUNNABLE:
		return 1;
	case S2_FOR_LOCK:
		return lock->writer < 0 && !lock->readers;
	case S2_FOR_LOCK_SHARED:
		return lock->writer < 0;
	case S2_FOR_READERS:
		for (int i = 0; i < s2.threads; i++)
			if (s2.thread[i].reader_epoch >= 0 &&
			    s2.thread[i].reader_epoch < thread->wait_name)
				return 0;
		return 1;
	case S2_FOR_SILENCE:
		for (int i = 0; i < s2.threads; i++)
			if (i < s2.scenario.vcpus ? !s2.thread[i].ended : s2.thread[i].busy)
				return 0;
		return 1;
	}
	return 1;
}

static uint32_t enabled_threads(void)
{
	uint32_t enabled = 0;

	for (int i = 0; i < s2.threads; i++) {
		const struct s2_thread *thread = &s2.thread[i];

		if (!thread->ended && (thread->wait == S2_RUNNABLE || ready(thread)))
			enabled |= 1u << i;
	}
	return enabled;
}

static void close_run(void)
{
	int done = s2.granted - s2.left;

	if (s2.current < 0)
		return;
	s2.steps += done;
	if (done) {
		if (s2.runs_count && s2.runs[s2.runs_count - 1].thread == s2.current) {
			s2.runs[s2.runs_count - 1].points += done;
		} else if (s2.runs_count < S2_RUNS) {
			s2.runs[s2.runs_count].thread = s2.current;
			s2.runs[s2.runs_count++].points = done;
		}
	}
	s2.granted = s2.left;
}

/* ---- strategies ---- */

static uint32_t next_random(void)
{
	s2_u64 x = s2.random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	s2.random = x;
	return (uint32_t)(x >> 24);
}

static int next_in_turn(void)
{
	for (int i = s2.current + 1; i < s2.threads; i++)
		if (s2.enabled >> i & 1)
			return i;
	return __builtin_ctz(s2.enabled);
}

static int current_enabled(void)
{
	return s2.current >= 0 && (s2.enabled >> s2.current & 1);
}

/* The rest of this run, the next run whose thread is enabled, or the fair end (Replay.next). */
static void choose_replay(void)
{
	if (s2.following) {
		if (s2.left) {
			if (s2.yielded) {
				s2.answer_thread = s2.current;
				s2.answer_points = s2.left;
				return;
			}
			s2.replay_diverged = 1;
		}
		while (s2.replay_at < s2.replay_runs_count) {
			int thread = s2.replay_runs[2 * s2.replay_at];
			int points = s2.replay_runs[2 * s2.replay_at++ + 1];

			if (thread < s2.threads && (s2.enabled >> thread & 1) && points > 0) {
				s2.answer_thread = thread;
				s2.answer_points = points;
				return;
			}
			s2.replay_diverged = 1;
		}
		s2.following = 0;
	}
	s2.answer_thread = !s2.yielded && current_enabled() ? s2.current : next_in_turn();
	s2.answer_points = S2_FOREVER;
}

static void choose_random(void)
{
	int pick = (int)(next_random() % (uint32_t)__builtin_popcount(s2.enabled));
	uint32_t rest = s2.enabled;

	while (pick--)
		rest &= rest - 1;
	s2.answer_thread = __builtin_ctz(rest);
	s2.answer_points = 1 + (int)(next_random() % (uint32_t)s2.longest);
}

/* PCT: the highest priority runs; at a change point, and at a yield, it becomes the lowest. */
static void choose_priority(void)
{
	int best = -1;

	while (s2.changes && s2.steps >= s2.change_points[s2.changes - 1]) {
		if (s2.current >= 0)
			s2.priority[s2.current] = --s2.lowest;
		s2.changes--;
	}
	if (s2.yielded)
		s2.priority[s2.current] = --s2.lowest;
	for (int i = 0; i < s2.threads; i++)
		if ((s2.enabled >> i & 1) && (best < 0 || s2.priority[i] > s2.priority[best]))
			best = i;
	s2.answer_thread = best;
	s2.answer_points = s2.changes ? s2.change_points[s2.changes - 1] - s2.steps : S2_FOREVER;
}

void s2_strategy_random(s2_u64 seed)
{
	s2.random = seed * 0x9E3779B97F4A7C15ULL + 0xD1B54A32D192ED03ULL;
	for (int i = 0; i < 3; i++)
		next_random();
	if (next_random() & 3) {
		s2.strategy = S2_RANDOM;
		s2.longest = 2 << (next_random() % 6);
		return;
	}
	s2.strategy = S2_PRIORITY;
	s2.lowest = 0;
	for (int i = 0; i < S2_THREADS; i++)
		s2.priority[i] = 1 + (int)(next_random() & 0xFFFFF);
	s2.changes = 1 + (int)(next_random() & 3);
	for (int i = 0; i < s2.changes; i++) {
		int point = 1 + (int)(next_random() % (uint32_t)s2.length_estimate), at = i;

		/* Kept in descending order, so that the last one is the next to come. */
		for (; at > 0 && s2.change_points[at - 1] < point; at--)
			s2.change_points[at] = s2.change_points[at - 1];
		s2.change_points[at] = point;
	}
}

int s2_choose(int options)
{
	int chosen = 0;

	if (options == 1 || s2.alone || s2.silent)
		return 0;
	if (s2.strategy == S2_EXTERNAL) {
		s2.asked_options = options;
		s2.ended = S2_ASK_CHOICE;
		s2_coroutine_switch(&s2.thread[s2.current].coroutine, &s2.hub);
		chosen = s2.answer_thread;
	} else if (s2.strategy == S2_REPLAY) {
		if (s2.chosen_at < s2.replay_choices_count)
			chosen = s2.replay_choices[s2.chosen_at++];
		if (chosen >= options)
			chosen = options - 1;
	} else {
		chosen = (int)(next_random() % (uint32_t)options);
	}
	if (s2.choices_count < S2_RUNS)
		s2.choices[s2.choices_count++] = chosen;
	return chosen;
}

/* ---- decisions ---- */

static int exhausted(void)
{
	return !s2.enabled || s2.steps > S2_MAX_STEPS || s2.overflow;
}

static int apply_answer(void)
{
	int chosen = s2.answer_thread;

	if (current_enabled() && !s2.yielded && chosen != s2.current)
		s2.preemptions++;
	s2.yielded = 0;
	s2.left = s2.granted = s2.answer_points;
	return chosen;
}

static int decide(void)
{
	close_run();
	s2.enabled = enabled_threads();
	if (exhausted())
		return -1;
	if (s2.strategy == S2_RANDOM)
		choose_random();
	else if (s2.strategy == S2_REPLAY)
		choose_replay();
	else
		choose_priority();
	return apply_answer();
}

static void record_end(void)
{
	int waiting = 0;

	for (int i = 0; i < s2.threads; i++)
		waiting |= (!s2.thread[i].ended) << i;
	if (!waiting) {
		s2.ended = S2_END_FINISHED;
	} else if (s2.steps > S2_MAX_STEPS || s2.overflow) {
		s2_record(S2_LIMIT, 0, 0, 0, S2_LIMIT_STEPS);
		s2.ended = S2_END_LIMIT;
	} else {
		s2_record(S2_DEADLOCK, 0, 0, 0, waiting);
		s2.ended = S2_END_DEADLOCK;
	}
}

static void run_next(struct s2_coroutine *from, int me)
{
	int chosen;

	if (s2.strategy == S2_EXTERNAL) {
		s2.ended = S2_ASK;
		s2_coroutine_switch(from, &s2.hub);
		return;
	}
	chosen = decide();
	if (chosen == me)
		return;
	if (chosen < 0) {
		record_end();
		s2_coroutine_switch(from, &s2.hub);
		return;
	}
	s2.current = chosen;
	s2_coroutine_switch(from, &s2.thread[chosen].coroutine);
}

void s2_dispatch(void)
{
	if (s2.alone || s2.silent) {
		s2.left = S2_FOREVER;
		return;
	}
	run_next(&s2.thread[s2.current].coroutine, s2.current);
}

/* The vCPU re-enters the guest: its pending step is the walk that begins there. */
void s2_yield(void)
{
	s2.yielded = 1;
	s2_dispatch();
}

void s2_wait_for(enum s2_wait what, int name, int kind, int64_t where)
{
	struct s2_thread *me = &s2.thread[s2.current];

	me->wait = what;
	me->wait_name = name;
	while (!ready(me)) {
		me->pending_kind = kind;
		me->pending_where = where;
		s2_dispatch();
	}
	me->wait = S2_RUNNABLE;
}

void s2_give_up(int limit)
{
	s2_record(S2_LIMIT, 0, 0, 0, limit);
	close_run();
	s2.ended = S2_END_LIMIT;
	s2_coroutine_switch(&s2.thread[s2.current].coroutine, &s2.hub);
	__builtin_unreachable();
}

void s2_bug(void)
{
	s2_record(S2_WARN, 0, 0, 0, S2_WARN_BUG);
	close_run();
	s2.ended = S2_END_CRASH;
	s2_coroutine_switch(&s2.thread[s2.current].coroutine, &s2.hub);
	__builtin_unreachable();
}

/* ---- locks ---- */

/* A taker is enabled only while the lock is free, and the point it passes is the acquisition. */
void s2_lock(int name, int shared)
{
	struct s2_lock *lock = &s2.lock[name];
	struct s2_thread *me = &s2.thread[s2.current];

	if (!name || s2.silent)
		return;
	if (s2.plain_entry)
		s2_record_plain();
	if (!s2.left || lock->writer >= 0 || (!shared && lock->readers)) {
		me->wait = shared ? S2_FOR_LOCK_SHARED : S2_FOR_LOCK;
		me->wait_name = name;
		me->pending_kind = S2_LOCK;
		me->pending_where = name;
		s2_dispatch();
		me->wait = S2_RUNNABLE;
	}
	s2.left--;
	if (shared)
		lock->readers++;
	else
		lock->writer = s2.current;
	s2_record(S2_LOCK, name, 0, 0, shared);
}

void s2_unlock(int name, int shared)
{
	if (!name || s2.silent)
		return;
	s2_point(S2_UNLOCK, name);
	if (shared)
		s2.lock[name].readers--;
	else
		s2.lock[name].writer = -1;
	s2_record(S2_UNLOCK, name, 0, 0, shared);
}

int s2_lock_contended(int name)
{
	for (int i = 0; i < s2.threads; i++)
		if (!s2.thread[i].ended && i != s2.current && s2.thread[i].wait_name == name &&
		    (s2.thread[i].wait == S2_FOR_LOCK || s2.thread[i].wait == S2_FOR_LOCK_SHARED))
			return 1;
	return 0;
}

void s2_slots_read_lock(void)
{
	if (!s2.silent)
		s2.thread[s2.current].reader_epoch = s2.slots_epoch;
}

void s2_slots_read_unlock(void)
{
	if (!s2.silent)
		s2.thread[s2.current].reader_epoch = -1;
}

/* ---- one run ---- */

static void body(void)
{
	int me = s2.current;

	s2.left--; /* to begin is a step, so that no run of a thread is empty */
	if (me < s2.scenario.vcpus)
		s2_vcpu_body();
	else
		s2_host_body();
	s2_record(S2_THREAD_END, 0, 0, 0, 0);
	s2.thread[me].ended = 1;
	run_next(&s2.thread[me].coroutine, -2);
	__builtin_unreachable();
}

static void prepare_threads(void)
{
	s2.current = -1;
	s2.left = s2.granted = s2.steps = s2.yielded = s2.preemptions = s2.overflow = 0;
	s2.runs_count = s2.choices_count = 0;
	s2.replay_at = s2.chosen_at = s2.replay_diverged = 0;
	s2.following = 1;
	s2.threads = s2.scenario.vcpus + s2.scenario.hosts;
	for (int i = 0; i < S2_LOCKS; i++) {
		s2.lock[i].writer = -1;
		s2.lock[i].readers = 0;
	}
	for (int i = 0; i < s2.threads; i++) {
		struct s2_thread *thread = &s2.thread[i];

		if (!thread->coroutine.stack && s2_coroutine_allocate(&thread->coroutine))
			__builtin_trap();
		thread->ended = thread->pending_kind = thread->rcu_depth = 0;
		thread->sparse = thread->busy = thread->call = 0;
		thread->injected = thread->signalled = 0;
		thread->pinned = thread->pins_host_page = 0;
		thread->pending_where = 0;
		thread->wait = S2_RUNNABLE;
		thread->reader_epoch = -1;
		s2_coroutine_prepare(&thread->coroutine, body);
	}
}

static void finish(void)
{
	if (s2.plain_entry)
		s2_record_plain();
	if (s2.ended != S2_END_FINISHED)
		return;
	s2.current = 0;
	s2_record(S2_QUIESCENT, 0, 0, 0, 0);
	s2.alone = 1;
	s2.left = S2_FOREVER;
	/* On a thread's stack: the hub's belongs to the caller and has no guard of ours. */
	s2_coroutine_prepare(&s2.thread[0].coroutine, s2_run_teardown);
	s2_coroutine_switch(&s2.hub, &s2.thread[0].coroutine);
	s2.alone = 0;
}

/* Set the machine up and stop before the first decision. */
void s2_begin(void)
{
	prepare_threads();
	s2.events_count = s2.crashed = 0;
	s2.alone = 0;
	s2.plain_entry = NULL;
	s2.left = S2_FOREVER;
	s2.silent = 1;
	s2.current = 0;
	s2_vm_reset();
	s2.silent = 0;
	s2.current = -1;
	s2.left = 0;
	s2_describe();
}

/* Run to the end with a strategy of our own. */
void s2_execute(void)
{
	int chosen;

	s2_begin();
	chosen = decide();
	if (chosen < 0) {
		record_end();
	} else {
		s2.current = chosen;
		s2_coroutine_switch(&s2.hub, &s2.thread[chosen].coroutine);
	}
	finish();
}

/* Run until whoever drives from outside is asked something, or the run is over. */
int s2_resume(int answer_thread, int answer_points)
{
	int was_choice = s2.ended == S2_ASK_CHOICE;

	s2.answer_thread = answer_thread;
	s2.answer_points = answer_points;
	if (!was_choice)
		s2.current = apply_answer();
	s2_coroutine_switch(&s2.hub, &s2.thread[s2.current].coroutine);
	if (s2.ended == S2_ASK) {
		close_run();
		s2.enabled = enabled_threads();
		s2.asked_current = s2.current;
		if (exhausted())
			record_end();
	}
	if (s2.ended != S2_ASK && s2.ended != S2_ASK_CHOICE)
		finish();
	return s2.ended;
}

int s2_start_external(void)
{
	s2.strategy = S2_EXTERNAL;
	s2_begin();
	s2.enabled = enabled_threads();
	s2.asked_current = -1;
	s2.ended = S2_ASK;
	return s2.ended;
}

/* ---- wild code ---- */

static const int guarded[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGVTALRM };
#define GUARDED (int)(sizeof(guarded) / sizeof(guarded[0]))
static struct sigaction saved[GUARDED];
static stack_t saved_stack;
static char signal_stack[64 * 1024];
static struct itimerval saved_timer;
static unsigned long last_seen, progress;
static int in_run;

/* Where a wild access went, without what address randomisation adds. */
static int64_t plain_address(const void *address)
{
	uintptr_t at = (uintptr_t)address;

	if (s2_is_entry(address))
		return (int64_t)s2_pa(address);
	for (int i = 0; i < s2.threads; i++) {
		uintptr_t stack = (uintptr_t)s2.thread[i].coroutine.stack;

		if (at - (stack - 4096) < 4096)
			return -1;
	}
	return at < 65536 ? (int64_t)at : 0;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	int64_t where = 0;

	(void)context;
	if (!in_run || s2.current < 0) {
		signal(number, SIG_DFL);
		raise(number);
		return;
	}
	if (number == SIGVTALRM) {
		unsigned long seen = progress + (unsigned long)s2.events_count;

		if (seen != last_seen) {
			last_seen = seen;
			return;
		}
	} else if (number != SIGABRT) {
		where = plain_address(info->si_addr);
	}
	s2.plain_entry = NULL;
	s2_record(S2_CRASH, where, 0, 0, number);
	close_run();
	s2.ended = S2_END_CRASH;
	s2.crashed = 1;
	s2.silent = 0;
	s2_coroutine_switch(&s2.thread[s2.current].coroutine, &s2.hub);
}

/* Catch what a wild pointer or an endless loop does, until s2_guard_end(). */
void s2_guard_begin(void)
{
	struct sigaction action;
	stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
	struct itimerval timer = { { 1, 0 }, { 1, 0 } };

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_signal;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
	sigaltstack(&stack, &saved_stack);
	for (int i = 0; i < GUARDED; i++)
		sigaction(guarded[i], &action, &saved[i]);
	last_seen = ~0UL;
	in_run = 1;
	setitimer(ITIMER_VIRTUAL, &timer, &saved_timer);
}

void s2_guard_progress(void)
{
	progress += S2_EVENTS;
}

void s2_guard_end(void)
{
	if (!in_run)
		return;
	setitimer(ITIMER_VIRTUAL, &saved_timer, NULL);
	in_run = 0;
	for (int i = 0; i < GUARDED; i++)
		sigaction(guarded[i], &saved[i], NULL);
	sigaltstack(&saved_stack, NULL);
}
