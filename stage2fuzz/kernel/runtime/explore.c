/* Many schedules of one scenario: few of them go to the oracles. */
#include <string.h>
#include "machine.h"

#define CLASSES (1 << 20)

void s2_strategy_random(s2_u64 seed);
void s2_guard_progress(void);

static uint64_t classes[CLASSES];
static uint32_t classes_count;
/* Where a parent process reads which seed was running when this one died. */
static volatile uint64_t nowhere, *running = &nowhere;

/* Whether the class is new; when the table is three quarters full it starts afresh. */
static int remember(uint64_t class)
{
	uint32_t at = (uint32_t)(class >> 40) & (CLASSES - 1);

	while (classes[at]) {
		if (classes[at] == class)
			return 0;
		at = (at + 1) & (CLASSES - 1);
	}
	if (classes_count >= CLASSES / 4 * 3) {
		memset(classes, 0, sizeof(classes));
		classes_count = 0;
		at = (uint32_t)(class >> 40) & (CLASSES - 1);
	}
	classes[at] = class;
	classes_count++;
	return 1;
}

S2_PUBLIC void s2_forget_classes(void)
{
	memset(classes, 0, sizeof(classes));
	classes_count = 0;
}

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

/* Run seeds `seed` .. `seed + count - 1`; write (seed, class, trips) of those worth judging, those
 * with a tripwire before those of a new class. `figures`: runs, new classes, tripped, steps,
 * preemptions, whether the last run crashed. Ends early after that, since memory may be damaged. */
S2_PUBLIC int s2_explore(uint64_t seed, int64_t count, uint64_t *kept, int room, int64_t *figures)
{
	int used = 0, tripped = 0;
	int64_t run;

	memset(figures, 0, 6 * sizeof(*figures));
	s2_guard_begin();
	estimate_length();
	for (run = 0; run < count; run++) {
		uint64_t class;
		int trips;

		if (run && s2.crashed)
			break;
		run_seed(seed + (uint64_t)run);
		class = fold();
		figures[3] += s2.steps;
		figures[4] += s2.preemptions;
		if (!remember(class))
			continue;
		trips = tripped_wires();
		figures[1]++;
		figures[2] += trips != 0;
		if (used == room && trips && tripped < room)
			used--;
		if (used == room)
			continue;
		if (trips && tripped < used) {
			memmove(kept + 3 * (tripped + 1), kept + 3 * tripped,
				24UL * (unsigned long)(used - tripped));
			kept[3 * tripped] = seed + (uint64_t)run;
			kept[3 * tripped + 1] = class;
			kept[3 * tripped + 2] = (uint64_t)trips;
		} else {
			kept[3 * used] = seed + (uint64_t)run;
			kept[3 * used + 1] = class;
			kept[3 * used + 2] = (uint64_t)trips;
		}
		tripped += trips != 0;
		used++;
	}
	figures[0] = run;
	figures[5] = s2.crashed;
	return used;
}

/* As many runs as `count`, with neither classes nor tripwires: what the engine alone can do. */
S2_PUBLIC int64_t s2_bare(uint64_t seed, int64_t count)
{
	int64_t steps = 0;

	s2_guard_begin();
	estimate_length();
	for (int64_t run = 0; run < count; run++) {
		run_seed(seed + (uint64_t)run);
		steps += s2.steps;
	}
	return steps;
}
