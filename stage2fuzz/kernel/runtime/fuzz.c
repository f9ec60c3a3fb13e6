/* One fuzz input: the schedule that its bytes spell, then a burst of strategies beside it. */
#include "machine.h"

/* Run the schedule (number 0), then seeds `seed` .. `seed + burst - 1` (1 and on); add the features
 * of all to `counters`, write (number, tripped) of those that are worth judging to `kept`, which has
 * room for all of them. `figures`: runs, features that are new. */
S2_PUBLIC int s2_fuzz(const int32_t *runs, int count, const int32_t *choices, int chosen,
		      uint64_t seed, int burst, uint8_t *counters, uint64_t *kept, int64_t *figures)
{
	int used = 0, number;

	s2_guard_begin();
	estimate_length();
	for (number = 0; number <= burst; number++) {
		if (number)
			run_seed(seed + (uint64_t)number - 1);
		else
			follow_schedule(runs, count, choices, chosen);
		count_features(counters);
		if (remember(fold())) {
			kept[2 * used] = (uint64_t)number;
			kept[2 * used++ + 1] = tripped_wires() != 0;
		}
		if (s2.crashed)
			break;
	}
	figures[0] = number <= burst ? number + 1 : number;
	figures[1] = new_features(counters);
	return used;
}
