/* How the C side itself chooses schedules: replay, a random walk, PCT, the breaker. */
#ifndef STAGE2FUZZ_STRATEGY_H
#define STAGE2FUZZ_STRATEGY_H

#include <stdint.h>
#include "abi.h"
#include "seam.h"

#define S2_CHANGES 4

/* How the next thread is chosen. */
enum s2_strategy { S2_REPLAY, S2_EXTERNAL, S2_RANDOM, S2_PRIORITY, S2_BREAKER };

/* How a run left the schedule that it was told to follow; the order of replay.py's MISMATCHES. */
enum s2_mismatch { S2_FOLLOWED, S2_STOPPED_EARLY, S2_COULD_NOT_RUN, S2_NO_SUCH_CHOICE,
		   S2_RUN_UNUSED, S2_CHOICE_UNUSED };

/* Where PCT lowers the running thread's priority, and to what. */
struct s2_change {
	int step, priority;
};

/* The first mismatch: which run or choice it was, and the numbers that tell what happened. */
struct s2_divergence {
	enum s2_mismatch how;
	int at, number, limit;
};

struct s2_plan {
	enum s2_strategy strategy;
	/* Replay. */
	const int32_t *replay_runs, *replay_choices;
	int replay_runs_count, replay_choices_count, replay_at, chosen_at, following;
	struct s2_divergence diverged;
	/* Random walk, PCT. */
	s2_u64 random;
	int longest, priority[2 * S2_THREADS], changes, lowest, length_estimate;
	struct s2_change change[S2_CHANGES];
	/* The breaker. */
	uint32_t enabled_before, intruders;
};

extern struct s2_plan s2_plan;

/* Follow the schedule, or the strategy, from its beginning. */
S2_OWN void reset_plan(void);
S2_OWN void plan_replay(const int32_t *runs, int count, const int32_t *choices, int chosen);
S2_OWN void plan_seed(s2_u64 seed);
/* Note what of its schedule a run did not use. */
S2_OWN void note_unused(void);
/* The strategy's answer to who runs next, in answer_thread and answer_points. */
S2_OWN void choose_thread(void);
/* One of `options` that the hardware may do; 0 is the mildest. */
S2_OWN int choose(int options);
/* xorshift: 32 bits of the run's own chance. */
S2_OWN uint32_t next_random(void);
S2_OWN int any_of(uint32_t threads);

#endif
