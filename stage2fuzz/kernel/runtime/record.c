/* The record of a run, and the events that end it. */
#include "record.h"

struct s2_log s2_log;

S2_OWN void reset_log(void)
{
	s2_log.events_count = s2_log.runs_count = s2_log.choices_count = s2_log.plain_loads = 0;
	s2_log.limit = 0;
	s2_log.plain_entry = NULL;
}

S2_OWN void record_choice(int chosen)
{
	if (s2_log.choices_count < S2_RUNS)
		s2_log.choices[s2_log.choices_count++] = chosen;
	else if (!s2_log.limit)
		s2_log.limit = S2_LIMIT_CHOICES;
}

S2_OWN void record_last(int kind, int64_t where, int aux)
{
	struct s2_event event = { (int16_t)kind, (int16_t)s2_sched.current, aux, where, 0, 0 };

	if (s2_log.plain_entry)
		record_plain();
	S2_ASSERT(s2_log.events_count <= S2_EVENTS, s2_log.events_count);
	if (s2_sites.on)
		note_stack(s2_sites.stack[s2_log.events_count]);
	s2_log.events[s2_log.events_count++] = event;
}

S2_OWN void record_limit(int limit)
{
	s2_log.limit = limit;
	s2_sched.ended = S2_END_LIMIT;
	record_last(S2_LIMIT, 0, limit);
}
