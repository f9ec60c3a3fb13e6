/* Locks block in the scheduler, and memslot readers are counted. */
#include "hostpages.h"
#include "locks.h"
#include "record.h"
#include "scheduler.h"
#include "step.h"
#include "storebuffer.h"

struct s2_lock s2_locks[S2_LOCKS];

S2_OWN void reset_locks(void)
{
	for (int i = 0; i < S2_LOCKS; i++) {
		s2_locks[i].writer = -1;
		s2_locks[i].readers = 0;
	}
}

static struct s2_lock *lock_named(int name)
{
	S2_ASSERT((unsigned)name < S2_LOCKS, name);
	return &s2_locks[name];
}

/* A taker is enabled only while the lock is free, and the point it passes is the acquisition. */
void s2_lock(int name, int shared)
{
	struct s2_lock *lock = lock_named(name);
	struct s2_thread *me;

	if (!name || s2_sched.silent)
		return;
	me = running_thread();
	if (s2_log.plain_entry)
		record_plain();
	if (!s2_sched.left || !is_lock_free(name, shared)) {
		me->wait = shared ? S2_FOR_LOCK_SHARED : S2_FOR_LOCK;
		me->wait_name = name;
		me->pending_kind = S2_LOCK;
		me->pending_where = name;
		dispatch();
		me->wait = S2_RUNNABLE;
	}
	s2_sched.left--;
	if (shared)
		lock->readers++;
	else
		lock->writer = s2_sched.current;
	me->locks_held++;
	s2_record(S2_LOCK, name, 0, 0, shared);
}

void s2_unlock(int name, int shared)
{
	if (!name || s2_sched.silent)
		return;
	if (s2_scenario.pending_stores) {
		if (s2_log.plain_entry)
			record_plain();
		empty_storebuffer();
	}
	s2_point(S2_UNLOCK, name);
	if (shared)
		lock_named(name)->readers--;
	else
		lock_named(name)->writer = -1;
	running_thread()->locks_held--;
	s2_record(S2_UNLOCK, name, 0, 0, shared);
}

S2_OWN int is_lock_free(int name, int shared)
{
	const struct s2_lock *lock = lock_named(name);

	return lock->writer < 0 && (shared || !lock->readers);
}

int s2_lock_contended(int name)
{
	for (int i = 0; i < s2_sched.threads; i++) {
		const struct s2_thread *thread = &s2_sched.thread[i];

		if (thread->ended || i == s2_sched.current || thread->wait_name != name)
			continue;
		if (thread->wait == S2_FOR_LOCK || thread->wait == S2_FOR_LOCK_SHARED)
			return 1;
	}
	return 0;
}

void s2_slots_read_lock(void)
{
	if (!s2_sched.silent)
		running_thread()->reader_epoch = s2_host.slots_epoch;
}

void s2_slots_read_unlock(void)
{
	if (!s2_sched.silent)
		running_thread()->reader_epoch = -1;
}

S2_OWN void check_nothing_held(void)
{
	const struct s2_thread *me = running_thread();

	if (me->locks_held || me->rcu_depth || me->reader_epoch >= 0)
		s2_warn(S2_WARN_STILL_HELD);
}
