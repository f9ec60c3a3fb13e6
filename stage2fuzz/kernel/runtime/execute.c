/* One run from set-up to teardown, driven by a strategy of ours or from outside. */
#include "execute.h"
#include "guard.h"
#include "record.h"
#include "scheduler.h"
#include "storebuffer.h"
#include "strategy.h"

static void body(void)
{
	int me = s2_sched.current;

	s2_sched.left--; /* to begin is a step, so that no run of a thread is empty */
	run_program(me);
	s2_record(S2_THREAD_END, 0, 0, 0, 0);
	s2_sched.thread[me].ended = 1;
	hide_stores();
	run_next(&s2_sched.thread[me].coroutine, -2);
	__builtin_unreachable();
}

static void prepare(struct s2_coroutine *one, void (*with)(void))
{
	if (!one->stack) {
		int failed = s2_coroutine_allocate(one);

		S2_ASSERT(!failed, S2_STACK);
	}
	s2_coroutine_prepare(one, with);
}

/* Go from the hub's stack to a thread's. Only then are signals the kernel code's own. */
static void run_thread(struct s2_thread *thread)
{
	s2_guard.inside = 1;
	s2_coroutine_switch(&s2_sched.hub, &thread->coroutine);
	s2_guard.inside = 0;
}

static void (*alone)(void);

static void body_alone(void)
{
	alone();
	leave_alone();
}

S2_OWN void run_alone(void (*what)(void))
{
	alone = what;
	s2_sched.current = 0;
	prepare(&s2_sched.thread[0].coroutine, body_alone);
	run_thread(&s2_sched.thread[0]);
}

S2_OWN void leave_alone(void)
{
	s2_sched.current = 0;
	s2_coroutine_switch(&s2_sched.thread[0].coroutine, &s2_sched.hub);
	__builtin_unreachable();
}

S2_OWN int begin_run(void)
{
	if (!prepare_machine())
		return 0;
	s2_sched.current = -1;
	s2_sched.left = 0;
	for (int i = 0; i < s2_sched.threads; i++)
		prepare(&s2_sched.thread[i].coroutine, body);
	describe_machine();
	return 1;
}

S2_OWN void finish_run(void)
{
	if (s2_sched.ended != S2_END_FINISHED)
		return;
	s2_sched.current = 0;
	s2_record(S2_QUIESCENT, 0, 0, 0, 0);
	s2_sched.alone = 1;
	s2_sched.left = S2_FOREVER;
	run_alone(end_machine);
	s2_sched.alone = 0;
	if (s2_log.limit && s2_sched.ended == S2_END_FINISHED)
		record_limit(s2_log.limit);
}

S2_OWN void execute_threads(void)
{
	int chosen;

	if (!begin_run())
		return;
	chosen = decide();
	if (chosen < 0) {
		record_end();
	} else {
		s2_sched.current = chosen;
		run_thread(&s2_sched.thread[chosen]);
	}
	if (s2_log.plain_entry)
		record_plain();
}

S2_OWN void execute(void)
{
	execute_threads();
	finish_run();
}

static int asking(void)
{
	return s2_sched.ended == S2_END_ASK || s2_sched.ended == S2_END_ASK_CHOICE;
}

/* Run until whoever drives from outside is asked something, or all threads have ended. */
S2_OWN int step_external(int answer_thread, int answer_points)
{
	int was_choice = s2_sched.ended == S2_END_ASK_CHOICE;

	s2_sched.answer_thread = answer_thread;
	s2_sched.answer_points = answer_points;
	if (!was_choice)
		s2_sched.current = apply_answer();
	if (s2_sched.current < s2_sched.threads)
		run_thread(&s2_sched.thread[s2_sched.current]);
	else
		s2_sched.ended = drain_from_outside(was_choice) ? S2_END_ASK_CHOICE : S2_END_ASK;
	if (s2_sched.ended == S2_END_ASK) {
		close_run();
		s2_sched.enabled = enabled_threads();
		s2_sched.asked_current = s2_sched.current;
		if (exhausted())
			record_end();
	}
	if (!asking() && s2_log.plain_entry)
		record_plain();
	return s2_sched.ended;
}

S2_OWN int resume_external(int answer_thread, int answer_points)
{
	step_external(answer_thread, answer_points);
	if (!asking())
		finish_run();
	return s2_sched.ended;
}

S2_OWN int start_external(void)
{
	s2_plan.strategy = S2_EXTERNAL;
	if (!begin_run())
		return s2_sched.ended;
	s2_sched.enabled = enabled_threads();
	s2_sched.asked_current = -1;
	s2_sched.ended = S2_END_ASK;
	return s2_sched.ended;
}
