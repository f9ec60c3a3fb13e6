/* Locks block in the scheduler, and memslot readers are counted. */
#include "machine.h"

/* A taker is enabled only while the lock is free, and the point it passes is the acquisition. */
void s2_lock(int name, int shared)
{
	struct s2_lock *lock = &s2.lock[name];
	struct s2_thread *me = &s2.thread[s2.current];

	if (!name || s2.silent)
		return;
	if (s2.plain_entry)
		s2_record_plain();
	if (!s2.left || lock->writer >= 0 || (!shared && lock->readers)) {
		me->wait = shared ? S2_FOR_LOCK_SHARED : S2_FOR_LOCK;
		me->wait_name = name;
		me->pending_kind = S2_LOCK;
		me->pending_where = name;
		s2_dispatch();
		me->wait = S2_RUNNABLE;
	}
	s2.left--;
	if (shared)
		lock->readers++;
	else
		lock->writer = s2.current;
	s2_record(S2_LOCK, name, 0, 0, shared);
}

void s2_unlock(int name, int shared)
{
	if (!name || s2.silent)
		return;
	s2_point(S2_UNLOCK, name);
	if (shared)
		s2.lock[name].readers--;
	else
		s2.lock[name].writer = -1;
	s2_record(S2_UNLOCK, name, 0, 0, shared);
}

int s2_lock_contended(int name)
{
	for (int i = 0; i < s2.threads; i++)
		if (!s2.thread[i].ended && i != s2.current && s2.thread[i].wait_name == name &&
		    (s2.thread[i].wait == S2_FOR_LOCK || s2.thread[i].wait == S2_FOR_LOCK_SHARED))
			return 1;
	return 0;
}

void s2_slots_read_lock(void)
{
	if (!s2.silent)
		s2.thread[s2.current].reader_epoch = s2.slots_epoch;
}

void s2_slots_read_unlock(void)
{
	if (!s2.silent)
		s2.thread[s2.current].reader_epoch = -1;
}
