/* Table pages. What kernel code calls is in seam.h. */
#ifndef STAGE2FUZZ_PAGES_H
#define STAGE2FUZZ_PAGES_H

#include <stdint.h>
#include "assertion.h"
#include "linkage.h"
#include "seam.h"

struct s2_memory {
	/* The first page that was never used, and a stack of those that were freed. */
	int next_page, free_count;
	int free_pages[S2_PAGES];
	/* Top-ups of memory caches so far. */
	int topups;
};

extern struct s2_memory s2_memory;

static inline int page_index(const struct s2_page *page)
{
	S2_ASSERT(page >= s2_page_table && page < s2_page_table + S2_PAGES + S2_USER_PAGES,
		  page - s2_page_table);
	return (int)(page - s2_page_table);
}

static inline int64_t page_address(const struct s2_page *page)
{
	return (int64_t)(S2_TABLE_BASE + (s2_u64)page_index(page) * 4096);
}

/* All pages free, no structure allocated, no top-up yet. */
S2_OWN void reset_memory(void);

#endif
