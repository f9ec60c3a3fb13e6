/* How the C side itself chooses schedules: replay, a random walk, PCT, the breaker. */
#include "breaker.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "strategy.h"

struct s2_plan s2_plan;

S2_OWN void reset_plan(void)
{
	s2_plan.replay_at = s2_plan.chosen_at = 0;
	s2_plan.diverged.how = S2_FOLLOWED;
	s2_plan.following = 1;
}

S2_OWN void plan_replay(const int32_t *runs, int count, const int32_t *choices, int chosen)
{
	s2_plan.strategy = S2_REPLAY;
	s2_plan.replay_runs = runs;
	s2_plan.replay_runs_count = count;
	s2_plan.replay_choices = choices;
	s2_plan.replay_choices_count = chosen;
}

S2_OWN uint32_t next_random(void)
{
	s2_u64 x = s2_plan.random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	s2_plan.random = x;
	return (uint32_t)(x >> 24);
}

S2_OWN int any_of(uint32_t threads)
{
	int pick;

	S2_ASSERT(threads, threads);
	pick = (int)(next_random() % (uint32_t)__builtin_popcount(threads));
	while (pick--)
		threads &= threads - 1;
	return __builtin_ctz(threads);
}

static int next_in_turn(void)
{
	for (int i = s2_sched.current + 1; i < 2 * S2_THREADS; i++)
		if (s2_sched.enabled >> i & 1)
			return i;
	return __builtin_ctz(s2_sched.enabled);
}

static void diverge(enum s2_mismatch how, int at, int number, int limit)
{
	struct s2_divergence first = { how, at, number, limit };

	if (s2_plan.diverged.how == S2_FOLLOWED)
		s2_plan.diverged = first;
}

/* The rest of this run, the next run whose thread is enabled, or the fair end (Replay.next). */
static void choose_replay(void)
{
	if (s2_plan.following) {
		if (s2_sched.left) {
			if (s2_sched.yielded) {
				s2_sched.answer_thread = s2_sched.current;
				s2_sched.answer_points = s2_sched.left;
				return;
			}
			if (s2_plan.replay_runs[2 * s2_plan.replay_at - 1] != S2_FOREVER)
				diverge(S2_STOPPED_EARLY, s2_plan.replay_at - 1, s2_sched.left, 0);
		}
		while (s2_plan.replay_at < s2_plan.replay_runs_count) {
			int thread = s2_plan.replay_runs[2 * s2_plan.replay_at];
			int points = s2_plan.replay_runs[2 * s2_plan.replay_at++ + 1];

			if (thread >= 0 && thread < 2 * S2_THREADS &&
			    (s2_sched.enabled >> thread & 1) && points > 0) {
				s2_sched.answer_thread = thread;
				s2_sched.answer_points = points;
				return;
			}
			diverge(S2_COULD_NOT_RUN, s2_plan.replay_at - 1, thread, 0);
		}
		s2_plan.following = 0;
	}
	s2_sched.answer_thread = next_in_turn();
	if (!s2_sched.yielded && current_enabled())
		s2_sched.answer_thread = s2_sched.current;
	s2_sched.answer_points = S2_FOREVER;
}

/* What the list still held when the run was over. */
S2_OWN void note_unused(void)
{
	if (s2_plan.replay_at < s2_plan.replay_runs_count)
		diverge(S2_RUN_UNUSED, s2_plan.replay_at, 0, 0);
	else if (s2_plan.chosen_at < s2_plan.replay_choices_count)
		diverge(S2_CHOICE_UNUSED, s2_plan.chosen_at, 0, 0);
}

static void choose_random(void)
{
	s2_sched.answer_thread = any_of(s2_sched.enabled);
	s2_sched.answer_points = 1 + (int)(next_random() % (uint32_t)s2_plan.longest);
}

/* PCT (Burckhardt et al., ASPLOS 2010): the highest priority runs; at change point i the running
 * thread's becomes i, below all that were drawn. Beyond the paper, a thread that yields without
 * progress becomes the lowest of all, or it would spin for ever. */
static void choose_priority(void)
{
	int best = -1;

	while (s2_plan.changes && s2_sched.steps >= s2_plan.change[s2_plan.changes - 1].step) {
		if (s2_sched.current >= 0)
			s2_plan.priority[s2_sched.current] =
				s2_plan.change[s2_plan.changes - 1].priority;
		s2_plan.changes--;
	}
	if (s2_sched.yielded)
		s2_plan.priority[s2_sched.current] = --s2_plan.lowest;
	for (int i = 0; i < 2 * S2_THREADS; i++)
		if ((s2_sched.enabled >> i & 1) &&
		    (best < 0 || s2_plan.priority[i] > s2_plan.priority[best]))
			best = i;
	s2_sched.answer_thread = best;
	s2_sched.answer_points = S2_FOREVER;
	if (s2_plan.changes)
		s2_sched.answer_points = s2_plan.change[s2_plan.changes - 1].step - s2_sched.steps;
}

S2_OWN void choose_thread(void)
{
	switch (s2_plan.strategy) {
	case S2_REPLAY: choose_replay(); break;
	case S2_RANDOM: choose_random(); break;
	case S2_PRIORITY: choose_priority(); break;
	case S2_BREAKER: choose_breaker(); break;
	case S2_EXTERNAL: S2_ASSERT(!"asked", s2_plan.strategy);
	}
}

static void draw_priorities(void)
{
	s2_plan.lowest = 0;
	for (int i = 0; i < (s2_scenario.pending_stores ? 2 : 1) * S2_THREADS; i++)
		s2_plan.priority[i] = S2_CHANGES + 1 + (int)(next_random() & 0xFFFFF);
	s2_plan.changes = 1 + (int)(next_random() % S2_CHANGES);
	for (int i = 0; i < s2_plan.changes; i++) {
		uint32_t point = next_random() % (uint32_t)s2_plan.length_estimate;
		struct s2_change drawn = { 1 + (int)point, i + 1 };
		int at = i;

		/* Kept in descending order of steps, so that the last one is the next to come. */
		for (; at > 0 && s2_plan.change[at - 1].step < drawn.step; at--)
			s2_plan.change[at] = s2_plan.change[at - 1];
		s2_plan.change[at] = drawn;
	}
}

/* Half of the runs are a random walk, a quarter PCT, a quarter the breaker. */
S2_OWN void plan_seed(s2_u64 seed)
{
	s2_plan.random = seed * 0x9E3779B97F4A7C15ULL + 0xD1B54A32D192ED03ULL;
	for (int i = 0; i < 3; i++)
		next_random();
	switch (next_random() & 3) {
	case 0:
		s2_plan.strategy = S2_PRIORITY;
		draw_priorities();
		break;
	case 1:
		s2_plan.strategy = S2_BREAKER;
		begin_breaker();
		break;
	default:
		s2_plan.strategy = S2_RANDOM;
		s2_plan.longest = 2 << (next_random() % 6);
	}
}

S2_OWN int choose(int options)
{
	int chosen = 0;

	if (options == 1 || s2_sched.alone || s2_sched.silent)
		return 0;
	if (s2_plan.strategy == S2_EXTERNAL) {
		s2_sched.asked_options = options;
		s2_sched.ended = S2_END_ASK_CHOICE;
		s2_coroutine_switch(&running_thread()->coroutine, &s2_sched.hub);
		chosen = s2_sched.answer_thread;
	} else if (s2_plan.strategy == S2_REPLAY) {
		if (s2_plan.chosen_at < s2_plan.replay_choices_count)
			chosen = s2_plan.replay_choices[s2_plan.chosen_at++];
		if (chosen >= options) {
			diverge(S2_NO_SUCH_CHOICE, s2_plan.chosen_at - 1, chosen, options);
			chosen = options - 1;
		}
	} else if (s2_plan.strategy != S2_BREAKER || (next_random() & 1)) {
		chosen = (int)(next_random() % (uint32_t)options);
	}
	record_choice(chosen);
	return chosen;
}
