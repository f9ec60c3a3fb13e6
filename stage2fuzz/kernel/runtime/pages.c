/* Table pages: allocation, reference counts, memory caches, and small kernel structures. */
#include <string.h>
#include "machine.h"

char s2_arena[S2_ARENA_SIZE + S2_USER_PAGES * 4096UL] __attribute__((aligned(1 << 21)));
struct s2_page s2_page_table[S2_PAGES + S2_USER_PAGES];
const s2_s64 *s2_watched_sequence;

void s2_memory_reset(void)
{
	for (int i = 0; i < s2.next_page; i++)
		s2_page_table[i].live = s2_page_table[i].count = 0;
	s2.next_page = s2.free_count = s2.deferred_count = 0;
	s2.plain_entry = NULL;
}

static inline int page_index(const struct s2_page *page)
{
	return (int)(page - s2_page_table);
}

static inline int64_t page_address(const struct s2_page *page)
{
	return (int64_t)(S2_TABLE_BASE + (s2_u64)page_index(page) * 4096);
}

/* Roots, the VMM's own tables and guest pages are not counted for the oracles. */
static inline int is_counted(const struct s2_page *page)
{
	return page >= s2_page_table + s2.roots && page < s2_page_table + S2_PAGES;
}

void *s2_page_alloc(int count, int from_system)
{
	int index;
	char *memory;

	if (count == 1 && s2.free_count)
		index = s2.free_pages[--s2.free_count];
	else if (s2.next_page + count <= S2_PAGES)
		index = s2.next_page, s2.next_page += count;
	else
		return NULL;
	memory = s2_arena + (s2_u64)index * 4096;
	if (!s2.silent) {
		int64_t where = page_address(&s2_page_table[index]);

		s2_point(S2_ALLOC, where);
		s2_record(S2_ALLOC, where, 0, 0, from_system);
		s2_page_table[index].live = s2_page_table[index].count = 1;
		s2_point(S2_ZERO, where);
		memset(memory, 0, 4096);
		s2_record(S2_ZERO, where, 0, 0, 0);
		return memory;
	}
	for (int i = 0; i < count; i++)
		s2_page_table[index + i].live = s2_page_table[index + i].count = 1;
	memset(memory, 0, 4096UL * (unsigned long)count);
	return memory;
}

void s2_page_get(struct s2_page *page)
{
	if (s2.silent || !is_counted(page))
		return;
	s2_point(S2_GET, page_address(page));
	page->count++;
	s2_record(S2_GET, page_address(page), 0, page->count, 0);
	if (!page->live)
		s2_warn(S2_WARN_REFCOUNT);
}

void s2_page_free(struct s2_page *page)
{
	if (s2.silent || !is_counted(page))
		return;
	s2_point(S2_FREE, page_address(page));
	if (page->live) {
		page->live = page->count = 0;
		s2.free_pages[s2.free_count++] = page_index(page);
	}
	s2_record(S2_FREE, page_address(page), 0, 0, 0);
}

void s2_page_put(struct s2_page *page)
{
	if (s2.silent || !is_counted(page))
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
	int held = s2.scenario.cache_pages, failed;

	if (*cached >= wanted)
		return 0;
	s2.topups++;
	s2_point(S2_TOPUP, 0);
	failed = s2.topups == s2.scenario.failing_topup;
	s2_record(S2_TOPUP, 0, wanted, failed ? -S2_ENOMEM : 0, 0);
	if (failed)
		return -S2_ENOMEM;
	*cached = held && held < capacity ? held : capacity;
	return 0;
}

void *s2_cache_alloc(int *cached)
{
	if (!*cached)
		return NULL;
	--*cached;
	return s2_page_alloc(1, 0);
}

/* Small allocations of the kernel's own structs; given back as a whole with the run. */
static char scratch[65536] __attribute__((aligned(64)));
static unsigned long scratch_used;

void *s2_scratch(unsigned long size)
{
	void *memory;

	if (!size)
		scratch_used = 0;
	size = (size + 63) & ~63UL;
	if (scratch_used + size > sizeof(scratch))
		return NULL;
	memory = scratch + scratch_used;
	scratch_used += size;
	memset(memory, 0, size);
	return memory;
}
