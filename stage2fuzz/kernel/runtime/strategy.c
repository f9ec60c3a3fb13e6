/* How the C side itself chooses schedules: replay, a random walk, PCT, the breaker. */
#include "machine.h"

static int next_in_turn(void)
{
	for (int i = s2.current + 1; i < s2.threads; i++)
		if (s2.enabled >> i & 1)
			return i;
	return __builtin_ctz(s2.enabled);
}

static void diverge(enum s2_mismatch how, int at, int number, int limit)
{
	struct s2_divergence first = { how, at, number, limit };

	if (s2.diverged.how == S2_FOLLOWED)
		s2.diverged = first;
}

/* The rest of this run, the next run whose thread is enabled, or the fair end (Replay.next). */
static void choose_replay(void)
{
	if (s2.following) {
		if (s2.left) {
			if (s2.yielded) {
				s2.answer_thread = s2.current;
				s2.answer_points = s2.left;
				return;
			}
			if (s2.replay_runs[2 * s2.replay_at - 1] != S2_FOREVER)
				diverge(S2_STOPPED_EARLY, s2.replay_at - 1, s2.left, 0);
		}
		while (s2.replay_at < s2.replay_runs_count) {
			int thread = s2.replay_runs[2 * s2.replay_at];
			int points = s2.replay_runs[2 * s2.replay_at++ + 1];

			if (thread < s2.threads && (s2.enabled >> thread & 1) && points > 0) {
				s2.answer_thread = thread;
				s2.answer_points = points;
				return;
			}
			diverge(S2_COULD_NOT_RUN, s2.replay_at - 1, thread, 0);
		}
		s2.following = 0;
	}
	s2.answer_thread = !s2.yielded && current_enabled() ? s2.current : next_in_turn();
	s2.answer_points = S2_FOREVER;
}

/* What the list still held when the run was over. */
static void note_unused(void)
{
	if (s2.replay_at < s2.replay_runs_count)
		diverge(S2_RUN_UNUSED, s2.replay_at, 0, 0);
	else if (s2.chosen_at < s2.replay_choices_count)
		diverge(S2_CHOICE_UNUSED, s2.chosen_at, 0, 0);
}

static void choose_random(void)
{
	s2.answer_thread = any_of(s2.enabled);
	s2.answer_points = 1 + (int)(next_random() % (uint32_t)s2.longest);
}

/* PCT (Burckhardt et al., ASPLOS 2010): the highest priority runs; at change point i the running
 * thread's becomes i, below all that were drawn. Beyond the paper, a thread that yields without
 * progress becomes the lowest of all, or it would spin for ever. */
static void choose_priority(void)
{
	int best = -1;

	while (s2.changes && s2.steps >= s2.change[s2.changes - 1].step) {
		if (s2.current >= 0)
			s2.priority[s2.current] = s2.change[s2.changes - 1].priority;
		s2.changes--;
	}
	if (s2.yielded)
		s2.priority[s2.current] = --s2.lowest;
	for (int i = 0; i < s2.threads; i++)
		if ((s2.enabled >> i & 1) && (best < 0 || s2.priority[i] > s2.priority[best]))
			best = i;
	s2.answer_thread = best;
	s2.answer_points = s2.changes ? s2.change[s2.changes - 1].step - s2.steps : S2_FOREVER;
}

static void draw_priorities(void)
{
	s2.lowest = 0;
	for (int i = 0; i < S2_THREADS; i++)
		s2.priority[i] = S2_CHANGES + 1 + (int)(next_random() & 0xFFFFF);
	s2.changes = 1 + (int)(next_random() % S2_CHANGES);
	for (int i = 0; i < s2.changes; i++) {
		struct s2_change drawn = { 1 + (int)(next_random() % (uint32_t)s2.length_estimate),
					   i + 1 };
		int at = i;

		/* Kept in descending order of steps, so that the last one is the next to come. */
		for (; at > 0 && s2.change[at - 1].step < drawn.step; at--)
			s2.change[at] = s2.change[at - 1];
		s2.change[at] = drawn;
	}
}

/* Half of the runs are a random walk, a quarter PCT, a quarter the breaker. */
void s2_strategy_random(s2_u64 seed)
{
	s2.random = seed * 0x9E3779B97F4A7C15ULL + 0xD1B54A32D192ED03ULL;
	for (int i = 0; i < 3; i++)
		next_random();
	switch (next_random() & 3) {
	case 0:
		s2.strategy = S2_PRIORITY;
		draw_priorities();
		break;
	case 1:
		s2.strategy = S2_BREAKER;
		begin_breaker();
		break;
	default:
		s2.strategy = S2_RANDOM;
		s2.longest = 2 << (next_random() % 6);
	}
}

int s2_choose(int options)
{
	int chosen = 0;

	if (options == 1 || s2.alone || s2.silent)
		return 0;
	if (s2.strategy == S2_EXTERNAL) {
		s2.asked_options = options;
		s2.ended = S2_ASK_CHOICE;
		s2_coroutine_switch(&s2.thread[s2.current].coroutine, &s2.hub);
		chosen = s2.answer_thread;
	} else if (s2.strategy == S2_REPLAY) {
		if (s2.chosen_at < s2.replay_choices_count)
			chosen = s2.replay_choices[s2.chosen_at++];
		if (chosen >= options) {
			diverge(S2_NO_SUCH_CHOICE, s2.chosen_at - 1, chosen, options);
			chosen = options - 1;
		}
	} else if (s2.strategy != S2_BREAKER || (next_random() & 1)) {
		chosen = (int)(next_random() % (uint32_t)options);
	}
	if (s2.choices_count < S2_RUNS)
		s2.choices[s2.choices_count++] = chosen;
	return chosen;
}
