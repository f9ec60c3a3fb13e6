/* EL2's spin locks, known by their addresses; each is a lock of the scheduler with a number. */
#include "assertion.h"
#include "el2_locks.h"
#include "locks.h"
#include "machine.h"
#include "observe.h"
#include "record.h"
#include "scheduler.h"

/* Static ones that no header names, in the order in which they were first taken. */
#define OTHERS 4
static const void *other[OTHERS];

struct el2_held el2_held;

static int name_of(const void *lock)
{
	int name = el2_lock_name(lock, el2_machine.vm_at);

	for (int i = 0; name == S2_LOCK_EL2_OTHER; i++) {
		S2_ASSERT(i < OTHERS, i);
		if (!other[i])
			other[i] = lock;
		if (other[i] == lock)
			return S2_LOCK_EL2_OTHER + i;
	}
	return name;
}

S2_OWN void reset_held(void)
{
	for (int i = 0; i < S2_THREADS; i++)
		el2_held.mask[i] = 0;
	el2_held.all = 0;
}

void s2_lock_at(const void *lock)
{
	int name;

	if (s2_sched.silent)
		return;
	name = name_of(lock);
	s2_lock(name, 0);
	el2_held.mask[s2_sched.current] |= 1u << name;
	el2_held.all |= 1u << name;
}

void s2_unlock_at(const void *lock)
{
	int name;

	if (s2_sched.silent)
		return;
	name = name_of(lock);
	if (name >= S2_LOCK_GUEST && name < S2_LOCK_GUEST_POOL)
		note_entry_left(name - S2_LOCK_GUEST);
	s2_unlock(name, 0);
	el2_held.mask[s2_sched.current] &= ~(1u << name);
	el2_held.all &= ~(1u << name);
	if (!(el2_held.all & STATE_LOCKS))
		observe();
}

/* As the kernel's own assertion: held by anybody. */
int s2_is_locked_at(const void *lock)
{
	return s2_sched.silent || (el2_held.all >> name_of(lock) & 1);
}
