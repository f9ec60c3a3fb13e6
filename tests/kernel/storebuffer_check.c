/* The runtime's store buffers and accesses of entries alone, one instruction at a time. */
#define S2_UNITY
#include <stdlib.h>
#include "record.c"
#include "pages.h"
#include "words.h"
#include "tlb.h"
#include "regime.h"
#include "vncr.h"
#include "window.h"

char s2_arena[S2_ARENA_SIZE];
const s2_s64 *s2_watched_sequence;
struct s2_sched s2_sched;
struct s2_scenario s2_scenario;
struct s2_sites s2_sites;
struct s2_words s2_words;
struct s2_memory s2_memory;

void s2_fail(const char *file, int line, const char *function, const char *condition,
	     long long number)
{
	(void)file, (void)line, (void)function, (void)condition, (void)number;
	abort();
}

static int choose(int options) { (void)options; return 0; }
static void dispatch(void) {}
static void note_new_word(volatile s2_u64 *at, s2_u64 old) { (void)at, (void)old; }
static void note_stack(uint32_t *stack) { (void)stack; }
static void note_vncr_byte(const void *address, int is_store) { (void)address, (void)is_store; }
static void synchronise_context(void) {}
static void window_write(s2_u64 at, s2_u64 old, s2_u64 value) { (void)at, (void)old, (void)value; }

#include "storebuffer.c"
#include "entries.c"

static void complete_tlbis(int kind)
{
	(void)kind;
	empty_storebuffer();
}

static s2_u64 *entry(int number)
{
	return (s2_u64 *)s2_arena + 512 * number;
}

S2_PUBLIC void check_begin(int threads)
{
	reset_log();
	s2_sched.threads = threads;
	s2_sched.current = -1;
	s2_sched.left = S2_FOREVER;
	s2_scenario.pending_stores = 1;
	reset_storebuffers();
	for (int i = 0; i < 4; i++)
		*entry(i) = 0;
}

/* From here on `thread` runs; -1: nobody does. */
S2_PUBLIC void check_run(int thread)
{
	hide_stores();
	s2_sched.current = thread;
	if (thread >= 0)
		show_own_stores();
}

S2_PUBLIC void check_store(int number, uint64_t value, int order)
{
	s2_entry_store(entry(number), value, order);
}

/* As the compiler makes of `*ptep = value` and of a use of `*ptep`: announced, then done. */
S2_PUBLIC void check_plain_store(int number, uint64_t value)
{
	__sanitizer_cov_store8((uint64_t *)entry(number));
	*entry(number) = value;
	record_plain();
}

S2_PUBLIC uint64_t check_load(int number)
{
	return *entry(number);
}

S2_PUBLIC uint64_t check_cmpxchg(int number, uint64_t expected, uint64_t value)
{
	return s2_entry_cmpxchg(entry(number), expected, value);
}

S2_PUBLIC void check_barrier(int kind)
{
	s2_barrier(kind);
}

/* How many stores of `thread` may become visible next; and let one of them. */
S2_PUBLIC int check_ready(int thread)
{
	int ready[S2_BUFFERED];

	return ready_stores(thread, ready);
}

S2_PUBLIC void check_drain(int thread, int which)
{
	int ready[S2_BUFFERED];

	hide_stores();
	ready_stores(thread, ready);
	drain(thread, ready[which]);
}
