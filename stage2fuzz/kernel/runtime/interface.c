/* The C interface that native.py calls: load a scenario, run it, read what happened.
 *
 * abi.py declares it. A function below which an assertion may fail begins with a door.
 */
#include <string.h>
#include "door.h"
#include "execute.h"
#include "explore.h"
#include "features.h"
#include "fold.h"
#include "guard.h"
#include "lasso.h"
#include "pages.h"
#include "record.h"
#include "scenario.h"
#include "setup.h"
#include "strategy.h"
#include "window.h"

s2_u64 s2_witness(const s2_u64 *entry);

/* The fingerprint of the interface that the library was compiled with. */
S2_PUBLIC uint64_t s2_interface(void)
{
	return S2_INTERFACE;
}

/* The granule that the library was compiled for. */
S2_PUBLIC int32_t s2_page_shift(void)
{
	return S2_PAGE_SHIFT;
}

/* Read a scenario of `length` numbers; how many were read, negative if they are none. */
S2_PUBLIC int64_t s2_load_scenario(const int64_t *numbers, int64_t length)
{
	s2_plan.length_estimate = 0;
	return read_scenario(numbers, length);
}

/* Follow a schedule of (thread, points) pairs as far as it goes, then end fairly. */
S2_PUBLIC int32_t s2_run_schedule(const int32_t *runs, int32_t count, const int32_t *choices,
				  int32_t chosen)
{
	S2_DOOR(S2_END_BUG);
	begin_guard();
	follow_schedule(runs, count, choices, chosen);
	note_unused();
	return s2_sched.ended;
}

/* The run of one seed; a pure function of scenario and seed. */
S2_PUBLIC int32_t s2_run_seed(uint64_t seed)
{
	S2_DOOR(S2_END_BUG);
	begin_guard();
	estimate_length();
	run_seed(seed);
	return s2_sched.ended;
}

/* Drive a run from outside: S2_END_ASK wants a thread and its points, S2_END_ASK_CHOICE one of
 * n. */
S2_PUBLIC int32_t s2_start(void)
{
	S2_DOOR(S2_END_BUG);
	begin_guard();
	return start_external();
}

S2_PUBLIC int32_t s2_continue(int32_t answer_thread, int32_t answer_points)
{
	S2_DOOR(S2_END_BUG);
	guard_progress();
	return resume_external(answer_thread, answer_points);
}

/* What may be looked at when asked. */
S2_PUBLIC void s2_view(struct s2_view *out)
{
	out->enabled = s2_sched.enabled;
	out->current = s2_sched.asked_current;
	out->left = s2_sched.asked_current < 0 ? 0 : s2_sched.left;
	out->yielded = s2_sched.yielded;
	out->options = s2_sched.asked_options;
	memset(out->pending, 0, sizeof(out->pending));
	for (int i = 0; i < s2_sched.threads; i++) {
		const struct s2_thread *thread = &s2_sched.thread[i];

		out->pending[i].kind = thread->ended ? S2_THREAD_END : thread->pending_kind;
		out->pending[i].where = thread->ended ? 0 : thread->pending_where;
	}
}

S2_PUBLIC const struct s2_event *s2_events(int32_t *count)
{
	*count = s2_log.events_count;
	return s2_log.events;
}

/* Where the last run's events came from, S2_DEPTH numbers each. */
S2_PUBLIC const uint32_t *s2_stacks(int32_t *count)
{
	*count = s2_log.events_count * S2_DEPTH;
	return s2_sites.stack[0];
}

S2_PUBLIC const struct s2_run *s2_runs(int32_t *count)
{
	*count = s2_log.runs_count;
	return s2_log.runs;
}

S2_PUBLIC const int32_t *s2_choices(int32_t *count)
{
	*count = s2_log.choices_count;
	return s2_log.choices;
}

S2_PUBLIC void s2_counts(struct s2_counts *out)
{
	out->preemptions = s2_sched.preemptions;
	out->live_pages = 0;
	for (int i = s2_vm.roots; i < s2_memory.next_page; i++)
		out->live_pages += s2_page_table[i].live;
	out->forgotten = window_forgotten();
	out->crashed = s2_guard.crashed;
	out->how = s2_plan.diverged.how;
	out->at = s2_plan.diverged.at;
	out->number = s2_plan.diverged.number;
	out->limit = s2_plan.diverged.limit;
}

/* The class of the last run: runs of one class mean the same to the oracles. 0 is our own bug. */
S2_PUBLIC uint64_t s2_class(void)
{
	S2_DOOR(0);
	return fold(may_be_lasso());
}

/* The same without rounds of faults that changed nothing. */
S2_PUBLIC uint64_t s2_effect_class(void)
{
	S2_DOOR(0);
	return fold_effect();
}

/* How many of three plain loads of an entry the instrumentation announced. */
S2_PUBLIC int32_t s2_self_test(void)
{
	int before;

	S2_DOOR(-1);
	begin_guard();
	begin_run();
	before = s2_log.plain_loads;
	s2_sched.current = 0;
	s2_sched.left = S2_FOREVER;
	for (int i = 0; i < 3; i++)
		s2_witness((const s2_u64 *)s2_arena + i);
	s2_sched.current = -1;
	return s2_log.plain_loads - before;
}

/* Break a rule of our own on purpose, on the caller's stack: how a test sees what becomes of it. */
S2_PUBLIC int32_t s2_fail_on_purpose(int32_t number)
{
	S2_DOOR(S2_END_BUG);
	S2_ASSERT(!"on purpose", number);
	return S2_END_FINISHED;
}
