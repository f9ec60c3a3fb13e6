/* A run's class: what the oracles of ownership hear of it, in its order. */
#include "abi.h"
#include "fold.h"
#include "lasso.h"
#include "places.h"
#include "record.h"
#include "tripwires.h"

static int heard(const struct s2_event *event)
{
	switch (event->kind) {
	case S2_LOCK: case S2_UNLOCK: case S2_TLBI: case S2_TABLE_STORE: case S2_SETTLED:
	case S2_PAGE_DATA: case S2_THREAD_END: case S2_HYPERCALL:
		return 0;
	}
	return 1;
}

/* Locks nested and locks held at a store: what is wrong with them is wrong whenever it happens, so
 * each pair counts once and in no order. */
static uint64_t discipline(void)
{
	uint64_t held[S2_THREADS] = { 0 }, sum = 0;

	for (int i = 0; i < s2_log.events_count; i++) {
		const struct s2_event *event = &s2_log.events[i];
		int thread = event->thread;

		if (thread < 0)
			continue;
		if (event->kind == S2_LOCK) {
			sum |= 1ULL << (mix(held[thread], (uint64_t)event->where) & 63);
			held[thread] |= 1ULL << event->where;
		} else if (event->kind == S2_UNLOCK) {
			held[thread] &= ~(1ULL << event->where);
		} else if (event->kind == S2_TABLE_STORE) {
			sum |= 1ULL << (mix(1, (uint64_t)event->aux) & 63);
		}
	}
	return sum;
}

S2_OWN uint64_t fold(int lasso)
{
	uint64_t class = discipline();

	(void)lasso;
	for (int i = 0; i < s2_log.events_count; i++) {
		const struct s2_event *event = &s2_log.events[i];

		if (!heard(event))
			continue;
		class = mix(class, (uint64_t)event->kind << 32 | (uint64_t)(uint32_t)event->aux);
		class = mix(class, (uint64_t)event->where ^ (uint64_t)event->thread << 56);
		class = mix(class, (uint64_t)event->old);
		class = mix(class, (uint64_t)event->new_);
	}
	return class ? class : 1;
}

S2_OWN uint64_t fold_effect(void) { return fold(0); }
/* Nobody waits for anything but a lock, and each CPU makes so many calls. */
S2_OWN int may_be_lasso(void) { return 0; }

/* Signs that a run is worth judging first. */
S2_OWN int tripped_wires(void)
{
	int trips = 0;

	for (int i = 0; i < s2_log.events_count; i++) {
		switch (s2_log.events[i].kind) {
		case S2_WARN: trips |= 4; break;
		case S2_DEADLOCK: case S2_LIMIT: case S2_CRASH: trips |= 8; break;
		case S2_TLB_KEPT: trips |= 32; break;
		case S2_HYP_ACCESS: trips |= 1; break;
		}
	}
	return trips;
}
