/* The C interface that native.py calls: load a scenario, run it, read what happened. */
#include <string.h>
#include "machine.h"

#define S2_ABI 1

s2_u64 s2_witness(const s2_u64 *entry);

S2_PUBLIC int s2_abi(void)
{
	return S2_ABI;
}

/* Read `scenario` as native.encode() writes it; the count of numbers read. */
S2_PUBLIC int s2_load_scenario(const int64_t *numbers)
{
	struct s2_scenario *to = &s2.scenario;
	const int64_t *at = numbers;

	to->ipa_bits = (int)*at++;
	to->tlb = (int)*at++;
	to->hardware_af = (int)*at++;
	to->dic = (int)*at++;
	to->fwb = (int)*at++;
	to->cache_pages = (int)*at++;
	to->failing_topup = (int)*at++;
	to->teardown = (int)*at++;
	to->slots = (int)*at++;
	for (int i = 0; i < to->slots; i++) {
		to->slot[i].pages = (int)*at++;
		to->slot[i].backing = (int)*at++;
		to->slot[i].readonly = (int)*at++;
		to->slot[i].logging = (int)*at++;
		to->slot[i].skewed = (int)*at++;
	}
	to->vcpus = (int)*at++;
	for (int i = 0; i < to->vcpus; i++) {
		to->vcpu[i].accesses = (int)*at++;
		for (int j = 0; j < to->vcpu[i].accesses; j++) {
			to->vcpu[i].access[j].kind = (int)*at++;
			to->vcpu[i].access[j].page = *at++;
		}
	}
	to->hosts = (int)*at++;
	for (int i = 0; i < to->hosts; i++) {
		to->host[i].ops = (int)*at++;
		for (int j = 0; j < to->host[i].ops; j++) {
			to->host[i].op[j].op = (int)*at++;
			to->host[i].op[j].page = *at++;
			to->host[i].op[j].pages = *at++;
		}
	}
	to->host_pages = (int)*at++;
	for (int i = 0; i < to->host_pages; i++) {
		to->host_page[i].page = *at++;
		to->host_page[i].host = (int)*at++;
	}
	s2.length_estimate = 0;
	return (int)(at - numbers);
}

/* Follow a schedule of (thread, points) pairs as far as it goes, then end fairly. */
S2_PUBLIC int s2_run_schedule(const int32_t *runs, int count, const int32_t *choices, int chosen)
{
	s2_guard_begin();
	follow_schedule(runs, count, choices, chosen);
	note_unused();
	return s2.ended;
}

/* Drive a run from outside: S2_ASK wants a thread and its points, S2_ASK_CHOICE one of n. */
S2_PUBLIC int s2_start(void)
{
	s2_guard_begin();
	return s2_start_external();
}

S2_PUBLIC int s2_continue(int answer_thread, int answer_points)
{
	s2_guard_progress();
	s2_resume(answer_thread, answer_points);
	return s2.ended;
}

/* What may be looked at when asked: enabled, current, left, yielded, options, then pairs. */
S2_PUBLIC void s2_view(int64_t *out)
{
	*out++ = s2.enabled;
	*out++ = s2.asked_current;
	*out++ = s2.asked_current < 0 ? 0 : s2.left;
	*out++ = s2.yielded;
	*out++ = s2.asked_options;
	for (int i = 0; i < s2.threads; i++) {
		*out++ = s2.thread[i].ended ? S2_THREAD_END : s2.thread[i].pending_kind;
		*out++ = s2.thread[i].ended ? 0 : s2.thread[i].pending_where;
	}
}

S2_PUBLIC const struct s2_event *s2_events(int *count)
{
	*count = s2.events_count;
	return s2.events;
}

S2_PUBLIC const struct s2_run *s2_runs(int *count)
{
	*count = s2.runs_count;
	return s2.runs;
}

S2_PUBLIC const int32_t *s2_choices(int *count)
{
	*count = s2.choices_count;
	return s2.choices;
}

/* preemptions, steps, plain loads seen, pages still live, whether a signal ended the run, how and
 * where the run left its schedule. */
S2_PUBLIC void s2_figures(int64_t *out)
{
	int live = 0;

	for (int i = s2.roots; i < s2.next_page; i++)
		live += s2_page_table[i].live;
	out[0] = s2.preemptions;
	out[1] = s2.steps;
	out[2] = s2.plain_loads;
	out[3] = live;
	out[4] = s2.crashed;
	out[5] = s2.diverged.how;
	out[6] = s2.diverged.at;
	out[7] = s2.diverged.number;
	out[8] = s2.diverged.limit;
}

/* How many of three plain loads of an entry the instrumentation announced. */
S2_PUBLIC int s2_self_test(void)
{
	int before;

	s2_guard_begin();
	s2_begin();
	before = s2.plain_loads;
	s2.current = 0;
	s2.left = S2_FOREVER;
	for (int i = 0; i < 3; i++)
		s2_witness((const s2_u64 *)s2_arena + i);
	s2.current = -1;
	return s2.plain_loads - before;
}
