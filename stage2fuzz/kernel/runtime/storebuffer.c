/* Pending stores: buffered, shown to their own CPU, made visible one by one. */
#include <string.h>
#include "assertion.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "storebuffer.h"
#include "strategy.h"
#include "tables.h"
#include "window.h"
#include "words.h"

struct s2_storebuffers s2_storebuffers;

S2_OWN void reset_storebuffers(void)
{
	s2_storebuffers.shown = -1;
	memset(s2_storebuffers.count, 0, sizeof(s2_storebuffers.count));
}

/* ---- what memory shows ---- */

S2_OWN int hide_shown_stores(void)
{
	int shown = s2_storebuffers.shown;

	if (shown < 0)
		return 0;
	for (int i = s2_storebuffers.count[shown] - 1; i >= 0; i--) {
		struct s2_buffered_store *each = &s2_storebuffers.store[shown][i];

		if (each->at)
			*each->at = each->covered;
		each->covered = 0;
	}
	s2_storebuffers.shown = -1;
	return 1;
}

S2_OWN void show_own_stores(void)
{
	int me = s2_sched.current;

	S2_ASSERT((unsigned)me < S2_THREADS && s2_storebuffers.shown < 0, me);
	if (!s2_storebuffers.count[me])
		return;
	for (int i = 0; i < s2_storebuffers.count[me]; i++) {
		struct s2_buffered_store *each = &s2_storebuffers.store[me][i];

		if (!each->at)
			continue;
		each->covered = *each->at;
		*each->at = each->value;
	}
	s2_storebuffers.shown = me;
}

/* ---- what becomes visible ---- */

/* The stores that may become visible next: none older to the same entry, no barrier before it, and
 * a store-release only when it is the oldest. How many; their places in `ready`. */
static int ready_stores(int of, int *ready)
{
	const struct s2_buffered_store *store = s2_storebuffers.store[of];
	int count = 0;

	for (int i = 0; i < s2_storebuffers.count[of] && store[i].at; i++) {
		int held_back = store[i].order == S2_ORDER_RELEASE && i;

		for (int j = 0; j < i && !held_back; j++)
			held_back = store[j].at == store[i].at;
		if (!held_back)
			ready[count++] = i;
	}
	return count;
}

static void take_out(int of, int index, int how_many)
{
	struct s2_buffered_store *from = &s2_storebuffers.store[of][index];

	s2_storebuffers.count[of] -= how_many;
	memmove(from, from + how_many,
		sizeof(*from) * (size_t)(s2_storebuffers.count[of] - index));
}

static void record_drain(int of, volatile s2_u64 *at, s2_u64 old, s2_u64 value)
{
	int running = s2_sched.current, event = s2_log.events_count;

	s2_sched.current = of;
	s2_record(S2_DRAIN, (int64_t)s2_pa(at), (int64_t)old, (int64_t)value, 0);
	s2_sched.current = running;
	/* No code stands where a store becomes visible. */
	if (s2_sites.on && event < s2_log.events_count)
		memset(s2_sites.stack[event], 0, sizeof(s2_sites.stack[event]));
}

static void drain(int of, int index)
{
	struct s2_buffered_store one = s2_storebuffers.store[of][index];
	int marks = 0;
	s2_u64 old;

	S2_ASSERT(s2_storebuffers.shown < 0 && one.at, of);
	old = *one.at;
	take_out(of, index, 1);
	while (marks < s2_storebuffers.count[of] && !s2_storebuffers.store[of][marks].at)
		marks++;
	take_out(of, 0, marks);
	*one.at = one.value;
	note_word(one.at, old);
	if (s2_scenario.tlb)
		window_write(s2_pa(one.at), old, one.value);
	record_drain(of, one.at, old, one.value);
}

S2_OWN void buffer_store(volatile s2_u64 *at, s2_u64 old, s2_u64 value, int order)
{
	int me = s2_sched.current, *count;

	S2_ASSERT((unsigned)me < S2_THREADS, me);
	count = &s2_storebuffers.count[me];
	if (*count == S2_BUFFERED) {
		*at = old;
		hide_shown_stores();
		drain(me, 0);
		show_own_stores();
		old = *at;
		*at = value;
	}
	s2_storebuffers.store[me][(*count)++] = (struct s2_buffered_store){ at, value, old, order };
	s2_storebuffers.shown = me;
}

S2_OWN void order_stores(void)
{
	int me = s2_sched.current, *count;

	S2_ASSERT((unsigned)me < S2_THREADS, me);
	count = &s2_storebuffers.count[me];
	if (*count == S2_BUFFERED)
		empty_storebuffer();
	if (*count && s2_storebuffers.store[me][*count - 1].at)
		s2_storebuffers.store[me][(*count)++] = (struct s2_buffered_store){ 0 };
}

S2_OWN void empty_storebuffer(void)
{
	int me = s2_sched.current;

	S2_ASSERT((unsigned)me < S2_THREADS, me);
	hide_shown_stores();
	while (s2_storebuffers.count[me])
		drain(me, 0);
}

S2_OWN void empty_storebuffer_of(const void *page)
{
	int me = s2_sched.current;

	S2_ASSERT((unsigned)me < S2_THREADS, me);
	for (int i = 0; i < s2_storebuffers.count[me]; i++) {
		const volatile char *at = (const volatile char *)s2_storebuffers.store[me][i].at;

		if (at && (s2_u64)(at - (const volatile char *)page) < S2_PAGE_SIZE) {
			empty_storebuffer();
			return;
		}
	}
}

/* ---- what is scheduled ---- */

S2_OWN uint32_t waiting_storebuffers(void)
{
	uint32_t waiting = 0;

	for (int i = 0; i < s2_sched.threads; i++)
		waiting |= (uint32_t)(s2_storebuffers.count[i] > 0) << i;
	return waiting << s2_sched.threads;
}

S2_OWN void drain_storebuffer(void)
{
	int of = s2_sched.current - s2_sched.threads, ready[S2_BUFFERED];

	S2_ASSERT((unsigned)of < S2_THREADS, of);
	for (; s2_sched.left && s2_storebuffers.count[of]; s2_sched.left--)
		drain(of, ready[choose(ready_stores(of, ready))]);
}

S2_OWN int drain_from_outside(int is_answer)
{
	int of = s2_sched.current - s2_sched.threads, ready[S2_BUFFERED];

	S2_ASSERT((unsigned)of < S2_THREADS, of);
	for (; s2_sched.left && s2_storebuffers.count[of]; s2_sched.left--) {
		int options = ready_stores(of, ready), chosen = 0;

		if (options > 1 && !is_answer) {
			s2_sched.asked_options = options;
			return 1;
		}
		if (options > 1) {
			chosen = s2_sched.answer_thread;
			record_choice(chosen);
		}
		is_answer = 0;
		drain(of, ready[chosen]);
	}
	return 0;
}

S2_OWN void storebuffer_pieces(void (*with)(void *at, size_t size))
{
	with(s2_storebuffers.count, sizeof(s2_storebuffers.count));
	for (int i = 0; i < s2_sched.threads; i++)
		with(s2_storebuffers.store[i],
		     sizeof(s2_storebuffers.store[0][0]) * (size_t)s2_storebuffers.count[i]);
}
