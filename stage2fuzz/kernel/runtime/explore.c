/* Many schedules of one scenario: only the first run of each class goes to the oracles. */
#include "machine.h"

/* Where a parent process reads which seed was running when this one died. */
static volatile uint64_t nowhere, *running = &nowhere;

static void follow_schedule(const int32_t *runs, int count, const int32_t *choices, int chosen)
{
	s2.strategy = S2_REPLAY;
	s2.replay_runs = runs;
	s2.replay_runs_count = count;
	s2.replay_choices = choices;
	s2.replay_choices_count = chosen;
	s2_execute();
}

/* The fair run says how long a scenario's runs are; priority change points are drawn from that. */
static void estimate_length(void)
{
	if (s2.length_estimate)
		return;
	follow_schedule(NULL, 0, NULL, 0);
	s2.length_estimate = s2.steps > 8 ? s2.steps : 8;
}

S2_PUBLIC void s2_watch(volatile uint64_t *place)
{
	running = place;
}

static void run_seed(uint64_t seed)
{
	*running = seed;
	s2_strategy_random(seed);
	s2_execute();
	s2_guard_progress();
}

/* The run of one seed; a pure function of scenario and seed. */
S2_PUBLIC int s2_run_seed(uint64_t seed)
{
	s2_guard_begin();
	estimate_length();
	run_seed(seed);
	return s2.ended;
}

S2_PUBLIC uint64_t s2_class(void)
{
	return fold();
}

/* What s2_explore() did so far, and of the last run its tripwires and how it ended. */
struct s2_figures {
	int64_t runs, steps, inconclusive, restarts, trips, ended;
};

/* Run seeds `seed` .. `seed + count - 1` until one is worth judging: of a class that none had
 * before, or of a known class with other tripwires. Whether there was one; it is the last run.
 * `scenario` tells the classes of scenarios apart. */
S2_PUBLIC int s2_explore(uint64_t seed, int64_t count, uint64_t scenario, struct s2_figures *told)
{
	int trips = 0, fresh = 0;

	s2_guard_begin();
	estimate_length();
	for (; count > 0 && !fresh; count--, seed++) {
		uint64_t class;

		run_seed(seed);
		trips = tripped_wires();
		class = mix(mix(fold(), scenario), (uint64_t)trips);
		fresh = remember(class ? class : 1) || s2.crashed;
		told->runs++;
		told->steps += s2.steps;
		told->inconclusive += s2.ended == S2_END_LIMIT;
	}
	told->restarts += classes.restarts;
	classes.restarts = 0;
	told->trips = trips;
	told->ended = s2.ended;
	return fresh;
}

/* As many runs as `count`, with neither classes nor tripwires: what the engine alone can do, and
 * with `alone` what pgtable.c can without mmu.c. */
S2_PUBLIC int64_t s2_bare(uint64_t seed, int64_t count, int alone)
{
	int64_t steps = 0;

	s2_options.alone = alone;
	s2_guard_begin();
	estimate_length();
	for (int64_t run = 0; run < count; run++) {
		run_seed(seed + (uint64_t)run);
		steps += s2.steps;
	}
	s2_options.alone = 0;
	return steps;
}
