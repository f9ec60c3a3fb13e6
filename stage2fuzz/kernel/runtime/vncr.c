/* VNCR_EL2: with FEAT_NV2 registers of a hypervisor that is a guest lie in a page of memory, which
 * the hardware reads and writes at EL2, so KVM maps that page there, one vCPU on each CPU. */
#include "assertion.h"
#include "hostpages.h"
#include "locks.h"
#include "nested.h"
#include "record.h"
#include "scenario.h"
#include "step.h"
#include "vncr.h"

static struct {
	int vcpus, noted[S2_THREADS];
	const char *valid[S2_THREADS];
	struct { int mapped, writable; s2_u64 address; } cpu[S2_THREADS];
} vncr;

S2_OWN void reset_vncr(void)
{
	vncr.vcpus = 0;
	for (int i = 0; i < S2_THREADS; i++)
		vncr.noted[i] = vncr.cpu[i].mapped = 0;
}

int s2_this_cpu(void)
{
	return s2_sched.current < 0 ? 0 : s2_sched.current;
}

void s2_vncr_map(int cpu, s2_u64 address, int writable)
{
	S2_ASSERT((unsigned)cpu < S2_THREADS, cpu);
	s2_point(S2_VNCR_MAP, cpu);
	vncr.cpu[cpu].mapped = 1;
	vncr.cpu[cpu].writable = writable;
	vncr.cpu[cpu].address = address;
	s2_record(S2_VNCR_MAP, cpu, writable, (int64_t)address, 0);
}

void s2_vncr_unmap(int cpu)
{
	S2_ASSERT((unsigned)cpu < S2_THREADS, cpu);
	s2_point(S2_VNCR_MAP, cpu);
	vncr.cpu[cpu].mapped = 0;
	s2_record(S2_VNCR_MAP, cpu, 0, 0, 0);
}

void s2_vncr_note(int is_mapped) { vncr.noted[s2_this_cpu()] = is_mapped; }
int s2_vncr_noted(void) { return vncr.noted[s2_this_cpu()]; }

void s2_vncr_watch(int vcpu, const void *valid)
{
	S2_ASSERT((unsigned)vcpu < S2_THREADS, vcpu);
	vncr.valid[vcpu] = valid;
	vncr.vcpus = vcpu + 1;
}

void s2_vncr_walk(s2_u64 va)
{
	s2_point(S2_GUEST_LOAD, (int64_t)va);
}

S2_OWN void note_vncr_byte(const void *address, int is_store)
{
	for (int i = 0; i < vncr.vcpus; i++) {
		if (vncr.valid[i] != address || s2_sched.silent || s2_sched.current < 0)
			continue;
		s2_point(S2_VNCR_VALID, i);
		if (is_store)
			s2_record(S2_VNCR_VALID, i, *(const char *)address, 0, 0);
	}
}

S2_OWN s2_u64 page_of_registers(int vcpu)
{
	return ipa_of(s2_scenario.vcpu[vcpu].access[0].page) & ~(PAGE - 1);
}

S2_OWN int touch_page(int is_write)
{
	struct s2_thread *me = running_thread();
	int cpu = s2_sched.current, mapped, ret;

	s2_point(S2_VNCR_ACCESS, cpu);
	mapped = vncr.cpu[cpu].mapped;
	if (mapped && (!is_write || vncr.cpu[cpu].writable)) {
		s2_record(S2_VNCR_ACCESS, (int64_t)page_of_registers(cpu),
			  is_write ? S2_WRITE : S2_READ, (int64_t)vncr.cpu[cpu].address, 0);
		return VNCR_THROUGH;
	}
	ret = s2_glue_vncr_fault(cpu, is_write, mapped);
	check_nothing_held();
	settle_pins(me);
	if (me->injected || me->signalled)
		ret = 0;
	me->injected = me->signalled = 0;
	return ret == 1 ? VNCR_AGAIN : VNCR_GIVEN_UP;
}
