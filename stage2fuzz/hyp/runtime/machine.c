/* Memory at the addresses that EL2's layout wants, and a copy of it as it was after set-up.
 *
 * Several builds may be loaded in one process and share those addresses: whoever runs while another
 * ran before puts the whole of its copy back.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "assertion.h"
#include "machine.h"
#include "program.h"
#include "scheduler.h"

struct el2_machine el2_machine;

/* What the linker made of EL2's own data (hyp/build.py). */
extern char __start_el2data[] __attribute__((visibility("hidden")));
extern char __stop_el2data[] __attribute__((visibility("hidden")));
extern char __start_el2bss[] __attribute__((visibility("hidden")));
extern char __stop_el2bss[] __attribute__((visibility("hidden")));

#define STATES_SIZE (16 * 4096UL)
/* One page before the memory says whose it is now. */
#define OWNER (*(void *volatile *)(S2_EL2_MEMORY - 4096))

static struct {
	char *memory, *states, *data, *bss;
	unsigned char written[S2_EL2_PAGES];
	int list[S2_EL2_PAGES], count;
} el2_copy;

static char *states_at(void)
{
	return (char *)(S2_EL2_PAGE_STATES + (S2_EL2_PHYSICAL >> 12) * el2_machine.layout.state);
}

S2_OWN s2_u64 state_word(s2_u64 pfn)
{
	const char *at = (char *)S2_EL2_PAGE_STATES + pfn * el2_machine.layout.state;
	s2_u64 word = 0;

	memcpy(&word, at, el2_machine.layout.state < 8 ? el2_machine.layout.state : 8);
	return word;
}

S2_OWN void mark_written(const volatile void *at, unsigned long size)
{
	unsigned long first = ((unsigned long)at - S2_EL2_MEMORY) >> 12;
	unsigned long last = ((unsigned long)at + size - 1 - S2_EL2_MEMORY) >> 12;

	for (; first <= last && first < S2_EL2_PAGES; first++) {
		if (el2_copy.written[first])
			continue;
		el2_copy.written[first] = 1;
		el2_copy.list[el2_copy.count++] = (int)first;
	}
}

static void map_at(unsigned long at, unsigned long size)
{
	void *got = mmap((void *)at, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (got == (void *)at)
		return;
	/* Another build's, or of an older system that does not know the flag. */
	if (got != MAP_FAILED)
		munmap(got, size);
	got = mmap((void *)at, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	S2_ASSERT(got == (void *)at, at);
}

static void *copy_of(const void *from, unsigned long size)
{
	void *to = malloc(size);

	S2_ASSERT(to, size);
	return memcpy(to, from, size);
}

S2_OWN void boot_machine(void)
{
	map_at(S2_EL2_MEMORY - 4096, EL2_SIZE + 4096);
	el2_machine.layout.state = 8;
	map_at((unsigned long)states_at() & ~4095UL, STATES_SIZE);
	OWNER = &el2_copy;
	el2_measure(EL2_SIZE, &el2_machine.layout);
	S2_ASSERT(el2_machine.layout.state == 8, el2_machine.layout.state);
	S2_ASSERT(64 + el2_machine.layout.pool < EL2_VM_AREA, el2_machine.layout.pool);
	el2_machine.booted = 1;
	el2_boot(EL2_SIZE, S2_MAX_CPUS, 1UL << 9);
}

S2_OWN void keep_machine(void)
{
	el2_copy.memory = copy_of((void *)S2_EL2_MEMORY, EL2_SIZE);
	el2_copy.states = copy_of(states_at(), S2_EL2_PAGES * el2_machine.layout.state);
	el2_copy.data = copy_of(__start_el2data, (unsigned long)(__stop_el2data - __start_el2data));
	el2_copy.bss = copy_of(__start_el2bss, (unsigned long)(__stop_el2bss - __start_el2bss));
	while (el2_copy.count)
		el2_copy.written[el2_copy.list[--el2_copy.count]] = 0;
}

static void restore_all(void)
{
	memcpy((void *)S2_EL2_MEMORY, el2_copy.memory, EL2_SIZE);
	OWNER = &el2_copy;
}

S2_OWN void restore_machine(void)
{
	if (OWNER != &el2_copy)
		restore_all();
	while (el2_copy.count) {
		int page = el2_copy.list[--el2_copy.count];

		el2_copy.written[page] = 0;
		memcpy(el2_page((unsigned long)page), el2_copy.memory + page * 4096UL, 4096);
	}
	memcpy(states_at(), el2_copy.states, S2_EL2_PAGES * el2_machine.layout.state);
	memcpy(__start_el2data, el2_copy.data, (unsigned long)(__stop_el2data - __start_el2data));
	memcpy(__start_el2bss, el2_copy.bss, (unsigned long)(__stop_el2bss - __start_el2bss));
}
