/* One fuzz input: the schedule that its bytes spell, then a burst of strategies beside it. */
#include "classes.h"
#include "door.h"
#include "explore.h"
#include "features.h"
#include "fold.h"
#include "guard.h"
#include "lasso.h"
#include "scheduler.h"
#include "tripwires.h"

static void run_input(int number, const int32_t *runs, int count, const int32_t *choices,
		      int chosen, uint64_t seed)
{
	if (number)
		run_seed(seed + (uint64_t)number - 1);
	else
		follow_schedule(runs, count, choices, chosen);
}

/* Run the schedule (number 0), then seeds `seed` .. `seed + burst - 1` (1 and on); add the features
 * of all to `counters`, write those that are worth judging to `kept`, which has room for all
 * (with a judge, those only that it is not content with). A crash is the last run. How the last
 * run ended; S2_END_BUG is our own bug. */
S2_PUBLIC int32_t s2_fuzz(const int32_t *runs, int32_t count, const int32_t *choices,
			  int32_t chosen, uint64_t seed, int32_t burst, uint8_t *counters,
			  s2_judge judge, struct s2_burst_run *kept, struct s2_burst_counts *told)
{
	int lasso, said;

	S2_DOOR(S2_END_BUG);
	begin_guard();
	estimate_length();
	told->kept = told->classes = 0;
	for (int number = 0; number <= burst; number++) {
		run_input(number, runs, count, choices, chosen, seed);
		told->runs = number + 1;
		count_features(counters);
		lasso = may_be_lasso();
		if (remember(fold(lasso)) && (told->classes++, said = asked(judge, lasso))) {
			kept[told->kept].number = number;
			kept[told->kept].lasso = lasso;
			kept[told->kept].judged = said;
			kept[told->kept++].tripped = tripped_wires() != 0;
		}
		if (s2_guard.crashed)
			break;
	}
	told->features = new_features(counters);
	return s2_sched.ended;
}
