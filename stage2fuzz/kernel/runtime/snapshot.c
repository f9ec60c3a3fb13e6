/* A configuration of the machine: kept, taken up again, and told from others. */
#include <stdlib.h>
#include <string.h>
#include "hostpages.h"
#include "pages.h"
#include "places.h"
#include "rcu.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "snapshot.h"
#include "storebuffer.h"
#include "tlb.h"
#include "window.h"
#include "words.h"

#define MOST_PIECES 128
#define FIRST_POOL (1UL << 24)

struct piece {
	char *at;
	size_t size;
};

static struct piece kept[MOST_PIECES], keyed[MOST_PIECES];
static int kept_count, keyed_count;
static char *pool;
static size_t pool_size, pool_used;

/* ---- which memory ---- */

/* `from` without the bytes at `hole`; how many pieces there are then. */
static int cut_hole(struct piece *from, int count, void *hole, size_t size)
{
	char *low = hole, *high = low + size;

	for (int i = 0; i < count; i++) {
		struct piece old = from[i];

		if (high <= old.at || low >= old.at + old.size)
			continue;
		from[i].size = low > old.at ? (size_t)(low - old.at) : 0;
		if (high < old.at + old.size && count < MOST_PIECES)
			from[count++] = (struct piece){ high, (size_t)(old.at + old.size - high) };
	}
	return count;
}

#define CUT_KEPT(what) (kept_count = cut_hole(kept, kept_count, &(what), sizeof(what)))
#define CUT_KEY(what) (keyed_count = cut_hole(keyed, keyed_count, &(what), sizeof(what)))

/* What is left out of a key: how far a run has come, who ran, what was asked. */
static void cut_keys(void)
{
	memcpy(keyed, kept, sizeof(kept));
	keyed_count = kept_count;
	CUT_KEY(s2_log);
	CUT_KEY(s2_sched.current);
	CUT_KEY(s2_sched.left);
	CUT_KEY(s2_sched.granted);
	CUT_KEY(s2_sched.steps);
	CUT_KEY(s2_sched.yielded);
	CUT_KEY(s2_sched.preemptions);
	CUT_KEY(s2_sched.ended);
	CUT_KEY(s2_sched.enabled);
	CUT_KEY(s2_sched.asked_current);
	CUT_KEY(s2_sched.asked_options);
	CUT_KEY(s2_sched.answer_thread);
	CUT_KEY(s2_sched.answer_points);
	CUT_KEY(s2_sched.hub);
	if (!s2_scenario.failing_topup)
		CUT_KEY(s2_memory.topups);
	if (!s2_scenario.failing_alloc)
		CUT_KEY(s2_memory.requests);
	for (int i = 0; i < S2_THREADS; i++)
		CUT_KEY(s2_sched.thread[i]);
}

S2_OWN int set_memory(const int64_t *pairs, int count)
{
	if (count > MOST_PIECES / 2)
		return 0;
	for (int i = 0; i < count; i++)
		kept[i] = (struct piece){ (char *)(intptr_t)s2_interface + pairs[2 * i],
					  (size_t)pairs[2 * i + 1] };
	kept_count = count;
	CUT_KEPT(s2_log.events);
	CUT_KEPT(s2_log.runs);
	CUT_KEPT(s2_log.choices);
	cut_keys();
	return kept_count < MOST_PIECES && keyed_count < MOST_PIECES;
}

/* ---- keeping ---- */

typedef void (*with_piece)(void *at, size_t size);

/* What waits: TLBIs for their DSB, frees for their readers. Counts come before what they count,
 * since restoring reads them as it goes. */
static void queue_pieces(with_piece with)
{
	if (s2_scenario.pending_stores)
		storebuffer_pieces(with);
	with(s2_tlb.walking, sizeof(s2_tlb.walking));
	with(s2_tlb.issued_count, sizeof(s2_tlb.issued_count));
	for (int i = 0; i < s2_sched.threads; i++)
		with(s2_tlb.issued[i],
		     sizeof(s2_tlb.issued[0][0]) * (size_t)s2_tlb.issued_count[i]);
	with(&s2_rcu.deferred_count, sizeof(s2_rcu.deferred_count));
	with(s2_rcu.deferred, sizeof(s2_rcu.deferred[0]) * (size_t)s2_rcu.deferred_count);
	with(s2_rcu.deferred_callback,
	     sizeof(s2_rcu.deferred_callback[0]) * (size_t)s2_rcu.deferred_count);
	with(s2_rcu.deferred_readers,
	     sizeof(s2_rcu.deferred_readers[0]) * (size_t)s2_rcu.deferred_count);
}

static void each_piece(with_piece with)
{
	unsigned long *used;
	char *scratch = structures(&used);

	for (int i = 0; i < kept_count; i++)
		if (kept[i].size)
			with(kept[i].at, kept[i].size);
	if (s2_log.runs_count)
		with(&s2_log.runs[s2_log.runs_count - 1], sizeof(s2_log.runs[0]));
	with(s2_page_table, sizeof(s2_page_table[0]) * (size_t)s2_memory.next_page);
	with(used, sizeof(*used));
	with(scratch, *used);
	queue_pieces(with);
	if (s2_scenario.tlb)
		window_pieces(with);
	for (int i = 0; i < s2_sched.threads; i++) {
		const struct s2_coroutine *one = &s2_sched.thread[i].coroutine;

		if (!s2_sched.thread[i].ended)
			with(one->stack_pointer,
			     (size_t)(one->stack + S2_STACK - (char *)one->stack_pointer));
	}
}

static size_t reading;

static void save(void *at, size_t size)
{
	if (pool_used + size <= pool_size)
		memcpy(pool + pool_used, at, size);
	pool_used += size;
}

static void load(void *at, size_t size)
{
	memcpy(at, pool + reading, size);
	reading += size;
}

static void save_words(void)
{
	save(&s2_words.count, sizeof(s2_words.count));
	for (int i = 0; i < s2_words.count; i++) {
		s2_u64 value = *s2_words.word[i].at;

		save(&value, sizeof(value));
	}
}

static void load_words(void)
{
	int then, now = s2_words.count;
	s2_u64 value;

	load(&then, sizeof(then));
	for (int i = 0; i < then; i++) {
		load(&value, sizeof(value));
		*s2_words.word[i].at = value;
	}
	for (int i = then; i < now; i++)
		*s2_words.word[i].at = s2_words.word[i].first;
}

S2_OWN void reset_snapshots(void)
{
	pool_used = 64; /* a snapshot at 0 is none */
}

S2_OWN size_t take_snapshot(void)
{
	size_t at = pool_used;

	for (;;) {
		size_t size = pool_size ? 2 * pool_size : FIRST_POOL;
		char *more;

		pool_used = at;
		each_piece(save);
		save_words();
		if (pool_used <= pool_size)
			return at;
		more = realloc(pool, size);
		if (!more) {
			pool_used = at;
			return 0;
		}
		pool = more;
		pool_size = size;
	}
}

S2_OWN void restore_snapshot(size_t at)
{
	reading = at;
	each_piece(load);
	load_words();
}

S2_OWN void drop_snapshot(size_t at)
{
	if (at)
		pool_used = at;
}

S2_OWN size_t snapshot_bytes(void)
{
	return pool_used;
}

/* ---- telling apart ---- */

static uint64_t hash_of(uint64_t hash, const void *what, size_t size)
{
	const char *at = what;
	uint64_t lane[4] = { hash ^ size, hash + 0xD1B54A32D192ED03ULL, ~hash, hash * 3 };

	for (; size >= 32; size -= 32, at += 32)
		for (int i = 0; i < 4; i++) {
			uint64_t word;

			memcpy(&word, at + 8 * i, 8);
			lane[i] = (lane[i] ^ word) * 0xBF58476D1CE4E5B9ULL;
			lane[i] ^= lane[i] >> 29;
		}
	for (int i = 0; size; i = (i + 1) & 3) {
		uint64_t word = 0;
		size_t part = size < 8 ? size : 8;

		memcpy(&word, at, part);
		lane[i] = (lane[i] ^ word) * 0x94D049BB133111EBULL;
		lane[i] ^= lane[i] >> 31;
		size -= part;
		at += part;
	}
	return mix(mix(lane[0], lane[1]), mix(lane[2], lane[3]));
}

static uint64_t thread_key(const struct s2_thread *thread, int faults)
{
	const struct s2_coroutine *one = &thread->coroutine;
	struct s2_thread state = *thread;

	if (thread->ended)
		return 1;
	state.faults = faults ? state.faults : 0;
	state.wait_name = state.wait == S2_RUNNABLE ? 0 : state.wait_name;
	return hash_of(hash_of(2, &state, sizeof(state)), one->stack_pointer,
		       (size_t)(one->stack + S2_STACK - (char *)one->stack_pointer));
}

static uint64_t gathered;

static void gather(void *at, size_t size)
{
	gathered = hash_of(gathered, at, size);
}

S2_OWN uint64_t machine_key(int faults)
{
	uint64_t words = 0;
	unsigned long *used;
	char *scratch = structures(&used);

	s2_glue_forget_statistics();
	gathered = 1;
	for (int i = 0; i < keyed_count; i++)
		if (keyed[i].size)
			gather(keyed[i].at, keyed[i].size);
	gather(s2_page_table, sizeof(s2_page_table[0]) * (size_t)s2_memory.next_page);
	gather(scratch, *used);
	queue_pieces(gather);
	for (int i = 0; i < s2_sched.threads; i++)
		gathered = mix(gathered, thread_key(&s2_sched.thread[i], faults));
	if (s2_scenario.tlb)
		gathered = mix(gathered, window_key());
	for (int i = 0; i < s2_words.count; i++)
		if (*s2_words.word[i].at != s2_words.word[i].first)
			words += mix((uint64_t)(uintptr_t)s2_words.word[i].at,
				     *s2_words.word[i].at);
	return mix(gathered, words);
}

S2_OWN void clean_stack(int thread)
{
	const struct s2_thread *one = &s2_sched.thread[thread];
	char *low = one->coroutine.stack, *top = one->coroutine.stack_pointer;

	if (!one->ended)
		memset(top - S2_LEFTOVER < low ? low : top - S2_LEFTOVER, 0,
		       top - S2_LEFTOVER < low ? (size_t)(top - low) : S2_LEFTOVER);
}
