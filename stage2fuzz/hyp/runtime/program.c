/* Reading a scenario, and running the calls of one host CPU. */
#include "execute.h"
#include "host.h"
#include "machine.h"
#include "observe.h"
#include "program.h"
#include "record.h"
#include "scheduler.h"

struct el2_scenario el2_scenario;

S2_OWN int64_t read_scenario(const int64_t *numbers, int64_t length)
{
	struct el2_scenario *to = &el2_scenario;
	const int64_t *at = numbers + 3;

	if (length < 3 || numbers[0] < 1 || numbers[0] > S2_MAX_CPUS)
		return -1;
	to->cpus = (int)numbers[0];
	to->fwb = (int)numbers[1];
	to->teardown = (int)numbers[2];
	for (int cpu = 0; cpu < to->cpus; cpu++) {
		if (at >= numbers + length || *at < 0 || *at > S2_MAX_HYP_CALLS)
			return -1;
		to->cpu[cpu].calls = (int)*at++;
		if (at + 5 * to->cpu[cpu].calls > numbers + length)
			return -1;
		for (int i = 0; i < to->cpu[cpu].calls; i++, at += 5) {
			struct el2_call call = { (int)at[0], (int)at[1], (int)at[2], (int)at[3],
						 (int)at[4] };

			to->cpu[cpu].call[i] = call;
		}
	}
	return at - numbers;
}

S2_OWN void run_program(int cpu)
{
	for (int i = 0; i < el2_scenario.cpu[cpu].calls; i++)
		run_call(cpu, &el2_scenario.cpu[cpu].call[i]);
}
