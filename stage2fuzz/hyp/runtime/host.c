/* The calls of a host CPU: what KVM would do around each hypercall, and accesses through stage 2.
 *
 * The host keeps the contracts that EL2 relies on: it gives back what was given to it alone, tops
 * the memory cache of a vCPU up that it has loaded, and answers a guest's fault as KVM does.
 */
#include <string.h>
#include "accesses.h"
#include "el2_tlb.h"
#include "el2_trees.h"
#include "host.h"
#include "machine.h"
#include "observe.h"
#include "record.h"
#include "scheduler.h"
#include "step.h"

struct el2_host el2_host;
static struct el2_host host_kept;

/* Pages of a VM's area. */
enum { HOST_VM = 0, HOST_VCPU = 1, ROOT = 16, STRUCTURE = 32, VCPU = 48, VCPU_STRIDE = 16 };

/* The page of a guest for which the host forgets to fill the memory cache. */
#define FORGOTTEN_GFN 3

static unsigned long area(int vm, int page)
{
	return EL2_VM_AREA + (unsigned long)vm * EL2_VM_STRIDE + (unsigned long)page;
}

static char *host_vcpu(int vm, int vcpu)
{
	return el2_page(area(vm, HOST_VCPU + vcpu));
}

static s2_u64 test_pfn(int page)
{
	return el2_pfn(EL2_TEST_AREA + (unsigned long)page);
}

S2_OWN s2_u64 guest_root_of(int vm)
{
	int silent = s2_sched.silent;
	s2_u64 root;

	s2_sched.silent = 1;
	root = el2_host.vm[vm].handle ? el2_guest_root(el2_host.vm[vm].handle) : 0;
	s2_sched.silent = silent;
	/* A handle that was given up may be another VM's by now. */
	return root == (s2_u64)el2_pfn(area(vm, ROOT)) << 12 ? root : 0;
}

static int share_and_create(int vm, int handle)
{
	char *host = el2_page(area(vm, HOST_VM));
	int failed;

	el2_host_vm(host, S2_EL2_VCPUS, vm == S2_EL2_PROTECTED_VM, handle);
	mark_written(host, 4096);
	el2_share_hyp(el2_pfn(area(vm, HOST_VM)));
	failed = el2_init_vm(host, (unsigned long)el2_page(area(vm, STRUCTURE)),
			     (unsigned long)el2_page(area(vm, ROOT)));
	if (failed)
		return failed;
	el2_host.vm[vm].is_protected = vm == S2_EL2_PROTECTED_VM;
	el2_host.vm[vm].handle = handle;
	for (int i = 0; i < S2_EL2_VCPUS && !failed; i++) {
		unsigned long at = area(vm, VCPU + i * VCPU_STRIDE);

		memset(host_vcpu(vm, i), 0, 4096);
		el2_host_vcpu(host_vcpu(vm, i), host, i);
		mark_written(host_vcpu(vm, i), 4096);
		el2_share_hyp(el2_pfn(area(vm, HOST_VCPU + i)));
		failed = el2_init_vcpu(handle, host_vcpu(vm, i), (unsigned long)el2_page(at));
	}
	return failed;
}

static int create(int vm)
{
	int handle = el2_host.vm[vm].handle ? 0 : el2_reserve_vm();
	int failed;

	if (handle <= 0)
		return handle ? handle : -S2_EINVAL;
	failed = share_and_create(vm, handle);
	note_guest_tree(vm);
	return failed;
}

S2_OWN void create_vms(void)
{
	for (int vm = 0; vm < S2_EL2_VMS; vm++)
		el2_machine.vm_at[vm] = (unsigned long)el2_page(area(vm, STRUCTURE));
	for (int cpu = 0; cpu < S2_CPUS; cpu++)
		el2_host.cpu[cpu].vm = el2_host.cpu[cpu].gfn = -1;
	for (int vm = 0; vm < S2_EL2_LATE_VM; vm++) {
		int failed = create(vm);

		S2_ASSERT(!failed, failed);
	}
}

S2_OWN void keep_host(void) { host_kept = el2_host; }
S2_OWN void restore_host(void) { el2_host = host_kept; }

/* Fill the memory cache of the loaded vCPU from the CPU's own pages. */
static void top_up(int cpu)
{
	struct el2_cpu *me = &el2_host.cpu[cpu];
	char *vcpu = host_vcpu(me->vm, me->vcpu);
	int missing = el2_machine.layout.cache + 1 - el2_host_cached(vcpu);

	for (; missing > 0 && me->cache_used < EL2_CACHE_STRIDE; missing--) {
		unsigned long page = EL2_CACHE_AREA + (unsigned long)cpu * EL2_CACHE_STRIDE;

		page += me->cache_used++;
		mark_written(el2_page(page), 4096);
		mark_written(vcpu, 4096);
		el2_host_topup(vcpu, el2_page(page));
	}
}

static int load(struct el2_cpu *me, const struct el2_call *call)
{
	int handle = el2_host.vm[call->vm].handle;
	int failed = el2_load(handle, call->flag);

	if (failed)
		return failed;
	me->vm = call->vm;
	/* The handle was given up meanwhile, and is another VM's by now. */
	for (int vm = 0; vm < S2_EL2_VMS && !guest_root_of(me->vm); vm++)
		me->vm = el2_host.vm[vm].handle == handle && guest_root_of(vm) ? vm : me->vm;
	me->vcpu = call->flag;
	me->root = guest_root_of(me->vm);
	me->vmid = vmid_of(handle);
	return me->vm == call->vm ? 0 : 1;
}

static int put(struct el2_cpu *me)
{
	int failed = el2_put();

	me->vm = -1;
	return failed;
}

static int map_in_guest(int cpu, int page, int gfn, int write)
{
	struct el2_cpu *me = &el2_host.cpu[cpu];

	if (me->vm < 0)
		return -S2_EINVAL;
	if (gfn != FORGOTTEN_GFN)
		top_up(cpu);
	if (el2_host.vm[me->vm].is_protected)
		return el2_donate_guest(test_pfn(page), (s2_u64)gfn);
	return el2_share_guest(test_pfn(page), (s2_u64)gfn, write);
}

/* The guest accesses memory; what faults is answered once. */
static int guest_access(int cpu, const struct el2_call *call, int write)
{
	struct el2_cpu *me = &el2_host.cpu[cpu];
	int seen;

	if (me->vm < 0)
		return -S2_EINVAL;
	seen = guest_uses(cpu, (s2_u64)call->gfn << 12, write);
	if (seen == ACCESS_DONE)
		return 0;
	if (seen == ACCESS_FORBIDDEN) {
		el2_relax_guest((s2_u64)call->gfn, write);
	} else {
		map_in_guest(cpu, call->page, call->gfn, write);
	}
	return guest_uses(cpu, (s2_u64)call->gfn << 12, write) == ACCESS_DONE ? 0 : -S2_EAGAIN;
}

static int host_access(int cpu, int page, int write)
{
	struct el2_cpu *me = &el2_host.cpu[cpu];
	s2_u64 address = test_pfn(page) << 12;

	if (host_uses(cpu, address, write) == ACCESS_DONE)
		return 0;
	me->abort_address = address;
	me->abort_injected = 0;
	el2_host_abort();
	if (me->abort_injected)
		return -S2_EPERM;
	return host_uses(cpu, address, write) == ACCESS_DONE ? 0 : -S2_EAGAIN;
}

s2_u64 s2_host_fault_address(void) { return el2_host.cpu[s2_sched.current].abort_address; }
void s2_host_abort_injected(void) { el2_host.cpu[s2_sched.current].abort_injected = 1; }

/* Take back what the guest still has, as its teardown does, then the VM; a host that leaves that
 * out may lose its pages, and must get at nobody else's. */
static int finalize(int vm, int leaves_all)
{
	int handle = el2_host.vm[vm].handle, failed;

	for (int gfn = 0; gfn < S2_EL2_TEST_PAGES && !leaves_all; gfn++) {
		if (el2_host.vm[vm].is_protected)
			el2_reclaim_gfn(handle, (s2_u64)gfn);
		else
			el2_unshare_guest(handle, (s2_u64)gfn);
	}
	failed = el2_finalize_teardown(handle);
	if (!failed) {
		el2_host.vm[vm].handle = 0;
		forget_guest(vm);
	}
	return failed;
}

/* What EL2 gives back must have been given, and by whom is known to the host. */
static int about_page(int cpu, const struct el2_call *call)
{
	struct el2_cpu *me = &el2_host.cpu[cpu];
	s2_u64 pfn = test_pfn(call->page);
	char *at = el2_page(EL2_TEST_AREA + (unsigned long)call->page);
	unsigned bit = 1u << call->page;
	int failed = -S2_EINVAL;

	switch (call->op) {
	case S2_HYP_OP_SHARE_HYP: return el2_share_hyp(pfn);
	case S2_HYP_OP_UNSHARE_HYP: return el2_unshare_hyp(pfn);
	case S2_HYP_OP_DONATE_HYP:
		failed = el2_donate_hyp(pfn);
		el2_host.donated |= failed ? 0 : bit;
		return failed;
	case S2_HYP_OP_RECLAIM_HYP:
		if (!(el2_host.donated & bit))
			return failed;
		el2_host.donated &= ~bit;
		return el2_reclaim_hyp(pfn);
	case S2_HYP_OP_PIN:
		failed = el2_pin(at);
		me->pins[call->page] += !failed;
		return failed;
	case S2_HYP_OP_UNPIN:
		if (!me->pins[call->page])
			return failed;
		me->pins[call->page]--;
		el2_unpin(at);
		return 0;
	case S2_HYP_OP_SHARE_FFA:
		failed = el2_share_ffa(pfn);
		el2_host.ffa |= failed ? 0 : bit;
		return failed;
	case S2_HYP_OP_UNSHARE_FFA:
		if (!(el2_host.ffa & bit))
			return failed;
		el2_host.ffa &= ~bit;
		return el2_unshare_ffa(pfn);
	case S2_HYP_OP_HOST_READ: return host_access(cpu, call->page, 0);
	case S2_HYP_OP_HOST_WRITE: return host_access(cpu, call->page, 1);
	}
	return el2_force_reclaim(pfn << 12);
}

static int about_guest(int cpu, const struct el2_call *call)
{
	struct el2_cpu *me = &el2_host.cpu[cpu];
	int handle = el2_host.vm[call->vm].handle;
	s2_u64 gfn = (s2_u64)call->gfn;

	switch (call->op) {
	case S2_HYP_OP_LOAD: return load(me, call);
	case S2_HYP_OP_PUT: return put(me);
	case S2_HYP_OP_SHARE_GUEST:
	case S2_HYP_OP_DONATE_GUEST: return map_in_guest(cpu, call->page, call->gfn, call->flag);
	case S2_HYP_OP_UNSHARE_GUEST: return el2_unshare_guest(handle, gfn);
	case S2_HYP_OP_WRPROTECT_GUEST: return el2_wrprotect_guest(handle, gfn);
	case S2_HYP_OP_AGE_GUEST: return el2_age_guest(handle, gfn, call->flag);
	case S2_HYP_OP_RELAX_GUEST: return el2_relax_guest(gfn, call->flag);
	case S2_HYP_OP_MKYOUNG_GUEST: return el2_mkyoung_guest(gfn);
	case S2_HYP_OP_GUEST_READ: return guest_access(cpu, call, 0);
	case S2_HYP_OP_GUEST_WRITE: return guest_access(cpu, call, 1);
	case S2_HYP_OP_GUEST_SHARE: return el2_guest_share(gfn);
	case S2_HYP_OP_GUEST_UNSHARE: return el2_guest_unshare(gfn);
	case S2_HYP_OP_CREATE: return create(call->vm);
	case S2_HYP_OP_START_TEARDOWN: return el2_start_teardown(handle);
	case S2_HYP_OP_RECLAIM_GFN: return el2_reclaim_gfn(handle, gfn);
	}
	return finalize(call->vm, call->flag);
}

/* Calls about one entry of a guest: how they leave it is looked at as they release its lock. */
static int is_about_entry(int op)
{
	switch (op) {
	case S2_HYP_OP_SHARE_GUEST: case S2_HYP_OP_DONATE_GUEST: case S2_HYP_OP_UNSHARE_GUEST:
	case S2_HYP_OP_WRPROTECT_GUEST: case S2_HYP_OP_RELAX_GUEST: case S2_HYP_OP_GUEST_SHARE:
	case S2_HYP_OP_GUEST_UNSHARE:
		return 1;
	}
	return 0;
}

S2_OWN void run_call(int cpu, const struct el2_call *call)
{
	int result, page = call->op < S2_HYP_OP_LOAD || call->op == S2_HYP_OP_FORCE_RECLAIM;
	int flagged = call->op == S2_HYP_OP_LOAD || call->op == S2_HYP_OP_RELAX_GUEST;

	s2_point(S2_HYPERCALL, call->op);
	s2_record(S2_HYPERCALL, flagged ? call->flag : call->page, call->gfn, call->vm, call->op);
	el2_host.cpu[cpu].gfn = is_about_entry(call->op) ? call->gfn : -1;
	result = page ? about_page(cpu, call) : about_guest(cpu, call);
	el2_host.cpu[cpu].gfn = -1;
	if (s2_log.plain_entry)
		record_plain();
	s2_record(S2_HYPERCALL_RETURN, call->page, call->gfn, result, call->op);
}

static void give_back(unsigned long index, unsigned long pages, int vm)
{
	for (unsigned long i = index; i < index + pages; i++) {
		struct el2_state state = el2_unpack(state_word(el2_pfn(i)));
		const char *at = el2_page(i);
		int dirty = 0;

		/* The first word is the link to the next page of those that came back. */
		for (int byte = 8; vm >= 0 && byte < 4096; byte++)
			dirty |= at[byte];
		s2_record(S2_GIVEN_BACK, (int64_t)i - EL2_TEST_AREA, vm, packed(state), !!dirty);
	}
}

static void give_vm_back(int vm)
{
	give_back(area(vm, ROOT), el2_machine.layout.root, vm);
	give_back(area(vm, STRUCTURE), el2_machine.layout.vm, vm);
	for (int i = 0; i < S2_EL2_VCPUS; i++)
		give_back(area(vm, VCPU + i * VCPU_STRIDE), el2_machine.layout.vcpu, vm);
}

S2_OWN void take_all_back(void)
{
	for (int cpu = 0; cpu < el2_scenario.cpus; cpu++) {
		struct el2_cpu *me = &el2_host.cpu[cpu];

		s2_sched.current = cpu;
		if (me->vm >= 0)
			put(me);
		for (int page = 0; page < S2_EL2_TEST_PAGES; page++)
			for (; me->pins[page]; me->pins[page]--)
				el2_unpin(el2_page(EL2_TEST_AREA + (unsigned long)page));
	}
	s2_sched.current = 0;
	for (int vm = 0; vm < S2_EL2_VMS; vm++) {
		if (!el2_host.vm[vm].handle)
			continue;
		el2_start_teardown(el2_host.vm[vm].handle);
		finalize(vm, 0);
		give_vm_back(vm);
	}
	for (int page = 0; page < S2_EL2_TEST_PAGES; page++) {
		unsigned bit = 1u << page;

		if (el2_host.donated & bit)
			el2_reclaim_hyp(test_pfn(page));
		else if (el2_host.ffa & bit)
			el2_unshare_ffa(test_pfn(page));
		else
			el2_unshare_hyp(test_pfn(page));
		give_back(EL2_TEST_AREA + (unsigned long)page, 1, -1);
	}
}
