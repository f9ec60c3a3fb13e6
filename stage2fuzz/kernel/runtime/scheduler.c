/* Decisions: which threads can go on, which of them does, and how a run ends. */
#include "guard.h"
#include "locks.h"
#include "hostpages.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "storebuffer.h"
#include "strategy.h"
#include "tags.h"

struct s2_sched s2_sched;

S2_OWN void reset_threads(int threads)
{
	s2_sched.current = -1;
	s2_sched.left = s2_sched.granted = s2_sched.steps = 0;
	s2_sched.yielded = s2_sched.preemptions = s2_sched.alone = s2_sched.silent = 0;
	s2_sched.ended = S2_END_FINISHED;
	s2_sched.threads = threads;
	for (int i = 0; i < threads; i++) {
		struct s2_thread fresh = { .coroutine = s2_sched.thread[i].coroutine,
					   .wait = S2_RUNNABLE, .reader_epoch = -1 };

		s2_sched.thread[i] = fresh;
	}
}

static int ready(const struct s2_thread *thread)
{
	switch (thread->wait) {
	case S2_RUNNABLE:
		return 1;
	case S2_FOR_LOCK:
		return is_lock_free(thread->wait_name, 0);
	case S2_FOR_LOCK_SHARED:
		return is_lock_free(thread->wait_name, 1);
	case S2_FOR_PAGE:
		S2_ASSERT((unsigned)thread->wait_name < S2_HOST_PAGES, thread->wait_name);
		return !s2_host.host_page[thread->wait_name].locked;
	case S2_FOR_READERS:
		for (int i = 0; i < s2_sched.threads; i++)
			if (s2_sched.thread[i].reader_epoch >= 0 &&
			    s2_sched.thread[i].reader_epoch < thread->wait_name)
				return 0;
		return 1;
	case S2_FOR_NOTIFIERS:
		return !s2_host.invalidations;
	case S2_FOR_TAGS:
		return s2_page_tagged((unsigned)thread->wait_name * PAGE);
	case S2_FOR_SILENCE:
		for (int i = 0; i < s2_sched.threads; i++)
			if (i < s2_scenario.vcpus ? !s2_sched.thread[i].ended :
						    s2_sched.thread[i].in_ioctl)
				return 0;
		return 1;
	}
	return 1;
}

S2_OWN uint32_t enabled_threads(void)
{
	uint32_t enabled = 0;

	for (int i = 0; i < s2_sched.threads; i++) {
		const struct s2_thread *thread = &s2_sched.thread[i];

		if (!thread->ended && (thread->wait == S2_RUNNABLE || ready(thread)))
			enabled |= 1u << i;
	}
	if (s2_scenario.pending_stores)
		enabled |= waiting_storebuffers();
	return enabled;
}

/* Record what the running thread passed since it was let run, at least one point: it may end, block
 * or yield again before it passes any, and the schedule must still say that it ran there. */
S2_OWN void close_run(void)
{
	int done;

	/* Set-up and teardown follow no schedule. */
	if (s2_sched.current < 0 || s2_sched.alone || s2_sched.silent)
		return;
	if (s2_sched.left >= s2_sched.granted)
		s2_sched.left = s2_sched.granted - 1;
	done = s2_sched.granted - s2_sched.left;
	s2_sched.steps += done;
	if (s2_log.runs_count && s2_log.runs[s2_log.runs_count - 1].thread == s2_sched.current) {
		s2_log.runs[s2_log.runs_count - 1].points += done;
	} else {
		/* MAX_STEPS ends the run before, since each run here has a point at least. */
		S2_ASSERT(s2_log.runs_count < S2_RUNS, s2_log.runs_count);
		s2_log.runs[s2_log.runs_count].thread = s2_sched.current;
		s2_log.runs[s2_log.runs_count++].points = done;
	}
	s2_sched.granted = s2_sched.left;
}

S2_OWN int exhausted(void)
{
	return !s2_sched.enabled || s2_sched.steps > S2_MAX_STEPS || s2_log.limit;
}

S2_OWN int apply_answer(void)
{
	int chosen = s2_sched.answer_thread;

	if (current_enabled() && s2_sched.current < s2_sched.threads && !s2_sched.yielded &&
	    chosen != s2_sched.current)
		s2_sched.preemptions++;
	s2_sched.yielded = 0;
	s2_sched.left = s2_sched.granted = s2_sched.answer_points;
	return chosen;
}

S2_OWN int decide(void)
{
	for (;;) {
		int chosen;

		close_run();
		s2_sched.enabled = enabled_threads();
		if (exhausted())
			return -1;
		choose_thread();
		chosen = apply_answer();
		if (chosen < s2_sched.threads)
			return chosen;
		s2_sched.current = chosen;
		drain_storebuffer();
	}
}

S2_OWN void record_end(void)
{
	int waiting = 0;

	for (int i = 0; i < s2_sched.threads; i++)
		waiting |= (!s2_sched.thread[i].ended) << i;
	if (!waiting) {
		s2_sched.ended = S2_END_FINISHED;
	} else if (s2_log.limit || s2_sched.steps > S2_MAX_STEPS) {
		record_limit(s2_log.limit ? s2_log.limit : S2_LIMIT_STEPS);
	} else {
		s2_record(S2_DEADLOCK, 0, 0, 0, waiting);
		s2_sched.ended = S2_END_DEADLOCK;
	}
}

S2_OWN void run_next(struct s2_coroutine *from, int me)
{
	int chosen;

	if (s2_plan.strategy == S2_EXTERNAL) {
		s2_sched.ended = S2_END_ASK;
		s2_coroutine_switch(from, &s2_sched.hub);
		return;
	}
	chosen = decide();
	if (chosen == me) {
		s2_sched.current = me;
		return;
	}
	if (chosen < 0) {
		record_end();
		s2_coroutine_switch(from, &s2_sched.hub);
		return;
	}
	s2_sched.current = chosen;
	s2_coroutine_switch(from, &s2_sched.thread[chosen].coroutine);
}

S2_OWN void dispatch(void)
{
	struct s2_thread *me = running_thread();
	int hidden;

	if (s2_sched.alone || s2_sched.silent) {
		s2_sched.left = S2_FOREVER;
		return;
	}
	if (s2_scenario.pending_stores && s2_log.plain_entry)
		record_plain();
	hidden = hide_stores();
	run_next(&me->coroutine, s2_sched.current);
	if (hidden)
		show_own_stores();
}

/* The vCPU re-enters the guest: its pending step is the walk that begins there. */
S2_OWN void yield(void)
{
	s2_sched.yielded = 1;
	dispatch();
}

S2_OWN void wait_for(enum s2_wait what, int name, int kind, int64_t where)
{
	struct s2_thread *me = running_thread();

	me->wait = what;
	me->wait_name = name;
	while (!ready(me)) {
		me->pending_kind = kind;
		me->pending_where = where;
		dispatch();
	}
	me->wait = S2_RUNNABLE;
}

S2_OWN void give_up(int limit)
{
	record_limit(limit);
	close_run();
	s2_coroutine_switch(&running_thread()->coroutine, &s2_sched.hub);
	__builtin_unreachable();
}

void s2_bug(void)
{
	record_last(S2_WARN, 0, S2_WARN_BUG);
	close_run();
	s2_sched.ended = S2_END_CRASH;
	s2_coroutine_switch(&running_thread()->coroutine, &s2_sched.hub);
	__builtin_unreachable();
}
