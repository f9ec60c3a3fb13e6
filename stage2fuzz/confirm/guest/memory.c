/* The host's memory behind the slots, and what the scenario says of single pages. */
#define _GNU_SOURCE
#include "guest.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RET 0xd65f03c0u
#define MADV_POISON 100
#define IDLE "/sys/kernel/mm/page_idle/bitmap"
#define FRAME ((1ul << 55) - 1) /* of an entry of pagemap */
#ifndef MAP_HUGE_1GB
#define MAP_HUGE_1GB (30 << 26)
#endif

/* Pages that a case may name, at each edge of a level; the probe looks at these too. */
static const uint64_t places[] = { 0, 1, 2, 511, 512, 513, 1 << 18, (1 << 18) + 1 };

/* Give a page its content: something to execute, and a value that nobody writes. */
void settle(struct slot *slot, uint64_t page)
{
	char *at = slot->memory + page * PAGE;
	*(volatile uint64_t *)at = 0x5345ull << 32 | page;
	*(volatile uint32_t *)(at + 8) = RET;
}

/* Guest and host addresses are congruent to the largest block, unless the slot is skewed. */
void make_slot(struct slot *slot)
{
	uint64_t bytes = slot->pages * PAGE;
	uint64_t align = slot->backing == BACKED_BY_PUD || bytes >= 1ul << 30 ? 1ul << 30 : BLOCK;
	slot->mapped = bytes + 2 * align;
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	slot->mapping = mmap(0, slot->mapped, PROT_NONE, flags, -1, 0);
	if (slot->mapping == MAP_FAILED)
		die("mmap of a slot");
	uint64_t start = ((uint64_t)slot->mapping + align - 1) & -align;
	if (slot->flags & SLOT_SKEWED)
		start += PAGE;
	if (slot->backing == BACKED_BY_PUD)
		flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_1GB;
	slot->memory = mmap((void *)start, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED, -1, 0);
	if (slot->memory == MAP_FAILED)
		die("mmap of a slot's memory");
	if (slot->backing != BACKED_BY_PUD) {
		int huge = slot->backing == BACKED_BY_PMD ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;
		if (madvise(slot->memory, bytes, huge) && slot->backing == BACKED_BY_PMD)
			die("madvise(MADV_HUGEPAGE)");
	}
	/* Where a VMA that holds a whole block is split, the kernel unmaps the block, huge or not: let
	 * none hold one, so that an operation on a page is one on this page. */
	for (uint64_t page = 256; slot->backing == BACKED_BY_PAGES && page < slot->pages && page < 4096;
	     page += 512)
		if (madvise(slot->memory + page * PAGE, PAGE, MADV_DONTDUMP))
			die("madvise(MADV_DONTDUMP)");
	slot->bits = calloc((slot->pages + 63) / 64, 8);
}

void drop_slot(struct slot *slot)
{
	munmap(slot->mapping, slot->mapped);
	free(slot->bits);
	slot->bits = 0;
}

/* What the case's accesses name, there to be read and executed. */
static void populate_named(void)
{
	for (int i = 0; i < machine.threads; i++) {
		struct thread *thread = &machine.thread[i];
		for (int k = 0; thread->is_vcpu && k < thread->items; k++) {
			struct slot *slot = &machine.slot[thread->item[k].slot];
			uint64_t page = thread->item[k].page;
			if (page >= slot->pages)
				continue;
			settle(slot, page);
			__builtin___clear_cache(slot->memory + page * PAGE, slot->memory + page * PAGE + 16);
		}
	}
}

/* Touch what the case may touch: all pages of a slot of up to 1,024, else a block at each edge; where
 * a case is to be quick, only what it names. */
void populate(void)
{
	for (int i = 0; i < machine.slots && !machine.sparse; i++) {
		struct slot *slot = &machine.slot[i];
		for (unsigned k = 0; k < sizeof places / sizeof *places; k++) {
			uint64_t first = places[k] & ~511ul;
			for (uint64_t page = first; page < first + 512 && page < slot->pages; page++)
				settle(slot, page);
		}
	}
	populate_named();
	/* A page that was touched just now waits on a processor's own list, where page_idle does not look. */
	if (can_age() && !machine.sparse)
		put("/proc/sys/vm/drop_caches", "1");
}

/* KiB of a slot that the kernel maps by huge pages. */
static uint64_t huge_kib(const struct slot *slot)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	char line[256];
	uint64_t first, last, kib, sum = 0;
	int inside = 0;
	while (file && fgets(line, sizeof line, file)) {
		if (sscanf(line, "%lx-%lx", &first, &last) == 2)
			inside = first < (uint64_t)slot->memory + slot->pages * PAGE &&
				 last > (uint64_t)slot->memory;
		else if (inside && sscanf(line, "AnonHugePages: %lu", &kib) == 1)
			sum += kib;
	}
	if (file)
		fclose(file);
	return sum;
}

/* A block can only be mapped where the host has one; a kernel short of memory may not give it. */
void tell_backing(void)
{
	for (int i = 0; i < machine.slots; i++)
		say("huge %d %lu", i, huge_kib(&machine.slot[i]));
}

/* A grant is one of a whole host mapping, as the model's is. */
void give(const struct grant *grant)
{
	struct slot *slot = &machine.slot[grant->slot];
	uint64_t pages = slot->backing == BACKED_BY_PMD ? 512 : 1;
	char *at = slot->memory + (grant->page & -pages) * PAGE;
	int failed = 0;
	if (!strcmp(grant->what, "r"))
		failed = mprotect(at, pages * PAGE, PROT_READ);
	else if (!strcmp(grant->what, "absent"))
		failed = munmap(at, pages * PAGE);
	else if (!strcmp(grant->what, "poison"))
		failed = madvise(at, PAGE, MADV_POISON);
	if (failed)
		die(grant->what);
}

int can_age(void)
{
	return !access(IDLE, W_OK);
}

/* clear_young by page_idle: a page that is marked idle loses its access flags, stage 2's too. */
long age(const struct slot *slot, uint64_t first, uint64_t pages)
{
	int map = open("/proc/self/pagemap", O_RDONLY), idle = open(IDLE, O_RDWR);
	long result = map < 0 || idle < 0 ? -errno : 0;
	for (uint64_t page = first; !result && page < first + pages && page < slot->pages; page++) {
		uint64_t entry = 0, at = (uint64_t)slot->memory / PAGE + page;
		if (pread(map, &entry, 8, at * 8) != 8 || !(entry & FRAME)) {
			result = -ENOENT;
			break;
		}
		uint64_t frame = entry & FRAME, bit = 1ul << frame % 64;
		uint64_t marked = 0;
		if (pwrite(idle, &bit, 8, frame / 64 * 8) != 8 || pread(idle, &marked, 8, frame / 64 * 8) != 8)
			result = -errno;
		else if (!(marked & bit))
			result = -ENXIO; /* the kernel passed it over: it is on no list of pages */
	}
	if (map >= 0)
		close(map);
	if (idle >= 0)
		close(idle);
	return result;
}
