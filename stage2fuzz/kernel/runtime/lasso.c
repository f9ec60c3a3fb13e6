/* Whether a run may hold a lasso: the same state twice, without progress in between.
 *
 * The oracle of progress (g1_progress.py) compares whole states, which depend on more than the
 * class of a run says. What it calls equal is equal here too: the entries without the names of
 * pages, and how far each thread has come since it last re-entered the guest. So a run that shows
 * nothing twice here shows it nothing either, and the others, which are few, are told apart by all
 * their events.
 */
#include <string.h>
#include "lasso.h"
#include "pages.h"
#include "places.h"
#include "record.h"
#include "scheduler.h"

#define LASSO_STATES 64

struct lasso {
	uint64_t tree, page[S2_PAGES];
	int since[S2_THREADS], last[S2_THREADS], ended[S2_THREADS];
	int states, at[LASSO_STATES];
	uint64_t state[LASSO_STATES];
};

static struct lasso lasso;

/* What an entry adds to the state; a table counts as such, wherever it lies. */
static uint64_t entry_term(uint64_t where, uint64_t entry)
{
	if (!(entry & 1))
		return 0;
	if ((entry & 2) && (entry & S2_PTE_ADDRESS) - S2_TABLE_BASE < S2_ARENA_SIZE)
		entry = 3;
	return mix(where & (S2_PAGE_SIZE - 1), entry);
}

static void note_tree(const struct s2_event *event)
{
	uint64_t where = (uint64_t)event->where, change;
	uint64_t page = (where - S2_TABLE_BASE) >> S2_PAGE_SHIFT;

	S2_ASSERT(page < S2_PAGES, where);
	if (event->kind == S2_FREE) {
		lasso.tree -= lasso.page[page];
		lasso.page[page] = 0;
		return;
	}
	change = entry_term(where, (uint64_t)event->new_) - entry_term(where, (uint64_t)event->old);
	lasso.tree += change;
	lasso.page[page] += change;
}

/* A store that is pending changes nothing before it is drained. */
static int changes_tree(const struct s2_event *event)
{
	switch (event->kind) {
	case S2_STORE:
		return !(event->aux & S2_PENDING);
	case S2_HARDWARE_AF: case S2_DRAIN: case S2_FREE:
		return 1;
	}
	return 0;
}

static int is_progress(const struct s2_event *event)
{
	switch (event->kind) {
	case S2_ACCESS: case S2_THREAD_END:
		return 1;
	case S2_RESUME:
		return event->new_ != 1 && event->new_ != -S2_EAGAIN;
	case S2_RETURN:
		return event->aux >= S2_FIRST_HOST_CALL;
	}
	return 0;
}

/* Whether each thread that has not ended ran after event `since`. */
static int all_ran(int since)
{
	for (int i = 0; i < s2_sched.threads; i++)
		if (!lasso.ended[i] && lasso.last[i] <= since)
			return 0;
	return 1;
}

/* Whether the state after event `index` was there before, in a cycle in which all ran. */
static int is_seen(int index)
{
	uint64_t state = lasso.tree;

	for (int i = 0; i < s2_sched.threads; i++)
		state += mix((uint64_t)i + 1, (uint64_t)lasso.since[i]);
	for (int i = 0; i < lasso.states; i++)
		if (lasso.state[i] == state && all_ran(lasso.at[i]))
			return 1;
	if (lasso.states == LASSO_STATES)
		return 1;
	lasso.at[lasso.states] = index;
	lasso.state[lasso.states++] = state;
	return 0;
}

S2_OWN int may_be_lasso(void)
{
	memset(lasso.page, 0, sizeof(lasso.page[0]) * (size_t)s2_memory.next_page);
	memset(lasso.since, 0, sizeof(lasso.since));
	memset(lasso.last, 0, sizeof(lasso.last));
	memset(lasso.ended, 0, sizeof(lasso.ended));
	lasso.tree = 0;
	lasso.states = 0;
	for (int i = 0; i < s2_log.events_count; i++) {
		const struct s2_event *event = &s2_log.events[i];
		int thread = event->thread;

		if (changes_tree(event))
			note_tree(event);
		if (is_progress(event))
			lasso.states = 0;
		if (thread < 0 || event->kind == S2_DRAIN)
			continue;
		lasso.last[thread] = i;
		lasso.since[thread]++;
		if (event->kind == S2_THREAD_END)
			lasso.ended[thread] = 1;
		if (event->kind == S2_RESUME || event->kind == S2_ACCESS ||
		    event->kind == S2_THREAD_END)
			lasso.since[thread] = 0;
		if (event->kind == S2_RESUME && is_seen(i))
			return 1;
	}
	return 0;
}
