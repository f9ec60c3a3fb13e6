/* Every interleaving of one scenario: depth first, each configuration once.
 *
 * One step is what a thread does from one scheduling point to the next. A configuration is the
 * machine and, where classes are looked for, what its past means to the oracles (fold_effect()).
 * Without a past, configurations are finitely many even where threads undo one another for ever;
 * strongly connected components of them (Tarjan, SIAM J. Comput. 1972) say who can go on for ever.
 */
#include <stdlib.h>
#include <string.h>
#include "classes.h"
#include "configs.h"
#include "door.h"
#include "execute.h"
#include "explore.h"
#include "fold.h"
#include "guard.h"
#include "guest.h"
#include "lasso.h"
#include "pages.h"
#include "places.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "snapshot.h"
#include "tables.h"
#include "words.h"

#define FRAMES 32768
#define MOST_CYCLES 16

/* A configuration on the path from the start, and what is still to be tried from it. */
struct frame {
	size_t snapshot;
	uint64_t key;
	uint32_t todo, ways;
	/* The threads that move in its component so far; those that had not ended. */
	uint32_t moved, alive;
	/* Its place among the open ones, the lowest that it reaches, where the open list begins. */
	uint32_t index, low, opened;
	int steps, choices, spent;
	int8_t is_choice, as_left, current, ran;
};

struct opened {
	uint64_t key;
	uint32_t moved;
};

static struct frame frames[FRAMES];
static struct opened *opened;
static size_t opened_count, opened_room;

static struct {
	struct s2_search asked;
	struct s2_search_counts told;
	uint32_t next_index;
	int depth;
	uint8_t stood_before[S2_KINDS];
} search;

static int is_open(const struct config *config)
{
	return config->open != 0;
}

/* The newest frame's configuration is open until all that can be reached from it is known. */
static int open_frame(struct frame *f)
{
	if (opened_count == opened_room) {
		size_t room = opened_room ? 2 * opened_room : 65536;
		struct opened *more = realloc(opened, room * sizeof(*more));

		if (!more)
			return 0;
		opened = more;
		opened_room = room;
	}
	f->index = f->low = search.next_index++;
	f->moved = f->alive = 0;
	f->opened = (uint32_t)opened_count;
	for (int i = 0; i < s2_sched.threads; i++)
		f->alive |= (uint32_t)!s2_sched.thread[i].ended << i;
	opened[opened_count++] = (struct opened){ f->key, 0 };
	return 1;
}

/* All ways on from the newest frame were tried. */
static void close_frame(void)
{
	struct frame *f = &frames[--search.depth], *up = f - 1;
	int fresh;

	drop_snapshot(f->snapshot);
	if (f->low < f->index) {
		opened[f->opened].moved = f->moved;
		up->low = up->low < f->low ? up->low : f->low;
		up->moved |= 1u << up->ran;
		return;
	}
	for (; opened_count > f->opened; opened_count--) {
		struct config *config = config_of(opened[opened_count - 1].key, ~0UL, &fresh);

		config->open = 0;
		f->moved |= opened[opened_count - 1].moved;
	}
	search.told.cycles += f->moved != 0;
	search.told.fair += f->moved && (f->moved & f->alive) == f->alive;
}

static uint64_t key_now(int status)
{
	const struct s2_search *asked = &search.asked;
	uint64_t key = machine_key(asked->faults > 0);

	if (!asked->state_only)
		key = mix(key, fold_effect());
	if (status == S2_END_ASK_CHOICE)
		key = mix(key, (uint64_t)s2_sched.current + 100);
	if (asked->preemptions >= 0)
		key = mix(key, (uint64_t)(s2_sched.asked_current * 2 + s2_sched.yielded + 1000));
	return key;
}

/* The path reached a configuration that is open: a cycle. Who asks is told of one in which each
 * thread moves that has not ended. */
static int note_cycle(const struct frame *f, const struct config *config)
{
	uint32_t moved = 0;
	int from = search.depth - 1;

	while (from > 0 && frames[from].index + 1 > config->open)
		moved |= 1u << frames[from--].ran;
	moved |= 1u << frames[from].ran;
	if (!search.asked.state_only || frames[from].index + 1 != config->open ||
	    (moved & f->alive) != f->alive || search.told.candidates >= MOST_CYCLES)
		return 0;
	search.told.candidates++;
	search.told.cycle_from = frames[from].steps;
	search.told.cycle_choices = frames[from].choices;
	return 1;
}

static int push(uint64_t key, int status, int spent)
{
	struct frame *f = &frames[search.depth];
	uint32_t ways = status == S2_END_ASK ? s2_sched.enabled :
					       (1u << s2_sched.asked_options) - 1;

	if (search.depth == FRAMES)
		return 0;
	memset(f, 0, sizeof(*f));
	f->key = key;
	f->ways = f->todo = ways;
	f->is_choice = status == S2_END_ASK_CHOICE;
	f->as_left = 1;
	f->current = status == S2_END_ASK ? (int8_t)s2_sched.asked_current : -1;
	f->spent = spent;
	f->steps = s2_sched.steps;
	f->choices = s2_log.choices_count;
	/* There is nothing to come back to where there is only one way on. */
	if (ways & (ways - 1)) {
		f->snapshot = take_snapshot();
		if (!f->snapshot)
			return 0;
	}
	search.depth++;
	if (search.depth > search.told.deepest)
		search.told.deepest = search.depth;
	return open_frame(f);
}

/* A run came to its end. Whether it is worth looking at. */
static int ended(int status, s2_judge judge)
{
	struct s2_search_counts *told = &search.told;
	int lasso, said = 0;

	told->ends++;
	told->limits += status == S2_END_LIMIT;
	if (search.asked.state_only)
		return s2_guard.crashed;
	if (status == S2_END_LIMIT && !s2_guard.crashed)
		return 0;
	lasso = may_be_lasso();
	if (!remember(mix(fold(lasso), search.asked.number)) && !s2_guard.crashed)
		return 0;
	told->classes++;
	told->deadlocks += status == S2_END_DEADLOCK;
	finish_run();
	told->forgotten += s2_sched.ended == S2_END_LIMIT;
	said = asked(judge, lasso);
	told->lasso = lasso;
	told->ended = s2_sched.ended;
	return said;
}

/* The first thread to try: the one that ran, so that the first path has the fewest switches. */
static int next_way(struct frame *f)
{
	int way = f->current >= 0 && (f->todo >> f->current & 1) ? f->current
								   : __builtin_ctz(f->todo);

	f->todo &= ~(1u << way);
	return way;
}

static int is_preemption(const struct frame *f, int way)
{
	return !f->is_choice && f->current >= 0 && f->current < s2_sched.threads &&
	       way != f->current && !s2_sched.yielded && (s2_sched.enabled >> f->current & 1);
}

enum { GO_ON, LOOK, CYCLE, NO_ROOM };

/* The step led to a configuration: where it is new, the search goes on from there. */
static int arrive(struct frame *f, int status, int spent)
{
	const struct s2_search *asked = &search.asked;
	uint64_t key = key_now(status);
	int fresh;
	struct config *config = config_of(key, (size_t)asked->bytes, &fresh);

	if (!config || s2_words.full || snapshot_bytes() > (size_t)asked->bytes)
		return NO_ROOM;
	if (!fresh && (asked->preemptions < 0 || config->spent <= (uint32_t)spent)) {
		search.told.again++;
		if (is_open(config)) {
			f->low = f->low < config->open - 1 ? f->low : config->open - 1;
			f->moved |= 1u << f->ran;
			return note_cycle(f, config) ? CYCLE : GO_ON;
		}
		return GO_ON;
	}
	config->spent = (uint32_t)spent;
	config->open = search.next_index + 1;
	search.told.configs += fresh;
	return push(key, status, spent) ? GO_ON : NO_ROOM;
}

/* A thread stands before an event of `kind`, where it can be preempted. */
static void note_kind(int kind)
{
	S2_ASSERT((unsigned)kind < S2_KINDS, kind);
	search.told.kinds += !search.stood_before[kind];
	search.stood_before[kind] = 1;
}

/* One step from the newest frame. */
static int advance(s2_judge judge)
{
	struct frame *f = &frames[search.depth - 1];
	int way, spent, status, thread;

	if (!f->as_left)
		restore_snapshot(f->snapshot);
	f->as_left = 0;
	way = next_way(f);
	spent = f->spent + is_preemption(f, way);
	if (search.asked.preemptions >= 0 && spent > search.asked.preemptions) {
		search.told.cut++;
		f->as_left = 1;
		return GO_ON;
	}
	thread = f->ran = (int8_t)(f->is_choice ? s2_sched.current : way);
	note_kind(thread < s2_sched.threads ? s2_sched.thread[thread].pending_kind :
					      S2_DRAIN);
	guard_progress();
	status = step_external(way, 1);
	search.told.steps++;
	if (status != S2_END_ASK && status != S2_END_ASK_CHOICE)
		return ended(status, judge) ? LOOK : GO_ON;
	if (thread < s2_sched.threads)
		clean_stack(thread);
	return arrive(f, status, spent);
}

/* Where nothing but the scenario counts: memory that holds nothing of earlier runs. */
static void clear_memory(void)
{
	memset(s2_arena, 0, S2_ARENA_SIZE);
	for (int i = 0; i < s2_sched.threads; i++)
		if (s2_sched.thread[i].coroutine.stack)
			memset(s2_sched.thread[i].coroutine.stack, 0, S2_STACK);
}

static int begin_search(const int64_t *pairs, int32_t count)
{
	int fresh, status;
	uint64_t key;

	memset(&search.told, 0, sizeof(search.told));
	memset(search.stood_before, 0, sizeof(search.stood_before));
	search.next_index = 0;
	search.depth = 0;
	opened_count = 0;
	reset_configs();
	reset_snapshots();
	if (!set_memory(pairs, count))
		return 0;
	begin_guard();
	begin_run();
	clear_memory();
	s2_refills = 1;
	s2_most_faults = search.asked.faults > 0 ? (int)search.asked.faults : S2_MAX_FAULTS;
	end_words();
	status = start_external();
	begin_words();
	if (status != S2_END_ASK)
		return 0;
	key = key_now(status);
	config_of(key, ~0UL, &fresh)->open = 1;
	search.told.configs = 1;
	return push(key, status, 0);
}

/* Begin to search the scenario: 1, or 0 where there is no room even for that; -1 is our own bug. */
S2_PUBLIC int32_t s2_search_begin(const struct s2_search *asked, const int64_t *pairs,
				  int32_t count)
{
	S2_DOOR(-1);
	search.asked = *asked;
	return begin_search(pairs, count);
}

/* How much of the search is done, in millionths: each way on from a configuration counts the
 * same. */
static int64_t done(void)
{
	double all = 0, part = 1;

	for (int i = 0; i < search.depth; i++) {
		int ways = __builtin_popcount(frames[i].ways);
		int left = __builtin_popcount(frames[i].todo);

		all += part * (ways - left - 1 > 0 ? ways - left - 1 : 0) / ways;
		part /= ways;
	}
	return search.depth ? (int64_t)(all * 1e6) : 1000000;
}

/* Go on for at most so many steps. What came of it, an enum s2_stop; -1 is our own bug. */
S2_PUBLIC int32_t s2_search_go(int64_t steps, s2_judge judge, struct s2_search_counts *told)
{
	/* Kept over the jump of an assertion that does not hold. */
	volatile int64_t left = steps;
	volatile int found = GO_ON;

	S2_DOOR(-1);
	for (; search.depth && left > 0 && found == GO_ON; left--) {
		if (frames[search.depth - 1].todo)
			found = advance(judge);
		else
			close_frame();
	}
	search.told.done = done();
	search.told.bytes = (int64_t)(config_bytes() + snapshot_bytes());
	*told = search.told;
	if (found == LOOK)
		return S2_STOP_RUN;
	if (found == CYCLE)
		return S2_STOP_CYCLE;
	if (found == NO_ROOM)
		return S2_STOP_NO_ROOM;
	return search.depth ? S2_STOP_MORE : S2_STOP_ALL;
}

/* The search is over: the next runs are as all others. */
S2_PUBLIC void s2_search_end(void)
{
	search.depth = 0;
	end_words();
	reset_configs();
	s2_refills = 0;
	s2_most_faults = S2_MAX_FAULTS;
}
