/* The record of a run: its events, the schedule that was executed, the choices that were made. */
#ifndef STAGE2FUZZ_RECORD_H
#define STAGE2FUZZ_RECORD_H

#include "abi.h"
#include "scheduler.h"
#include "sites.h"

#define S2_RUNS 32768

struct s2_log {
	int events_count, runs_count, choices_count, plain_loads;
	/* The first limit that the run went over (LIMIT_*); it ends at its next decision. */
	int limit;
	/* A plain store whose new value is known only when the thread next enters the runtime. */
	volatile s2_u64 *plain_entry;
	s2_u64 plain_old;
	/* One more than a run may fill: the event that says so. */
	struct s2_event events[S2_EVENTS + 1];
	struct s2_run runs[S2_RUNS];
	int32_t choices[S2_RUNS];
};

extern struct s2_log s2_log;

S2_OWN void reset_log(void);
S2_OWN void record_choice(int chosen);
/* The run's last event: there is always room for it, and it is recorded in set-up, too. */
S2_OWN void record_last(int kind, int64_t where, int aux);
/* The run goes over a limit: it ends, and its last event says of what. */
S2_OWN void record_limit(int limit);
/* entries.c: what the plain store wrote, now that it is known. */
S2_OWN void record_plain(void);

/* Something happened in the running thread. */
static inline void s2_record(int kind, int64_t where, int64_t old, int64_t new_, int aux)
{
	struct s2_event *event = &s2_log.events[s2_log.events_count];

	if (__builtin_expect(s2_log.plain_entry != NULL, 0))
		record_plain(), event = &s2_log.events[s2_log.events_count];
	if (__builtin_expect(s2_sched.silent, 0))
		return;
	if (__builtin_expect(s2_log.events_count >= S2_EVENTS, 0)) {
		if (!s2_log.limit)
			s2_log.limit = S2_LIMIT_EVENTS;
		return;
	}
	event->kind = (int16_t)kind;
	event->thread = (int16_t)s2_sched.current;
	event->aux = aux;
	event->where = where;
	event->old = old;
	event->new_ = new_;
	if (__builtin_expect(s2_sites.on, 0))
		note_stack(s2_sites.stack[s2_log.events_count]);
	s2_log.events_count++;
}

#endif
