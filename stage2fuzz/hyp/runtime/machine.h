/* The machine: its memory, EL2 as it was set up, and going back to that before each run. */
#ifndef STAGE2FUZZ_EL2_MACHINE_H
#define STAGE2FUZZ_EL2_MACHINE_H

#include "el2_seam.h"
#include "abi.h"
#include "linkage.h"
#include "tables.h"

#define EL2_SIZE (S2_EL2_PAGES * 4096UL)
/* The first page after EL2's pool and what it rounds up to, for VMs; then the CPUs' table pages;
 * the pages that cases name are the last but some. */
#define EL2_VM_AREA 1400
#define EL2_VM_STRIDE 96
#define EL2_CACHE_AREA 1800
#define EL2_CACHE_STRIDE 48
#define EL2_TEST_AREA 2032

struct el2_machine {
	struct el2_layout layout;
	int booted, result, warnings, boot_warnings;
	/* Where in the code the first of these was: who found EL2 at fault as it was set up. */
	uint32_t warned_at[S2_DEPTH];
	/* Where the structure of each VM lies in EL2's hands, or will. */
	unsigned long vm_at[S2_EL2_VMS];
};

extern struct el2_machine el2_machine;

/* The virtual address of a page of memory by its index. */
static inline char *el2_page(unsigned long index)
{
	return (char *)S2_EL2_MEMORY + index * 4096UL;
}

static inline s2_u64 el2_pfn(unsigned long index)
{
	return (S2_EL2_PHYSICAL >> 12) + index;
}

/* As events and cases number pages: from the first one that a case may name. */
static inline int64_t page_number(s2_u64 physical)
{
	return (int64_t)((physical >> 12) - (S2_EL2_PHYSICAL >> 12)) - EL2_TEST_AREA;
}

static inline int in_memory(const volatile void *at)
{
	return (unsigned long)at - S2_EL2_MEMORY < EL2_SIZE;
}

static inline int in_states(const volatile void *at)
{
	return (unsigned long)at -
	       (S2_EL2_PAGE_STATES + (S2_EL2_PHYSICAL >> 12) * el2_machine.layout.state) <
	       S2_EL2_PAGES * el2_machine.layout.state;
}

/* Memory is about to be written; `restore_machine` undoes it. */
S2_OWN void mark_written(const volatile void *at, unsigned long size);
/* Set EL2 up, on the running stack; once a process. */
S2_OWN void boot_machine(void);
S2_OWN void keep_machine(void);
S2_OWN void restore_machine(void);
/* The word of a page's state. */
S2_OWN s2_u64 state_word(s2_u64 pfn);

#endif
