/* The breaker: the adversary that lets others in while an entry is broken.
 *
 * The same idea as stage2fuzz/schedule/breaker.py: a thread is stopped before its TLBI and the
 * others run until they block or yield; it hands over again where a waiter wakes and where a vCPU
 * re-enters the guest. Two vCPUs that undo one another's mapping then do so in every round.
 */
#include "breaker.h"
#include "scheduler.h"
#include "strategy.h"

#define ZEAL 58982	/* of 65536: how often it hands over at a place that hurts */
#define DRIFT 1311	/* of 65536: how often it switches anywhere else */

S2_OWN void begin_breaker(void)
{
	s2_plan.enabled_before = ~0u;
	s2_plan.intruders = 0;
}

/* An intruder while there is one left, else hand over or stay. */
S2_OWN void choose_breaker(void)
{
	uint32_t me = s2_sched.current >= 0 ? 1u << s2_sched.current : 0;
	uint32_t others = s2_sched.enabled & ~me;
	/* Whoever stores wakes its buffer: nobody waited for that. */
	uint32_t woken = others & ~s2_plan.enabled_before & ((1u << s2_sched.threads) - 1);
	uint32_t draw = next_random() & 0xFFFF;
	int runs = s2_sched.current >= 0 && s2_sched.current < s2_sched.threads;
	int kind = runs ? s2_sched.thread[s2_sched.current].pending_kind : 0;

	s2_plan.enabled_before = s2_sched.enabled;
	s2_plan.intruders &= others;
	s2_sched.answer_points = 1;
	s2_sched.answer_thread = s2_sched.current;
	if (s2_plan.intruders) {
		s2_sched.answer_thread = any_of(s2_plan.intruders);
		s2_plan.intruders &= ~(1u << s2_sched.answer_thread);
		s2_sched.answer_points = S2_FOREVER;
	} else if (!others) {
		return;
	} else if (!current_enabled()) {
		s2_sched.answer_thread = any_of(others);
	} else if (s2_sched.yielded) {
		if (draw < ZEAL)
			s2_sched.answer_thread = any_of(others);
	} else if (woken) {
		if (draw < ZEAL)
			s2_sched.answer_thread = any_of(woken);
	} else if (kind == S2_TLBI || kind == S2_DSB) {
		if (draw >= ZEAL)
			return;
		s2_sched.answer_thread = any_of(others);
		s2_plan.intruders = others & ~(1u << s2_sched.answer_thread);
		s2_sched.answer_points = S2_FOREVER;
	} else if (draw < DRIFT) {
		s2_sched.answer_thread = any_of(others);
	}
}
