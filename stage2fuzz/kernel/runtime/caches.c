/* A guest that turns its caches off and on again, and cleans them by set and way.
 *
 * KVM cleans all memory for the first DC CISW and from then on traps the writes of SCTLR_EL1, at
 * each of which it does so again, until the caches are on: what access_vm_reg() and access_dcsw()
 * of sys_regs.c hand over to mmu.c.
 */
#include "caches.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "step.h"

static int state_of(int thread)
{
	return (s2_glue_uses_caches(thread) ? S2_USES_CACHES : 0) |
	       (s2_glue_traps_switches(thread) ? S2_TRAPS_SWITCHES : 0);
}

static void begin_trap(int call, int before, int wanted)
{
	s2_point(S2_CALL, 0);
	s2_record(S2_CALL, 0, 0, before | wanted << S2_STATE_WANTED_SHIFT, call);
}

static void end_trap(int call, int thread)
{
	s2_point(S2_RETURN, 0);
	s2_record(S2_RETURN, 0, 0, state_of(thread), call);
}

static void write_sctlr(int thread, int on)
{
	int before = state_of(thread);

	if (!(before & S2_TRAPS_SWITCHES)) {
		s2_glue_switch_caches(thread, on);
		return;
	}
	begin_trap(S2_CALL_TOGGLE_CACHE, before, on ? S2_USES_CACHES : 0);
	s2_glue_switch_caches(thread, on);
	end_trap(S2_CALL_TOGGLE_CACHE, thread);
}

static void clean_by_set_and_way(int thread)
{
	int before = state_of(thread);

	begin_trap(S2_CALL_SET_WAY, before, before);
	s2_glue_set_way(thread);
	end_trap(S2_CALL_SET_WAY, thread);
}

/* With FWB the guest's caches are never off, and DC CISW does not trap. */
S2_OWN int switch_caches(int on)
{
	int thread = s2_sched.current;

	if (s2_scenario.fwb)
		return 0;
	write_sctlr(thread, on);
	if (!on)
		clean_by_set_and_way(thread);
	return 0;
}
