/* One run: EL2 as it was after set-up, then each CPU's calls under a schedule, then the end. */
#include <string.h>
#include "el2_locks.h"
#include "el2_tlb.h"
#include "el2_trees.h"
#include "execute.h"
#include "guard.h"
#include "host.h"
#include "locks.h"
#include "machine.h"
#include "observe.h"
#include "program.h"
#include "record.h"
#include "scheduler.h"
#include "strategy.h"

static void body(void)
{
	int me = s2_sched.current;

	s2_sched.left--; /* to begin is a step, so that no run of a thread is empty */
	run_cpu(me);
	s2_record(S2_THREAD_END, 0, 0, 0, 0);
	s2_sched.thread[me].ended = 1;
	run_next(&s2_sched.thread[me].coroutine, -2);
	__builtin_unreachable();
}

int s2_cpu(void)
{
	return s2_sched.current < 0 ? 0 : s2_sched.current;
}

static void prepare(struct s2_coroutine *one, void (*with)(void))
{
	if (!one->stack) {
		int failed = s2_coroutine_allocate(one);

		S2_ASSERT(!failed, S2_STACK);
	}
	s2_coroutine_prepare(one, with);
}

static void run_thread(struct s2_thread *thread)
{
	s2_guard.inside = 1;
	s2_coroutine_switch(&s2_sched.hub, &thread->coroutine);
	s2_guard.inside = 0;
}

static void run_alone(void (*what)(void))
{
	s2_sched.current = 0;
	prepare(&s2_sched.thread[0].coroutine, what);
	run_thread(&s2_sched.thread[0]);
}

static void back_to_hub(void)
{
	s2_coroutine_switch(&s2_sched.thread[s2_sched.current].coroutine, &s2_sched.hub);
}

void s2_leave_boot(void)
{
	back_to_hub();
	__builtin_unreachable();
}

static void set_up(void)
{
	create_vms();
	back_to_hub();
}

static void end(void)
{
	take_all_back();
	s2_sched.current = 0;
	back_to_hub();
}

static void reset(int threads)
{
	reset_threads(threads);
	reset_log();
	reset_plan();
	reset_locks();
	reset_held();
	reset_el2_tlb();
	s2_guard.crashed = 0;
}

/* EL2's own set-up, its check of ownership included, and the VMs that each case finds. */
static void boot_once(void)
{
	reset(1);
	s2_sched.left = S2_FOREVER;
	s2_sched.silent = 1;
	run_alone(boot_machine);
	el2_machine.result = el2_boot_result();
	if (s2_sched.ended == S2_END_FINISHED && !el2_machine.result) {
		el2_measure(EL2_SIZE, &el2_machine.layout);
		run_alone(set_up);
		el2_machine.boot_warnings = el2_machine.warnings;
		note_trees();
		keep_machine();
		keep_host();
		keep_trees();
	} else if (!el2_machine.result) {
		el2_machine.result = -1;
	}
	s2_sched.silent = 0;
}

S2_OWN int begin_run(void)
{
	if (!el2_machine.booted)
		boot_once();
	if (el2_machine.result || s2_sched.ended == S2_END_CRASH) {
		reset(1);
		record_limit(S2_LIMIT_STRUCTURES);
		return 0;
	}
	reset(el2_scenario.cpus);
	restore_machine();
	restore_host();
	restore_trees();
	for (int i = 0; i < s2_sched.threads; i++)
		prepare(&s2_sched.thread[i].coroutine, body);
	s2_sched.current = -1;
	describe_machine();
	s2_sched.left = 0;
	return 1;
}

S2_OWN void finish_run(void)
{
	if (s2_sched.ended != S2_END_FINISHED)
		return;
	s2_sched.current = 0;
	s2_sched.left = S2_FOREVER;
	s2_sched.alone = 1;
	s2_record(S2_QUIESCENT, 0, 0, 0, 0);
	if (el2_scenario.teardown)
		run_alone(end);
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
	s2_sched.current = chosen;
	run_thread(&s2_sched.thread[chosen]);
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

S2_OWN int step_external(int answer_thread, int answer_points)
{
	s2_sched.answer_thread = answer_thread;
	s2_sched.answer_points = answer_points;
	s2_sched.current = apply_answer();
	run_thread(&s2_sched.thread[s2_sched.current]);
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

/* The stack of the first WARN, innermost first, and what EL2's set-up returned. */
S2_PUBLIC int32_t s2_boot_failure(uint32_t *stack)
{
	memcpy(stack, el2_machine.warned_at, sizeof(el2_machine.warned_at));
	return el2_machine.result;
}

/* Whether EL2 was set up without a failure and without a WARN; 0 where it was. */
S2_PUBLIC int32_t s2_started(void)
{
	return !el2_machine.booted || el2_machine.result || el2_machine.boot_warnings;
}
