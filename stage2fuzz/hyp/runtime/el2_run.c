/* The machine of a run: EL2 as it was after set-up, each CPU's calls, the end. */
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

int s2_cpu(void)
{
	return s2_sched.current < 0 ? 0 : s2_sched.current;
}

void s2_leave_boot(void)
{
	leave_alone();
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
		run_alone(create_vms);
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

S2_OWN int prepare_machine(void)
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
	return 1;
}

S2_OWN void end_machine(void)
{
	if (el2_scenario.teardown)
		take_all_back();
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
