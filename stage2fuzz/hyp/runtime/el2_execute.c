/* One run: EL2 as it was after set-up, then each CPU's calls under a schedule, then the end. */
#include "drive.h"
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
	end_thread();
}

int s2_cpu(void)
{
	return s2_sched.current < 0 ? 0 : s2_sched.current;
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

/* Whether EL2 was set up without a failure and without a WARN; 0 where it was. */
S2_PUBLIC int32_t s2_started(void)
{
	return !el2_machine.booted || el2_machine.result || el2_machine.boot_warnings;
}
