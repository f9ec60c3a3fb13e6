/* A vCPU runs its accesses: translate, fault, handle, try again. */
#include "guest.h"
#include "hostpages.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "setup.h"
#include "tables.h"
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
	me->fault_granule = me->pinned_ipa = me->pinned_address = 0;
	me->pinned = me->pins_host_page = 0;
}

int s2_most_faults = S2_MAX_FAULTS;

S2_OWN void vcpu_body(void)
{
	int id = s2_sched.current;
	struct s2_thread *me = running_thread();

	for (int number = 0; number < s2_scenario.vcpu[id].accesses; number++) {
		const struct s2_access *access = &s2_scenario.vcpu[id].access[number];
		s2_u64 ipa = ipa_of(access->page), address;
		int kind = access->kind, level, status, ret;

		for (me->faults = 0; me->faults < s2_most_faults; me->faults++) {
			status = translate(ipa, kind, &level, &address);
			if (!status) {
				s2_record(S2_ACCESS, (int64_t)ipa, kind, (int64_t)address, number);
				break;
			}
			s2_record(S2_FAULT, (int64_t)ipa, kind, status, level);
			me->fault_granule = granule(level);
			ret = outcome(me, s2_glue_fault(id, ipa, kind, status, level, 0));
			settle_pins(me);
			s2_record(S2_RESUME, (int64_t)ipa, kind, ret, !slot_of_ipa(ipa));
			if (ret != 1 && ret != -S2_EAGAIN)
				break;
			me->pending_kind = S2_WALK;
			me->pending_where = (int64_t)root_entry(ipa);
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
	}
}
