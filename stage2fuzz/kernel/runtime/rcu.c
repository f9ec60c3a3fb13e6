/* RCU: a deferred free runs as soon as no reader that was there before is left. */
#include "machine.h"

void s2_rcu_lock(void)
{
	if (s2.silent)
		return;
	s2_record(S2_RCU_LOCK, 0, 0, 0, 0);
	s2.thread[s2.current].rcu_depth++;
}

/* Nobody can see the unlinked tables any more, so their empty entries are no steps. */
static void run_deferred(void)
{
	int sparse = s2.thread[s2.current].sparse;

	s2.thread[s2.current].sparse = 1;
	for (int i = 0; i < s2.deferred_count; i++) {
		void *head = s2.deferred[i];
		void (*callback)(void *) = s2.deferred_callback[i];

		if (s2.deferred_readers[i])
			continue;
		s2.deferred_count--;
		for (int j = i; j < s2.deferred_count; j++) {
			s2.deferred[j] = s2.deferred[j + 1];
			s2.deferred_callback[j] = s2.deferred_callback[j + 1];
			s2.deferred_readers[j] = s2.deferred_readers[j + 1];
		}
		i = -1;
		callback(head);
	}
	s2.thread[s2.current].sparse = sparse;
}

void s2_rcu_unlock(void)
{
	if (s2.silent)
		return;
	s2_record(S2_RCU_UNLOCK, 0, 0, 0, 0);
	if (--s2.thread[s2.current].rcu_depth || !s2.deferred_count)
		return;
	for (int i = 0; i < s2.deferred_count; i++)
		s2.deferred_readers[i] &= ~(1u << s2.current);
	run_deferred();
}

void s2_defer(void *head, void (*callback)(void *))
{
	const struct s2_page *page = (const struct s2_page *)
		((char *)head - offsetof(struct s2_page, rcu_next));
	uint32_t readers = 0;

	if (s2.deferred_count == 64)
		s2_give_up(S2_LIMIT_STEPS);
	for (int i = 0; i < s2.threads; i++)
		readers |= (uint32_t)(s2.thread[i].rcu_depth > 0) << i;
	s2_record(S2_FREE_DEFERRED, page_address(page), 0, 0, 0);
	s2.deferred[s2.deferred_count] = head;
	s2.deferred_callback[s2.deferred_count] = callback;
	s2.deferred_readers[s2.deferred_count++] = readers;
	if (!readers)
		run_deferred();
}
