/* A vCPU runs its accesses: translate, fault, handle, try again. */
#include "guest.h"
#include "hostpages.h"
#include "locks.h"
#include "nested.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "setup.h"
#include "tables.h"
#include "vncr.h"
#include "walk.h"

/* What KVM_RUN makes of the handler's answer: an injected abort ends the access, and so does a
 * signal, which makes it return to user space. */
static int outcome(struct s2_thread *me, int ret)
{
	if (me->injected)
		ret = me->injected;
	else if (me->signalled)
		ret = 0;
	me->injected = me->signalled = 0;
	return ret;
}

/* What is left of a fault means nothing to the next one: two configurations that differ in nothing
 * else are the same. */
static void forget_fault(struct s2_thread *me)
{
	me->fault_granule = me->fault_address = me->pinned_ipa = me->pinned_address = 0;
	me->pinned = me->pins_host_page = me->skipped = 0;
}

int s2_most_faults = S2_MAX_FAULTS;

/* Where an access lies: maybe above all that the guest may address. */
static s2_u64 address_of(const struct s2_access *access)
{
	s2_u64 ipa = ipa_of(access->page);

	return access->kind & S2_BEYOND ? ipa | 1ULL << s2_scenario.ipa_bits : ipa;
}

/* What the hardware makes of an access: 0 or the fault, its level, the host's address. */
static int attempt(s2_u64 ipa, int kind, int *level, s2_u64 *address)
{
	int status;

	if (kind & S2_BEYOND) {
		*level = 0;
		return S2_TRANSLATION;
	}
	status = translate(ipa, kind & S2_ACCESS_RIGHTS, level, address);
	if (!status && kind & S2_UNSUPPORTED_ATOMIC)
		return S2_UNSUPPORTED_ACCESS;
	return !status && kind & S2_CONSUMED_ERROR ? S2_EXTERNAL_ABORT : status;
}

/* READ, WRITE or EXECUTE as the syndrome tells it: arch.reported_kind. */
static int reported_kind(int kind, int status)
{
	if (kind & S2_CACHE_MAINTENANCE || (kind & S2_WRITE && !(kind & S2_READ)))
		return S2_WRITE;
	if (kind & S2_WRITE && status == S2_PERMISSION)
		return S2_WRITE;
	return kind & (S2_READ | S2_EXECUTE);
}

S2_OWN void vcpu_body(void)
{
	int id = s2_sched.current;
	struct s2_thread *me = running_thread();

	for (int number = 0; number < s2_scenario.vcpu[id].accesses; number++) {
		const struct s2_access *access = &s2_scenario.vcpu[id].access[number];
		s2_u64 ipa = address_of(access), address;
		int how = access->kind & ~S2_ACCESS_RIGHTS, kind, level, status, ret;
		int untouched = s2_scenario.vncr;

		if (s2_scenario.nested)
			load_guest(ipa_of(access->page));
		for (me->faults = 0; me->faults < s2_most_faults; me->faults++) {
			if (s2_scenario.nested)
				enter_guest();
			if (untouched) {
				untouched = touch_page(access->kind & S2_WRITE);
				forget_fault(me);
				if (untouched == VNCR_GIVEN_UP)
					break;
				if (untouched) {
					yield();
					continue;
				}
			}
			status = attempt(ipa, access->kind, &level, &address);
			if (!status) {
				kind = access->kind & S2_WRITE ? S2_WRITE :
								 access->kind & S2_ACCESS_RIGHTS;
				s2_record(S2_ACCESS, (int64_t)(ipa | me->tree), kind,
					  (int64_t)address, number);
				break;
			}
			kind = reported_kind(access->kind, status);
			s2_record(S2_FAULT, (int64_t)(ipa | me->tree), kind, status,
				  level | how << S2_FAULT_HOW_SHIFT);
			me->fault_granule = granule(level);
			me->skipped = 0;
			/* Anywhere in its page: the syndrome has the page, FAR_EL2 the rest. */
			me->fault_address = ipa | (S2_OFFSET_IN_PAGE & (PAGE - 1));
			ret = outcome(me, s2_glue_fault(id, ipa, kind, status, level, how));
			check_nothing_held();
			if (ret == 1 && (me->skipped || status == S2_EXTERNAL_ABORT))
				ret = S2_PAST_THE_INSTRUCTION;
			settle_pins(me);
			s2_record(S2_RESUME, (int64_t)(ipa | me->tree), kind, ret,
				  !slot_of_ipa(ipa));
			if (ret != 1 && ret != -S2_EAGAIN)
				break;
			me->pending_kind = S2_WALK;
			me->pending_where = (int64_t)root_entry(me, ipa);
			forget_fault(me);
			level = 0;
			address = 0;
			__asm__ volatile("" : : "r"(&level), "r"(&address) : "memory");
			yield();
		}
		if (me->faults >= s2_most_faults)
			give_up(S2_LIMIT_FAULTS);
		forget_fault(me);
		me->faults = 0;
		if (s2_scenario.nested)
			put_guest();
	}
}
