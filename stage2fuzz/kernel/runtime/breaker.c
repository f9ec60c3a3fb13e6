/* The breaker: the adversary that lets others in while an entry is broken.
 *
 * The same idea as stage2fuzz/schedule/breaker.py: a thread is stopped before its TLBI and the
 * others run until they block or yield; it hands over again where a waiter wakes and where a vCPU
 * re-enters the guest. Two vCPUs that undo one another's mapping then do so in every round.
 */
#include "machine.h"

#define ZEAL 58982	/* of 65536: how often it hands over at a place that hurts */
#define DRIFT 1311	/* of 65536: how often it switches anywhere else */

static uint32_t next_random(void)
{
	s2_u64 x = s2.random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	s2.random = x;
	return (uint32_t)(x >> 24);
}

static int current_enabled(void)
{
	return s2.current >= 0 && (s2.enabled >> s2.current & 1);
}

static int any_of(uint32_t threads)
{
	int pick = (int)(next_random() % (uint32_t)__builtin_popcount(threads));

	while (pick--)
		threads &= threads - 1;
	return __builtin_ctz(threads);
}

static void begin_breaker(void)
{
	s2.enabled_before = ~0u;
	s2.intruders = 0;
}

/* An intruder while there is one left, else hand over or stay. */
static void choose_breaker(void)
{
	uint32_t me = s2.current >= 0 ? 1u << s2.current : 0, others = s2.enabled & ~me;
	uint32_t woken = others & ~s2.enabled_before, draw = next_random() & 0xFFFF;
	int kind = s2.current >= 0 ? s2.thread[s2.current].pending_kind : 0;

	s2.enabled_before = s2.enabled;
	s2.intruders &= others;
	s2.answer_points = 1;
	s2.answer_thread = s2.current;
	if (s2.intruders) {
		s2.answer_thread = any_of(s2.intruders);
		s2.intruders &= ~(1u << s2.answer_thread);
		s2.answer_points = S2_FOREVER;
	} else if (!others) {
		return;
	} else if (!current_enabled()) {
		s2.answer_thread = any_of(others);
	} else if (s2.yielded) {
		if (draw < ZEAL)
			s2.answer_thread = any_of(others);
	} else if (woken) {
		if (draw < ZEAL)
			s2.answer_thread = any_of(woken);
	} else if (kind == S2_TLBI || kind == S2_DSB) {
		if (draw >= ZEAL)
			return;
		s2.answer_thread = any_of(others);
		s2.intruders = others & ~(1u << s2.answer_thread);
		s2.answer_points = S2_FOREVER;
	} else if (draw < DRIFT) {
		s2.answer_thread = any_of(others);
	}
}
