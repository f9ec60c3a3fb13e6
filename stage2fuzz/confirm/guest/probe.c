/* What the race left behind: the log is read, then each page is written once more and looked for. */
#define _GNU_SOURCE
#include "guest.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 1024 /* pages of one slot that are written again */

static int bit(const struct slot *slot, uint64_t page)
{
	return slot->bits[page / 64] >> page % 64 & 1;
}

static void tell_dirty(const char *phase, int number)
{
	struct slot *slot = &machine.slot[number];
	char text[3000] = "";
	int length = 0, count = 0;
	for (uint64_t page = 0; page < slot->pages; page++)
		if (bit(slot, page)) {
			count++;
			if (length < (int)sizeof text - 16)
				length += snprintf(text + length, sizeof text - length, " %lu", page);
		}
	say("dirty %s %d %d%s", phase, number, count, text);
}

static uint64_t content(const struct slot *slot, uint64_t page)
{
	return *(volatile uint64_t *)(slot->memory + page * PAGE);
}

/* Write every page from alternating vCPUs; those that changed without a bit in the log are lost. */
static void rewrite(const char *phase, int number, int vcpus)
{
	struct slot *slot = &machine.slot[number];
	uint64_t pages = slot->pages < MOST ? slot->pages : MOST, *before = calloc(pages, 8);
	int changed = 0, lost = 0, refused = 0;
	for (uint64_t page = 0; page < pages; page++)
		before[page] = content(slot, page);
	for (uint64_t page = 0; page < pages; page++) {
		uint64_t value;
		struct thread *vcpu = &machine.thread[page % vcpus];
		if (guest_access(vcpu, WRITE, slot->ipa + page * PAGE, &value))
			refused++;
	}
	if (harvest(number, machine.slot[number].bits))
		return;
	for (uint64_t page = 0; page < pages; page++)
		if (content(slot, page) != before[page]) {
			changed++;
			lost += !bit(slot, page);
		}
	say("rewritten %s %d %lu %d %d %d", phase, number, pages, changed, lost, refused);
	free(before);
}

/* The log of each slot that has one, as a VMM would read it. */
void tell_logs(void)
{
	for (int number = 0; number < machine.slots; number++)
		if (machine.slot[number].logging && !harvest(number, machine.slot[number].bits))
			tell_dirty("end", number);
}

/*
 * Write first: who may write without a fault, although a log is on, is found before a harvest takes
 * the permission back. Read the log first: what is in it that nobody wrote is found before more is
 * written.
 */
void probe(int log_first)
{
	int vcpus = 0;
	for (int i = 0; i < machine.threads; i++)
		vcpus += machine.thread[i].is_vcpu;
	for (int i = 0; i < machine.grants; i++)
		if (!strcmp(machine.grant[i].what, "absent") || !strcmp(machine.grant[i].what, "poison"))
			return; /* reading what the host has not would end this program */
	for (int number = 0; number < machine.slots; number++) {
		struct slot *slot = &machine.slot[number];
		if (!slot->logging || slot->flags & SLOT_READONLY)
			continue;
		if (log_first && !harvest(number, machine.slot[number].bits))
			tell_dirty("end", number);
		watch_clear();
		rewrite("probe", number, vcpus);
		tell_faults("probe");
		rewrite("again", number, vcpus);
		tell_faults("again");
	}
}
