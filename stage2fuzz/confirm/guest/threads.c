/* The case's threads, each pinned to a processor of its own, and what a host thread does. */
#define _GNU_SOURCE
#include "guest.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A system call that nobody else uses: where it begins, an item begins, and the controller may hold
 * the processor there. */
static void mark(void)
{
	struct timespec unused;
	syscall(SYS_sched_rr_get_interval, 0, &unused);
}

static int kind_of(const char *name)
{
	return !strcmp(name, "write") ? WRITE : !strcmp(name, "execute") ? EXECUTE : READ;
}

/* The pages move elsewhere with what they hold, in one system call: unmap, then move the entries of
 * a copy there. */
static long move(struct slot *slot, uint64_t first, uint64_t pages)
{
	uint64_t unit = slot->backing == BACKED_BY_PMD ? 512 : 1;
	uint64_t start = first & -unit, bytes = ((first + pages + unit - 1) & -unit) * PAGE - start * PAGE;
	if (start * PAGE + bytes > slot->pages * PAGE)
		bytes = slot->pages * PAGE - start * PAGE;
	char *raw = mmap(0, bytes + 2 * BLOCK, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (raw == MAP_FAILED)
		return -errno;
	char *copy = (char *)(((uint64_t)raw + BLOCK - 1) & -BLOCK);
	madvise(copy, bytes, unit > 1 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	memcpy(copy, slot->memory + start * PAGE, bytes);
	void *there = mremap(copy, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, slot->memory + start * PAGE);
	return there == MAP_FAILED ? -errno : 0;
}

/* Whole host mappings change, as the model's do. */
static long protect(struct slot *slot, uint64_t first, uint64_t pages, int rights)
{
	uint64_t unit = slot->backing == BACKED_BY_PMD ? 512 : slot->backing == BACKED_BY_PUD ? 1 << 18 : 1;
	uint64_t start = first & -unit, end = (first + pages + unit - 1) & -unit;
	if (end > slot->pages)
		end = slot->pages;
	return mprotect(slot->memory + start * PAGE, (end - start) * PAGE, rights) ? -errno : 0;
}

/* Two threads may harvest one slot at once, and what each got is told when all are done. */
static long harvest_of_its_own(struct item *item)
{
	item->bits = calloc((machine.slot[item->slot].pages + 63) / 64, 8);
	return item->bits ? harvest(item->slot, item->bits) : -ENOMEM;
}

long host_operation(struct item *item)
{
	struct slot *slot = &machine.slot[item->slot];
	if (!strcmp(item->name, "log-enable"))
		return set_slot(item->slot, 1, 1);
	if (!strcmp(item->name, "log-disable"))
		return set_slot(item->slot, 0, 1);
	if (!strcmp(item->name, "log-get") || !strcmp(item->name, "log-clear"))
		return harvest_of_its_own(item);
	if (!strcmp(item->name, "slot-delete"))
		return set_slot(item->slot, 0, 0);
	if (!strcmp(item->name, "move"))
		return move(slot, item->page, item->pages);
	if (!strcmp(item->name, "protect"))
		return protect(slot, item->page, item->pages, PROT_READ);
	if (!strcmp(item->name, "unprotect"))
		return protect(slot, item->page, item->pages, PROT_READ | PROT_WRITE);
	if (!strcmp(item->name, "age"))
		return age(slot, item->page, item->pages);
	return -ENOSYS;
}

/* The bits of a harvest, as far as one line holds them, as "page page ...". */
static void tell_bits(const struct item *item, int thread, int index)
{
	struct slot *slot = &machine.slot[item->slot];
	char text[3000] = "";
	int length = 0, count = 0;
	for (uint64_t page = 0; page < slot->pages; page++)
		if (item->bits[page / 64] >> page % 64 & 1) {
			count++;
			if (length < (int)sizeof text - 16)
				length += snprintf(text + length, sizeof text - length, " %lu", page);
		}
	say("bits %d %d %d %d%s", item->slot, thread, index, count, text);
}

static void run_item(struct thread *thread, int index)
{
	struct item *item = &thread->item[index];
	item->begin = now();
	if (thread->is_vcpu) {
		uint64_t ipa = machine.slot[0].ipa;
		ipa = item->slot ? BASE_IPA + ((uint64_t)item->slot << 34) : ipa;
		item->result = guest_access(thread, kind_of(item->name), ipa + item->page * PAGE, &item->value);
	} else {
		item->result = host_operation(item);
	}
	item->end = now();
}

static void tell_item(struct thread *thread, int index)
{
	struct item *item = &thread->item[index];
	say("item %d %d %lu %lu %ld %lu", thread->number, index, item->begin, item->end, item->result,
	    item->value);
	if (item->bits && item->result == 0)
		tell_bits(item, thread->number, index);
}

static void *live(void *argument)
{
	struct thread *thread = argument;
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(thread->number + 1, &set);
	if (sched_setaffinity(0, sizeof set, &set))
		die("sched_setaffinity");
	/* Up to 6.12 the first KVM_RUN of another thread waits for RCU, and so for every processor. */
	if (thread->is_vcpu)
		to_the_door(thread);
	sem_post(&thread->parked);
	for (;;) {
		while (sem_wait(&thread->go))
			;
		if (thread->quit)
			return 0;
		for (int i = thread->from; i < thread->to; i++) {
			mark();
			run_item(thread, i);
		}
		mark();
		sem_post(&thread->parked);
	}
}

static void wait_parked(struct thread *thread)
{
	while (sem_wait(&thread->parked))
		;
}

void start_threads(void)
{
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 256 << 10);
	for (int i = 0; i < machine.threads; i++) {
		struct thread *thread = &machine.thread[i];
		sem_init(&thread->go, 0, 0);
		sem_init(&thread->parked, 0, 0);
		if (pthread_create(&thread->self, &attributes, live, thread))
			die("pthread_create");
		wait_parked(thread);
	}
}

void stop_threads(void)
{
	for (int i = 0; i < machine.threads; i++) {
		machine.thread[i].quit = 1;
		sem_post(&machine.thread[i].go);
		pthread_join(machine.thread[i].self, 0);
		for (int k = 0; k < machine.thread[i].items; k++)
			free(machine.thread[i].item[k].bits);
	}
}

/* All threads at once: the controller decides who gets how far. */
void run_together(void)
{
	for (int i = 0; i < machine.threads; i++) {
		machine.thread[i].from = 0;
		machine.thread[i].to = machine.thread[i].items;
		sem_post(&machine.thread[i].go);
	}
	for (int i = 0; i < machine.threads; i++)
		wait_parked(&machine.thread[i]);
	for (int i = 0; i < machine.threads; i++)
		for (int k = 0; k < machine.thread[i].items; k++)
			tell_item(&machine.thread[i], k);
}

/* The next item of one thread, from its beginning to its end. */
void run_alone(int number)
{
	struct thread *thread = &machine.thread[number];
	int next = thread->to;
	if (next >= thread->items)
		return;
	thread->from = next;
	thread->to = next + 1;
	sem_post(&thread->go);
	wait_parked(thread);
	tell_item(thread, next);
}
