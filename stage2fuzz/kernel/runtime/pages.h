/* Table pages. What kernel code calls is in seam.h. */
#ifndef STAGE2FUZZ_PAGES_H
#define STAGE2FUZZ_PAGES_H

#include <stdint.h>
#include "abi.h"
#include "assertion.h"
#include "linkage.h"
#include "seam.h"

struct s2_memory {
	/* The first page that was never used, and the first that set-up left to the threads. Each
	 * thread takes every so manieth of those, and again what it took and freed itself, so that
	 * the address of its pages depends on nobody else. */
	int next_page, first_shared;
	int taken[S2_THREADS];
	struct s2_page *freed[S2_THREADS];
	/* Top-ups of memory caches so far, and all requests for memory that may fail. */
	int topups, requests;
	/* Set-up zeroed pages, and has executed no barrier since. */
	int zeros_late;
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
	return (int64_t)(S2_TABLE_BASE + (s2_u64)page_index(page) * S2_PAGE_SIZE);
}

/* All pages free, no structure allocated, no top-up yet. */
S2_OWN void reset_memory(void);
/* Set-up is over: what it did not take is the threads'. */
S2_OWN void share_pages_out(void);

/* What a search needs to know of structures: where they are, and how many bytes they have so far.
 * And whether there is one. */
S2_OWN char *structures(unsigned long **used);
extern int s2_refills;

#endif
