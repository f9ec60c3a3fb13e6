/* The kernel code's own edge counters, for libFuzzer: only their ranges are noted here.
 *
 * Registering them is left to whoever drives Atheris: it must happen after its Setup().
 */
#include "abi.h"

static char *counters[2];
static const void *program_counters[2];

void __sanitizer_cov_8bit_counters_init(char *start, char *stop)
{
	if (!counters[0] || start < counters[0])
		counters[0] = start;
	if (stop > counters[1])
		counters[1] = stop;
}

void __sanitizer_cov_pcs_init(const void *start, const void *stop)
{
	if (!program_counters[0] || (const char *)start < (const char *)program_counters[0])
		program_counters[0] = start;
	if ((const char *)stop > (const char *)program_counters[1])
		program_counters[1] = stop;
}

S2_PUBLIC void s2_coverage(struct s2_ranges *out)
{
	out->counters = (uintptr_t)counters[0];
	out->counters_end = (uintptr_t)counters[1];
	out->table = (uintptr_t)program_counters[0];
	out->table_end = (uintptr_t)program_counters[1];
}
