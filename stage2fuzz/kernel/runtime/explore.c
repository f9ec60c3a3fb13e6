/* Many schedules of one scenario: only the first run of each class goes to the oracles. */
#include "classes.h"
#include "door.h"
#include "execute.h"
#include "explore.h"
#include "fold.h"
#include "guard.h"
#include "lasso.h"
#include "places.h"
#include "record.h"
#include "scheduler.h"
#include "strategy.h"
#include "tripwires.h"
#include "window.h"

/* Where a parent process reads which seed was running when this one died. */
static volatile uint64_t nowhere, *running = &nowhere;

S2_OWN void follow_schedule(const int32_t *runs, int count, const int32_t *choices, int chosen)
{
	plan_replay(runs, count, choices, chosen);
	execute();
}

/* The fair run says how long a scenario's runs are; priority change points are drawn from that. */
S2_OWN void estimate_length(void)
{
	if (s2_plan.length_estimate)
		return;
	follow_schedule(NULL, 0, NULL, 0);
	s2_plan.length_estimate = s2_sched.steps > 8 ? s2_sched.steps : 8;
}

S2_PUBLIC void s2_watch(volatile uint64_t *place)
{
	running = place;
}

static void run_threads_of_seed(uint64_t seed)
{
	*running = seed;
	plan_seed(seed);
	execute_threads();
	guard_progress();
}

S2_OWN void run_seed(uint64_t seed)
{
	run_threads_of_seed(seed);
	finish_run();
	guard_progress();
}

/* What the judge says of the last run; where there is none, somebody else has to look at it. */
S2_OWN int asked(s2_judge judge, int lasso)
{
	int said = judge ? judge(s2_log.events, s2_log.events_count, lasso) : 1;

	return said ? said : s2_guard.crashed;
}

static int explore(uint64_t seed, int64_t count, uint64_t scenario, int64_t classes, s2_judge judge,
		   struct s2_explore_counts *told)
{
	int trips = 0, lasso = 0, said = 0;

	begin_guard();
	estimate_length();
	for (; count > 0 && !said && told->classes < classes; count--, seed++) {
		uint64_t class;

		run_threads_of_seed(seed);
		trips = tripped_wires();
		lasso = may_be_lasso();
		class = mix(mix(fold(lasso), scenario), (uint64_t)trips);
		if (remember(class ? class : 1) || s2_guard.crashed) {
			/* The tables are what the class says, so one teardown stands for all; it
			 * takes ten times as long as the run, since it walks every entry. */
			finish_run();
			guard_progress();
			trips = tripped_wires();
			told->classes++;
			said = asked(judge, lasso);
		}
		told->runs++;
		told->steps += s2_sched.steps;
		if (s2_sched.ended == S2_END_LIMIT) {
			S2_ASSERT((unsigned)s2_log.limit < S2_LIMITS, s2_log.limit);
			told->inconclusive++;
			told->limits[s2_log.limit]++;
		}
		told->forgotten += window_forgotten();
	}
	told->restarts += take_restarts();
	told->trips = trips;
	told->lasso = lasso;
	told->judged = said;
	told->ended = s2_sched.ended;
	return said != 0;
}

/* Run seeds `seed` .. `seed + count - 1` until one is worth judging: of a class that none had
 * before, or of a known class with other tripwires. Whether there was one, which is the last run
 * then; -1 is our own bug. `scenario` tells the classes of scenarios apart; with a judge, those
 * that it is content with are passed over. There are no more than `classes` new ones in `told`. */
S2_PUBLIC int32_t s2_explore(uint64_t seed, int64_t count, uint64_t scenario, int64_t classes,
			     s2_judge judge, struct s2_explore_counts *told)
{
	S2_DOOR(-1);
	return explore(seed, count, scenario, classes, judge, told);
}

static int64_t run_bare(uint64_t seed, int64_t count)
{
	int64_t steps = 0;

	begin_guard();
	estimate_length();
	for (int64_t run = 0; run < count; run++) {
		run_seed(seed + (uint64_t)run);
		steps += s2_sched.steps;
	}
	return steps;
}

/* As many runs as `count`, with neither classes nor tripwires: what the engine alone can do, and
 * with `alone` what pgtable.c can without mmu.c. The points that they passed; -1 is our own bug. */
S2_PUBLIC int64_t s2_bare(uint64_t seed, int64_t count, int32_t alone)
{
	int64_t steps;

	s2_options.alone = 0;
	S2_DOOR(-1);
	s2_options.alone = alone;
	steps = run_bare(seed, count);
	s2_options.alone = 0;
	return steps;
}
