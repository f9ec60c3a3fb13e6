/* What stands around a run's schedule: the machine of before, set-up and teardown. */
#include "drive.h"
#include "execute.h"
#include "guard.h"
#include "guest.h"
#include "hostthread.h"
#include "locks.h"
#include "hostpages.h"
#include "pages.h"
#include "rcu.h"
#include "regime.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "setup.h"
#include "strategy.h"
#include "tlb.h"
#include "window.h"

static void body(void)
{
	int me = s2_sched.current;

	s2_sched.left--; /* to begin is a step, so that no run of a thread is empty */
	if (me < s2_scenario.vcpus)
		vcpu_body();
	else
		host_body();
	end_thread();
}

/* The machine as it is before a run; each module empties what it owns. */
static void reset(void)
{
	reset_threads(s2_scenario.vcpus + s2_scenario.hosts);
	reset_log();
	reset_plan();
	reset_locks();
	reset_memory();
	reset_rcu();
	reset_tlb();
	reset_regime();
	reset_host();
	s2_guard.crashed = 0;
}

static void set_up(void)
{
	set_up_vm();
	back_to_hub();
}

static void tear_down(void)
{
	tear_down_vm();
	back_to_hub();
}

S2_OWN void finish_run(void)
{
	if (s2_sched.ended != S2_END_FINISHED)
		return;
	s2_sched.current = 0;
	s2_record(S2_QUIESCENT, 0, 0, 0, 0);
	s2_sched.alone = 1;
	s2_sched.left = S2_FOREVER;
	run_alone(tear_down);
	s2_sched.alone = 0;
	if (s2_log.limit && s2_sched.ended == S2_END_FINISHED)
		record_limit(s2_log.limit);
}

/* Set the machine up and stop before the first decision; 0 where not even that could be done. */
S2_OWN int begin_run(void)
{
	reset();
	s2_sched.left = S2_FOREVER;
	s2_sched.silent = 1;
	run_alone(set_up);
	s2_sched.silent = 0;
	share_pages_out();
	s2_sched.current = -1;
	s2_sched.left = 0;
	if (s2_sched.ended != S2_END_FINISHED)
		return 0;
	for (int i = 0; i < s2_sched.threads; i++)
		prepare(&s2_sched.thread[i].coroutine, body);
	describe_vm();
	return 1;
}
