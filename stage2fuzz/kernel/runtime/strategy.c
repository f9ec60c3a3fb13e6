/* How the C side itself chooses schedules: replay, a random walk, PCT. */
#include "machine.h"

static uint32_t next_random(void)
{
	s2_u64 x = s2.random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	s2.random = x;
	return (uint32_t)(x >> 24);
}

static int next_in_turn(void)
{
	for (int i = s2.current + 1; i < s2.threads; i++)
		if (s2.enabled >> i & 1)
			return i;
	return __builtin_ctz(s2.enabled);
}

static int current_enabled(void)
{
	return s2.current >= 0 && (s2.enabled >> s2.current & 1);
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
			s2.replay_diverged = 1;
		}
		while (s2.replay_at < s2.replay_runs_count) {
			int thread = s2.replay_runs[2 * s2.replay_at];
			int points = s2.replay_runs[2 * s2.replay_at++ + 1];

			if (thread < s2.threads && (s2.enabled >> thread & 1) && points > 0) {
				s2.answer_thread = thread;
				s2.answer_points = points;
				return;
			}
			s2.replay_diverged = 1;
		}
		s2.following = 0;
	}
	s2.answer_thread = !s2.yielded && current_enabled() ? s2.current : next_in_turn();
	s2.answer_points = S2_FOREVER;
}

static void choose_random(void)
{
	int pick = (int)(next_random() % (uint32_t)__builtin_popcount(s2.enabled));
	uint32_t rest = s2.enabled;

	while (pick--)
		rest &= rest - 1;
	s2.answer_thread = __builtin_ctz(rest);
	s2.answer_points = 1 + (int)(next_random() % (uint32_t)s2.longest);
}

/* PCT: the highest priority runs; at a change point, and at a yield, it becomes the lowest. */
static void choose_priority(void)
{
	int best = -1;

	while (s2.changes && s2.steps >= s2.change_points[s2.changes - 1]) {
		if (s2.current >= 0)
			s2.priority[s2.current] = --s2.lowest;
		s2.changes--;
	}
	if (s2.yielded)
		s2.priority[s2.current] = --s2.lowest;
	for (int i = 0; i < s2.threads; i++)
		if ((s2.enabled >> i & 1) && (best < 0 || s2.priority[i] > s2.priority[best]))
			best = i;
	s2.answer_thread = best;
	s2.answer_points = s2.changes ? s2.change_points[s2.changes - 1] - s2.steps : S2_FOREVER;
}

void s2_strategy_random(s2_u64 seed)
{
	s2.random = seed * 0x9E3779B97F4A7C15ULL + 0xD1B54A32D192ED03ULL;
	for (int i = 0; i < 3; i++)
		next_random();
	if (next_random() & 3) {
		s2.strategy = S2_RANDOM;
		s2.longest = 2 << (next_random() % 6);
		return;
	}
	s2.strategy = S2_PRIORITY;
	s2.lowest = 0;
	for (int i = 0; i < S2_THREADS; i++)
		s2.priority[i] = 1 + (int)(next_random() & 0xFFFFF);
	s2.changes = 1 + (int)(next_random() & 3);
	for (int i = 0; i < s2.changes; i++) {
		int point = 1 + (int)(next_random() % (uint32_t)s2.length_estimate), at = i;

		/* Kept in descending order, so that the last one is the next to come. */
		for (; at > 0 && s2.change_points[at - 1] < point; at--)
			s2.change_points[at] = s2.change_points[at - 1];
		s2.change_points[at] = point;
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
		if (chosen >= options)
			chosen = options - 1;
	} else {
		chosen = (int)(next_random() % (uint32_t)options);
	}
	if (s2.choices_count < S2_RUNS)
		s2.choices[s2.choices_count++] = chosen;
	return chosen;
}
