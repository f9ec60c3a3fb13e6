/* Table pages: allocation, reference counts, memory caches, and small kernel structures. */
#include <string.h>
#include "pages.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "setup.h"
#include "step.h"
#include "storebuffer.h"

char s2_arena[S2_ARENA_SIZE + S2_USER_PAGES * S2_PAGE_SIZE] __attribute__((aligned(1 << 21)));
struct s2_page s2_page_table[S2_PAGES + S2_USER_PAGES];
const s2_s64 *s2_watched_sequence;

struct s2_memory s2_memory;
/* For a search, a cache without a bound that was topped up once stays full: how many of its pages
 * earlier faults took is of no consequence before it is empty. */
int s2_refills;

/* Small allocations of the kernel's own structs; given back as a whole with the run. */
static char scratch[65536] __attribute__((aligned(64)));
static unsigned long scratch_used;

S2_OWN void reset_memory(void)
{
	for (int i = 0; i < s2_memory.next_page; i++)
		s2_page_table[i].live = s2_page_table[i].count = 0;
	s2_memory.next_page = s2_memory.first_shared = 0;
	s2_memory.topups = s2_memory.requests = s2_memory.zeros_late = 0;
	memset(s2_memory.taken, 0, sizeof(s2_memory.taken));
	memset(s2_memory.freed, 0, sizeof(s2_memory.freed));
	scratch_used = 0;
}

S2_OWN void share_pages_out(void)
{
	s2_memory.first_shared = s2_memory.next_page;
}

S2_OWN char *structures(unsigned long **used)
{
	*used = &scratch_used;
	return scratch;
}

/* The number of a page that the running thread takes, -1 where it has had its share. */
static int take_page(void)
{
	int me = s2_sched.current, index;
	struct s2_page *again;

	S2_ASSERT((unsigned)me < S2_THREADS, me);
	again = s2_memory.freed[me];
	if (again) {
		s2_memory.freed[me] = again->rcu_next;
		again->rcu_next = NULL;
		return page_index(again);
	}
	index = s2_memory.first_shared + s2_memory.taken[me] * s2_sched.threads + me;
	if (index >= S2_PAGES)
		return -1;
	s2_memory.taken[me]++;
	/* A page has no past before its first use, nor have the others' that now lie below. */
	for (; s2_memory.next_page <= index; s2_memory.next_page++)
		s2_page_table[s2_memory.next_page] = (struct s2_page){ 0 };
	return index;
}

static void give_back(struct s2_page *page)
{
	int me = s2_sched.current, number = page_index(page) - s2_memory.first_shared;

	if (number < 0 || number % s2_sched.threads != me)
		return;
	page->rcu_next = s2_memory.freed[me];
	s2_memory.freed[me] = page;
}

/* Roots, the VMM's own tables and guest pages are not counted for the oracles. */
static inline int is_counted(const struct s2_page *page)
{
	return page >= s2_page_table + s2_vm.roots && page < s2_page_table + S2_PAGES;
}

/* Whether a table page that kernel code asks for is refused. A vCPU's never is: its cache warns, or
 * stops the kernel. */
static int is_refused(void)
{
	int failed;

	if (!s2_scenario.failing_alloc || s2_sched.silent || s2_sched.current < s2_scenario.vcpus)
		return 0;
	s2_point(S2_TOPUP, 0);
	failed = ++s2_memory.requests == s2_scenario.failing_alloc;
	s2_record(S2_TOPUP, 0, S2_TOPUP_SINGLE, failed ? -S2_ENOMEM : 0, 0);
	return failed;
}

void *s2_page_alloc(int count, int from_system)
{
	int index;
	char *memory;

	S2_ASSERT(count > 0, count);
	if (from_system == 1 && is_refused())
		return NULL;
	if (!s2_sched.silent)
		index = count == 1 ? take_page() : -1;
	else
		index = s2_memory.next_page, s2_memory.next_page += count;
	if (index < 0 || index + count > S2_PAGES)
		give_up(S2_LIMIT_TABLE_PAGES);
	S2_ASSERT(index >= 0 && index + count <= S2_PAGES, index);
	memory = s2_arena + (s2_u64)index * S2_PAGE_SIZE;
	if (!s2_sched.silent) {
		int64_t where = page_address(&s2_page_table[index]);

		s2_point(S2_ALLOC, where);
		s2_record(S2_ALLOC, where, 0, 0, from_system);
		s2_page_table[index].live = s2_page_table[index].count = 1;
		s2_point(S2_ZERO, where);
		/* Of two stores of one CPU to one place the later one stays. */
		if (s2_scenario.pending_stores)
			empty_storebuffer_of(memory);
		memset(memory, 0, S2_PAGE_SIZE);
		s2_record(S2_ZERO, where, 0, 0, 0);
		return memory;
	}
	for (int i = 0; i < count; i++)
		s2_page_table[index + i].live = s2_page_table[index + i].count = 1;
	memset(memory, 0, (unsigned long)S2_PAGE_SIZE * (unsigned long)count);
	s2_memory.zeros_late = 1;
	return memory;
}

void s2_page_get(struct s2_page *page)
{
	if (s2_sched.silent || !is_counted(page))
		return;
	s2_point(S2_GET, page_address(page));
	page->count++;
	s2_record(S2_GET, page_address(page), 0, page->count, 0);
	if (!page->live)
		s2_warn(S2_WARN_REFCOUNT);
}

void s2_page_free(struct s2_page *page)
{
	if (s2_sched.silent || !is_counted(page))
		return;
	s2_point(S2_FREE, page_address(page));
	if (page->live) {
		page->live = page->count = 0;
		give_back(page);
	}
	s2_record(S2_FREE, page_address(page), 0, 0, 0);
}

void s2_page_put(struct s2_page *page)
{
	if (s2_sched.silent || !is_counted(page))
		return;
	s2_point(S2_PUT, page_address(page));
	page->count--;
	s2_record(S2_PUT, page_address(page), 0, page->count, 0);
	if (!page->live)
		s2_warn(S2_WARN_REFCOUNT);
	else if (!page->count)
		s2_page_free(page);
}

int s2_page_count(struct s2_page *page)
{
	return page->count;
}

int s2_topup(int *cached, int wanted, int capacity)
{
	int held = s2_scenario.cache_pages, failed;

	if (*cached >= wanted)
		return 0;
	s2_memory.topups++;
	s2_memory.requests++;
	s2_point(S2_TOPUP, 0);
	failed = s2_memory.topups == s2_scenario.failing_topup ||
		 (s2_scenario.failing_alloc && s2_memory.requests == s2_scenario.failing_alloc);
	s2_record(S2_TOPUP, 0, wanted, failed ? -S2_ENOMEM : 0, 0);
	if (failed)
		return -S2_ENOMEM;
	if (!held || held > capacity)
		held = capacity;
	*cached = held < wanted ? wanted : held;
	return 0;
}

/* Whoever finds its cache empty is warned and served from the reserve, and sees no failure. */
void *s2_cache_alloc(int *cached)
{
	if (is_refused())
		return NULL;
	if (*cached) {
		if (!s2_refills || s2_scenario.cache_pages)
			--*cached;
		return s2_page_alloc(1, 0);
	}
	s2_warn(S2_WARN_MEMORY_CACHE);
	if (s2_scenario.failing_atomic)
		s2_bug();
	return s2_page_alloc(1, 2);
}

void *s2_scratch(unsigned long size)
{
	void *memory;

	size = (size + 63) & ~63UL;
	if (size > sizeof(scratch) - scratch_used)
		give_up(S2_LIMIT_STRUCTURES);
	memory = scratch + scratch_used;
	scratch_used += size;
	memset(memory, 0, size);
	return memory;
}
