/* The virtual machine of a run: emptied, made, run by vCPUs and host threads, taken down. */
#include "execute.h"
#include "guard.h"
#include "guest.h"
#include "hostpages.h"
#include "hostthread.h"
#include "locks.h"
#include "pages.h"
#include "rcu.h"
#include "record.h"
#include "regime.h"
#include "scenario.h"
#include "scheduler.h"
#include "setup.h"
#include "storebuffer.h"
#include "strategy.h"
#include "tags.h"
#include "tlb.h"

/* The machine as it is before a run; each module empties what it owns. */
static void reset(void)
{
	reset_threads(s2_scenario.vcpus + s2_scenario.hosts);
	reset_log();
	reset_plan();
	reset_locks();
	reset_memory();
	reset_storebuffers();
	reset_rcu();
	reset_tlb();
	reset_regime();
	reset_host();
	reset_tags();
	s2_guard.crashed = 0;
}

S2_OWN int prepare_machine(void)
{
	reset();
	s2_sched.left = S2_FOREVER;
	s2_sched.silent = 1;
	run_alone(set_up_vm);
	s2_sched.silent = 0;
	share_pages_out();
	return s2_sched.ended == S2_END_FINISHED;
}

S2_OWN void run_program(int thread)
{
	if (thread < s2_scenario.vcpus)
		vcpu_body();
	else
		host_body();
}
