/* One run from set-up to teardown, driven by a strategy of ours or from outside. */
#include "machine.h"

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

static void prepare(struct s2_coroutine *one, void (*with)(void))
{
	if (!one->stack && s2_coroutine_allocate(one))
		__builtin_trap();
	s2_coroutine_prepare(one, with);
}

static void prepare_threads(void)
{
	s2.current = -1;
	s2.left = s2.granted = s2.steps = s2.yielded = s2.preemptions = s2.overflow = 0;
	s2.runs_count = s2.choices_count = 0;
	s2.replay_at = s2.chosen_at = 0;
	s2.diverged.how = S2_FOLLOWED;
	s2.following = 1;
	s2.threads = s2.scenario.vcpus + s2.scenario.hosts;
	for (int i = 0; i < S2_LOCKS; i++) {
		s2.lock[i].writer = -1;
		s2.lock[i].readers = 0;
	}
	for (int i = 0; i < s2.threads; i++) {
		struct s2_thread *thread = &s2.thread[i];

		thread->ended = thread->pending_kind = thread->rcu_depth = 0;
		thread->sparse = thread->leaving = thread->call = 0;
		thread->injected = thread->signalled = 0;
		thread->pinned = thread->pins_host_page = 0;
		thread->pending_where = 0;
		thread->wait = S2_RUNNABLE;
		thread->reader_epoch = -1;
		prepare(&thread->coroutine, body);
	}
}

/* Go from the hub's stack to a thread's. Only then are signals the kernel code's own. */
static void run_thread(struct s2_thread *thread)
{
	s2.inside = 1;
	s2_coroutine_switch(&s2.hub, &thread->coroutine);
	s2.inside = 0;
}

/* Set-up and teardown run kernel code outside any thread of the scenario: on the first one's stack,
 * since the hub's belongs to the caller and has no guard of ours. */
static void run_alone(void (*what)(void))
{
	s2.current = 0;
	prepare(&s2.thread[0].coroutine, what);
	run_thread(&s2.thread[0]);
}

static void set_up(void)
{
	s2_vm_reset();
	s2_coroutine_switch(&s2.thread[0].coroutine, &s2.hub);
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
	run_alone(s2_run_teardown);
	s2.alone = 0;
}

/* Set the machine up and stop before the first decision; 0 where not even that could be done. */
int s2_begin(void)
{
	prepare_threads();
	s2.events_count = s2.crashed = 0;
	s2.alone = 0;
	s2.plain_entry = NULL;
	s2.left = S2_FOREVER;
	s2.silent = 1;
	s2.ended = S2_END_FINISHED;
	run_alone(set_up);
	s2.silent = 0;
	s2.current = -1;
	s2.left = 0;
	if (s2.ended != S2_END_FINISHED)
		return 0;
	s2_coroutine_prepare(&s2.thread[0].coroutine, body);
	s2_describe();
	return 1;
}

/* Run to the end with a strategy of our own. */
void s2_execute(void)
{
	int chosen;

	if (!s2_begin())
		return;
	chosen = decide();
	if (chosen < 0) {
		record_end();
	} else {
		s2.current = chosen;
		run_thread(&s2.thread[chosen]);
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
	run_thread(&s2.thread[s2.current]);
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
	if (!s2_begin())
		return s2.ended;
	s2.enabled = enabled_threads();
	s2.asked_current = -1;
	s2.ended = S2_ASK;
	return s2.ended;
}
