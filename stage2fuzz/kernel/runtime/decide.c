/* Decisions: which threads can go on, which of them does, and how a run ends. */
#include "machine.h"

struct s2_machine s2;

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
	case S2_FOR_PAGE:
		return !s2.host_page[thread->wait_name].locked;
	case S2_FOR_READERS:
		for (int i = 0; i < s2.threads; i++)
			if (s2.thread[i].reader_epoch >= 0 &&
			    s2.thread[i].reader_epoch < thread->wait_name)
				return 0;
		return 1;
	case S2_FOR_NOTIFIERS:
		return !s2.invalidations;
	case S2_FOR_SILENCE:
		for (int i = 0; i < s2.threads; i++)
			if (!s2.thread[i].ended && !s2.thread[i].leaving)
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

/* Record what the running thread passed since it was let run, at least one point: it may end, block
 * or yield again before it passes any, and the schedule must still say that it ran there. */
static void close_run(void)
{
	int done;

	if (s2.current < 0 || s2.alone || s2.silent) /* set-up and teardown follow no schedule */
		return;
	if (s2.left >= s2.granted)
		s2.left = s2.granted - 1;
	done = s2.granted - s2.left;
	s2.steps += done;
	if (s2.runs_count && s2.runs[s2.runs_count - 1].thread == s2.current) {
		s2.runs[s2.runs_count - 1].points += done;
	} else if (s2.runs_count < S2_RUNS) {
		s2.runs[s2.runs_count].thread = s2.current;
		s2.runs[s2.runs_count++].points = done;
	}
	s2.granted = s2.left;
}

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
	else if (s2.strategy == S2_BREAKER)
		choose_breaker();
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
