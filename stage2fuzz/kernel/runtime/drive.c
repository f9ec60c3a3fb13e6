/* Driving a run, whatever machine it is on: threads on their stacks, a strategy of ours, or answers
 * from outside. The machine itself has begin_run() and finish_run(). */
#include "assertion.h"
#include "drive.h"
#include "execute.h"
#include "guard.h"
#include "record.h"
#include "scheduler.h"
#include "strategy.h"

S2_OWN void end_thread(void)
{
	struct s2_thread *me = running_thread();

	s2_record(S2_THREAD_END, 0, 0, 0, 0);
	me->ended = 1;
	run_next(&me->coroutine, -2);
	__builtin_unreachable();
}

S2_OWN void prepare(struct s2_coroutine *one, void (*with)(void))
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

/* Set-up and teardown run kernel code outside any thread of the scenario: on the first one's stack,
 * since the hub's belongs to the caller and has no guard of ours. */
S2_OWN void run_alone(void (*what)(void))
{
	s2_sched.current = 0;
	prepare(&s2_sched.thread[0].coroutine, what);
	run_thread(&s2_sched.thread[0]);
}

S2_OWN void back_to_hub(void)
{
	s2_coroutine_switch(&running_thread()->coroutine, &s2_sched.hub);
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

/* Run until whoever drives from outside is asked something, or all threads have ended. */
S2_OWN int step_external(int answer_thread, int answer_points)
{
	int was_choice = s2_sched.ended == S2_END_ASK_CHOICE;

	s2_sched.answer_thread = answer_thread;
	s2_sched.answer_points = answer_points;
	if (!was_choice)
		s2_sched.current = apply_answer();
	run_thread(&s2_sched.thread[s2_sched.current]);
	if (s2_sched.ended == S2_END_ASK) {
		close_run();
		s2_sched.enabled = enabled_threads();
		s2_sched.asked_current = s2_sched.current;
		if (exhausted())
			record_end();
	}
	if (s2_sched.ended != S2_END_ASK && s2_sched.ended != S2_END_ASK_CHOICE &&
	    s2_log.plain_entry)
		record_plain();
	return s2_sched.ended;
}

S2_OWN int resume_external(int answer_thread, int answer_points)
{
	step_external(answer_thread, answer_points);
	if (s2_sched.ended != S2_END_ASK && s2_sched.ended != S2_END_ASK_CHOICE)
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
