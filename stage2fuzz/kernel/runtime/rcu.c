/* RCU: a deferred free runs as soon as no reader that was there before is left. */
#include "pages.h"
#include "rcu.h"
#include "record.h"
#include "scheduler.h"

struct s2_rcu s2_rcu;

S2_OWN void reset_rcu(void)
{
	s2_rcu.deferred_count = 0;
}

void s2_rcu_lock(void)
{
	if (s2_sched.silent)
		return;
	s2_record(S2_RCU_LOCK, 0, 0, 0, 0);
	running_thread()->rcu_depth++;
}

/* Nobody can see the unlinked tables any more, so their empty entries are no steps. */
static void run_deferred(void)
{
	struct s2_thread *me = running_thread();
	int sparse = me->sparse;

	me->sparse = 1;
	for (int i = 0; i < s2_rcu.deferred_count; i++) {
		void *head = s2_rcu.deferred[i];
		void (*callback)(void *) = s2_rcu.deferred_callback[i];

		if (s2_rcu.deferred_readers[i])
			continue;
		s2_rcu.deferred_count--;
		for (int j = i; j < s2_rcu.deferred_count; j++) {
			s2_rcu.deferred[j] = s2_rcu.deferred[j + 1];
			s2_rcu.deferred_callback[j] = s2_rcu.deferred_callback[j + 1];
			s2_rcu.deferred_readers[j] = s2_rcu.deferred_readers[j + 1];
		}
		i = -1;
		callback(head);
	}
	me->sparse = sparse;
}

void s2_rcu_unlock(void)
{
	if (s2_sched.silent)
		return;
	s2_record(S2_RCU_UNLOCK, 0, 0, 0, 0);
	if (--running_thread()->rcu_depth || !s2_rcu.deferred_count)
		return;
	for (int i = 0; i < s2_rcu.deferred_count; i++)
		s2_rcu.deferred_readers[i] &= ~(1u << s2_sched.current);
	run_deferred();
}

void s2_defer(void *head, void (*callback)(void *))
{
	const struct s2_page *page = (const struct s2_page *)
		((char *)head - offsetof(struct s2_page, rcu_next));
	uint32_t readers = 0;

	/* The user's code freed what is no table page. */
	if (page < s2_page_table || page >= s2_page_table + S2_PAGES)
		s2_bug();
	if (s2_rcu.deferred_count == S2_DEFERRED)
		give_up(S2_LIMIT_DEFERRED_FREES);
	for (int i = 0; i < s2_sched.threads; i++)
		readers |= (uint32_t)(s2_sched.thread[i].rcu_depth > 0) << i;
	s2_record(S2_FREE_DEFERRED, page_address(page), 0, 0, 0);
	s2_rcu.deferred[s2_rcu.deferred_count] = head;
	s2_rcu.deferred_callback[s2_rcu.deferred_count] = callback;
	s2_rcu.deferred_readers[s2_rcu.deferred_count++] = readers;
	if (!readers)
		run_deferred();
}
