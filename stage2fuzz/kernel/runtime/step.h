/* A scheduling point before each shared step. */
#ifndef STAGE2FUZZ_STEP_H
#define STAGE2FUZZ_STEP_H

#include "record.h"
#include "scheduler.h"

/* The running thread is about to do the shared step (kind, where). */
static inline void s2_point(int kind, int64_t where)
{
	if (__builtin_expect(s2_log.plain_entry != NULL, 0))
		record_plain();
	if (!s2_sched.left) {
		struct s2_thread *me = running_thread();

		me->pending_kind = kind;
		me->pending_where = where;
		dispatch();
	}
	s2_sched.left--;
}

#endif
