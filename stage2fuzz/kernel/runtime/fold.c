/* A run's class: what an oracle could tell apart of it.
 *
 * Two runs that differ only in the order of independent steps are one Mazurkiewicz trace, so the
 * hash sums one term an event, made of what the event is, of its thread's previous event and of
 * the events that it depends on. Dependence is what the oracles ask of the events before: which
 * value an entry had, what TLBs may hold, what the host has. Loads and walks are heard of where
 * they touch a freed table (stage2fuzz/oracles/judge.py), and everything is where states may be
 * compared for a lasso. Table pages go by who took them, as their addresses depend on who came
 * first.
 */
#include <string.h>
#include "assertion.h"
#include "fold.h"
#include "pages.h"
#include "places.h"
#include "record.h"
#include "scheduler.h"

/* What fold() keeps of each thread. */
struct fold_thread {
	uint64_t hash, walked;
	int taken;
};

struct meeting {
	struct place *place;
	int side;
};

/* What fold() keeps of each table page. */
static struct { uint64_t name; int freed, linked; } fold_page[S2_PAGES];

static inline int is_table(uint64_t address)
{
	return address - S2_TABLE_BASE < S2_ARENA_SIZE;
}

static inline uint64_t page_number(uint64_t address)
{
	return (address - S2_TABLE_BASE) >> S2_PAGE_SHIFT;
}

/* An address or a descriptor, with the name of the table page in place of where it lies. */
static inline uint64_t by_name(uint64_t value)
{
	uint64_t address = value & S2_PTE_ADDRESS;

	if (!is_table(address))
		return value;
	return fold_page[page_number(address)].name ^ (value & ~S2_PTE_ADDRESS);
}

/* Whether an oracle hears of the event. */
static inline int is_heard(const struct s2_event *event)
{
	switch (event->kind) {
	S2_CASES_WHEN_FREED
		return is_table((uint64_t)event->where) &&
		       fold_page[page_number((uint64_t)event->where)].freed;
	S2_CASES_NEVER
		return 0;
	}
	return 1;
}

/* The places of the table of events (stage2fuzz/events.py), as keys. */
#define AT_ENTRY (where | 1)
#define AT_PAGE (where & S2_PAGE_MASK)
#define AT_WALKED me->walked
#define AT_TLB OF_TLB
#define AT_TREE OF_TREE
#define AT_HOST OF_HOST
#define AT_SEQUENCE OF_SEQUENCE
#define AT_READERS OF_READERS

/* Its conditions. A call's return is asked about what it promised: in the tree, and in what TLBs
 * may hold. Where faults share the lock, map and relax are asked what they did at any moment of the
 * call, whatever another walker did meanwhile, so in which order the return came does not count. */
#define WHEN_ALWAYS 1
#define WHEN_VALID (event->new_ & S2_PTE_VALID)
#define WHEN_LINKED fold_page[page_number(where)].linked
#define WHEN_COMPLETES (event->aux == S2_DSB_ISH || event->aux == S2_DSB_NSH)
#define WHEN_HOST_CALL (call >= S2_FIRST_HOST_CALL)
#define WHEN_TREE_CALL \
	(call == S2_CALL_IS_YOUNG || call == S2_CALL_MKOLD || call == S2_CALL_VCPU_INIT || \
	 call == S2_CALL_SET_WAY || call == S2_CALL_TOGGLE_CACHE)
#define WHEN_REMOVES \
	(call >= S2_FIRST_HOST_CALL || call == S2_CALL_UNMAP || call == S2_CALL_WRPROTECT)
#define WHEN_MMAP (where == S2_LOCK_MMAP)
#define WHEN_PROMISES (WHEN_REMOVES || !s2_shared_faults)

#define MEET(at, from, when) \
	if (WHEN_##when) \
		to->place = place_of(AT_##at), to->side = from, to++;

/* The places that an event comes to; one after the last. */
static struct meeting *meet(const struct s2_event *event, const struct fold_thread *me,
			    struct meeting *to)
{
	uint64_t where = (uint64_t)event->where;
	int call = event->aux & S2_CALL_CODE;

	switch (event->kind) {
	S2_MEETINGS(MEET)
	default:
		S2_ASSERT(!"a kind of the table of events", event->kind);
	}
	return to;
}

/* Note what the event says of its thread and of table pages. */
static inline void note(const struct s2_event *event, struct fold_thread *me)
{
	uint64_t page = page_number((uint64_t)event->where);
	uint64_t table = (uint64_t)event->new_ & S2_PTE_ADDRESS;

	switch (event->kind) {
	case S2_ROOT:
		/* Set-up took it; a shadow's differs from the others by its VMID. */
		if (is_table((uint64_t)event->where) && event->new_ > S2_VMID)
			fold_page[page].name = (uint64_t)event->new_ << 48;
		break;
	case S2_WALK:
		me->walked = (uint64_t)event->where | 1;
		break;
	case S2_ALLOC:
		fold_page[page].name = (uint64_t)(event->thread + 2) << 40 |
				       (uint64_t)++me->taken << 20;
		fold_page[page].freed = fold_page[page].linked = 0;
		break;
	case S2_FREE:
		fold_page[page].freed = 1;
		break;
	case S2_STORE:
		if ((event->new_ & S2_PTE_VALID) && is_table(table))
			fold_page[page_number(table)].linked = 1;
	}
}

static uint64_t term(const struct s2_event *event, const struct fold_thread *me)
{
	uint64_t hash = mix(me->hash, (uint64_t)event->kind << 32 | (uint32_t)event->aux);

	hash = mix(hash, by_name((uint64_t)event->where) * 31 + by_name((uint64_t)event->old));
	/* What a count was when it moved depends on who else moved it; where it ends does not. */
	if (event->kind == S2_GET || event->kind == S2_PUT)
		return mix(hash, (uint64_t)event->thread);
	return mix(hash, by_name((uint64_t)event->new_) * 31 + (uint64_t)event->thread);
}

/* The events of rounds without effect, while fold_effect() is at work. */
static uint8_t dropped[S2_EVENTS + 1];

/* From a fault's beginning to where the vCPU is resumed: what it took, and whether it changed
 * anything. Pages that it took and gave back are no change. */
struct round {
	int start, effect, takes;
	uint64_t taken[8];
};

static void note_own_page(struct round *of, const struct s2_event *event)
{
	for (int i = 0; i < of->takes; i++)
		if (of->taken[i] == (uint64_t)event->where) {
			if (event->kind == S2_FREE)
				of->taken[i] = 0;
			return;
		}
	of->effect = 1;
}

static int is_void(const struct round *of, const struct s2_event *resume)
{
	for (int i = 0; i < of->takes; i++)
		if (of->taken[i])
			return 0;
	return of->start && !of->effect && (resume->new_ == 1 || resume->new_ == -S2_EAGAIN);
}

static void drop_rounds(void)
{
	struct round rounds[S2_THREADS + 1];

	memset(rounds, 0, sizeof(rounds));
	memset(dropped, 0, (size_t)s2_log.events_count);
	for (int i = 0; i < s2_log.events_count; i++) {
		const struct s2_event *event = &s2_log.events[i];
		struct round *of = &rounds[event->thread + 1];

		switch (event->kind) {
		case S2_FAULT:
			of->start = i + 1;
			of->effect = of->takes = 0;
			break;
		case S2_ALLOC:
			if (of->takes < 8)
				of->taken[of->takes++] = (uint64_t)event->where;
			else
				of->effect = 1;
			break;
		case S2_STORE: case S2_DRAIN: case S2_HARDWARE_AF: case S2_TLBI: case S2_MARK_DIRTY:
		case S2_FREE_DEFERRED: case S2_BACKING: case S2_WARN: case S2_TOPUP:
		case S2_TAGS_CLEAR: case S2_VNCR_VALID: case S2_VNCR_MAP:
			of->effect = 1;
			break;
		case S2_GET: case S2_PUT: case S2_FREE:
			note_own_page(of, event);
			break;
		case S2_RESUME:
			if (is_void(of, event))
				for (int j = of->start - 1; j <= i; j++)
					dropped[j] |= s2_log.events[j].thread == event->thread;
			of->start = 0;
			break;
		}
	}
}

static uint64_t fold_all(int lasso, const uint8_t *without);

S2_OWN uint64_t fold_effect(void)
{
	drop_rounds();
	return fold_all(0, dropped);
}

/* The class of the last run, never 0. */
S2_OWN uint64_t fold(int lasso)
{
	return fold_all(lasso, NULL);
}

static uint64_t fold_all(int lasso, const uint8_t *without)
{
	struct fold_thread threads[S2_THREADS + 1];
	struct meeting met[S2_MOST_MEETINGS], *end;
	uint64_t sum = 0;

	memset(threads, 0, sizeof(threads));
	memset(fold_page, 0, sizeof(fold_page[0]) * (size_t)s2_memory.next_page);
	forget_places();
	for (int i = 0; i < s2_log.events_count; i++) {
		const struct s2_event *event = &s2_log.events[i];
		struct fold_thread *me = &threads[event->thread + 1];
		uint64_t hash;

		if (without && without[i])
			continue;
		note(event, me);
		if (!lasso && !is_heard(event))
			continue;
		hash = term(event, me);
		end = meet(event, me, met);
		for (const struct meeting *at = met; at < end; at++)
			hash = mix(hash, seen_from(at->place, at->side));
		for (const struct meeting *at = met; at < end; at++)
			leave_mark(at->place, at->side, hash);
		me->hash = hash;
		sum += hash;
	}
	return sum ? sum : 1;
}
