/* How a failed assertion ends the run, and what it says. */
#include <stdio.h>
#include <string.h>
#include "assertion.h"
#include "door.h"
#include "guard.h"
#include "scheduler.h"

jmp_buf s2_door;
static char words[512];

void s2_fail(const char *file, int line, const char *function, const char *condition,
	     long long number)
{
	const char *name = strrchr(file, '/');

	snprintf(words, sizeof(words), "%s:%d: %s(): %s does not hold (%lld)",
		 name ? name + 1 : file, line, function, condition, number);
	s2_guard.inside = 0;
	s2_sched.ended = S2_END_BUG;
	_longjmp(s2_door, 1);
}

/* What the last failed assertion said. */
S2_PUBLIC const char *s2_failure(void)
{
	return words;
}
