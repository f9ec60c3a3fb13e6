/* A host thread runs its operations one after another. */
#include "caches.h"
#include "hostpages.h"
#include "hostthread.h"
#include "locks.h"
#include "memslots.h"
#include "nested.h"
#include "notifier.h"
#include "record.h"
#include "scenario.h"
#include "scheduler.h"
#include "setup.h"

/* What virt/kvm's notifiers do for the host's memory management. All others are ioctls. */
static int is_notifier(int op)
{
	switch (op) {
	case S2_OP_MOVE: case S2_OP_PROTECT: case S2_OP_UNPROTECT: case S2_OP_AGE:
	case S2_OP_TEST_YOUNG: case S2_OP_CHANGE_PTE: case S2_OP_INVALIDATE:
	case S2_OP_INVALIDATE_NONBLOCK: case S2_OP_MUNMAP: case S2_OP_MMAP: case S2_OP_SHARE:
	case S2_OP_THP_SPLIT: case S2_OP_THP_COLLAPSE:
		return 1;
	}
	return 0;
}

/* The VM dies with its last file descriptor, or with its address space: nobody runs it and no ioctl
 * is under way. A notifier may be, and may still come until it is unregistered:
 * mmu_notifier_release calls kvm_flush_shadow_all first. */
static int teardown(void)
{
	running_thread()->in_ioctl = 0;
	wait_for(S2_FOR_SILENCE, 0, S2_THREAD_END, 0);
	s2_vm.mapped = 0;
	s2_glue_teardown();
	return 0;
}

/* KVM_ARM_VCPU_INIT of a vCPU that ran before: with FWB the guest's caches are never off. */
static int vcpu_init(void)
{
	if (!s2_scenario.fwb)
		s2_glue_unmap_vm();
	return 0;
}

static int hyp_map(s2_u64 first)
{
	int result;

	s2_lock(S2_LOCK_HYP, 0);
	s2_glue_hyp_map(first, 1);
	result = s2_glue_hyp_map(first, 0);
	s2_unlock(S2_LOCK_HYP, 0);
	return result;
}

static int operate(int op, struct s2_slot *slot, s2_u64 first, s2_u64 size)
{
	switch (op) {
	case S2_OP_LOG_ENABLE: return log_enable(slot);
	case S2_OP_LOG_DISABLE: return log_disable(slot);
	case S2_OP_LOG_GET: return harvest(slot, slot->origin, slot->end - slot->first, 0);
	case S2_OP_LOG_CLEAR: return harvest(slot, first, size, 1);
	case S2_OP_MOVE: return move(slot, first, size);
	case S2_OP_PROTECT: return protect(slot, first, size);
	case S2_OP_UNPROTECT: return unprotect(slot, first, size);
	case S2_OP_AGE: return age(slot, first, size);
	case S2_OP_TEST_YOUNG: return test_young(slot, first);
	case S2_OP_CHANGE_PTE: return change_pte(slot, first);
	case S2_OP_SLOT_DELETE: return slot_delete(slot);
	case S2_OP_TEARDOWN: return teardown();
	case S2_OP_HYP_MAP: return hyp_map(first);
	case S2_OP_INVALIDATE: return invalidate(slot, first, size, 1);
	case S2_OP_INVALIDATE_NONBLOCK: return invalidate(slot, first, size, 0);
	case S2_OP_SLOT_CREATE: return slot_create(slot);
	case S2_OP_MUNMAP: return munmap_range(slot, first, size);
	case S2_OP_MMAP: return mmap_range(slot, first, size);
	case S2_OP_SHARE: return share(slot, first, size);
	case S2_OP_SLOT_MOVE: return slot_move(slot);
	case S2_OP_VCPU_INIT: return vcpu_init();
	case S2_OP_SLOT_LIMIT: return slot_limit(slot);
	case S2_OP_CACHES_OFF: return switch_caches(0);
	case S2_OP_CACHES_ON: return switch_caches(1);
	case S2_OP_THP_SPLIT: return thp_split(slot, first);
	case S2_OP_THP_COLLAPSE: return thp_collapse(slot, first);
	}
	return 0;
}

S2_OWN void host_body(void)
{
	static const int calls[] = {
		[S2_OP_LOG_ENABLE] = S2_CALL_LOG_ENABLE, [S2_OP_LOG_DISABLE] = S2_CALL_LOG_DISABLE,
		[S2_OP_LOG_GET] = S2_CALL_LOG_GET, [S2_OP_LOG_CLEAR] = S2_CALL_LOG_CLEAR,
		[S2_OP_AGE] = S2_CALL_AGE, [S2_OP_TEST_YOUNG] = S2_CALL_TEST_YOUNG,
		[S2_OP_SLOT_DELETE] = S2_CALL_SLOT_DELETE, [S2_OP_TEARDOWN] = S2_CALL_TEARDOWN,
		[S2_OP_HYP_MAP] = 0, [S2_OP_INVALIDATE] = 0, [S2_OP_INVALIDATE_NONBLOCK] = 0,
		[S2_OP_SLOT_CREATE] = S2_CALL_SLOT_CREATE, [S2_OP_MUNMAP] = 0, [S2_OP_MMAP] = 0,
		[S2_OP_SHARE] = 0, [S2_OP_SLOT_MOVE] = S2_CALL_SLOT_MOVE,
		[S2_OP_THP_SPLIT] = 0, [S2_OP_THP_COLLAPSE] = 0,
		[S2_OP_VCPU_INIT] = S2_CALL_VCPU_INIT,
		[S2_OP_CACHES_OFF] = 0, [S2_OP_CACHES_ON] = 0,
		[S2_OP_SLOT_LIMIT] = 0,
	};
	int index = s2_sched.current - s2_scenario.vcpus;

	S2_ASSERT((unsigned)index < S2_MAX_HOST_THREADS, index);
	for (int i = 0; i < s2_scenario.host[index].ops; i++) {
		const struct s2_host_op *op = &s2_scenario.host[index].op[i];
		int number = (int)(op->page / S2_SLOT_STRIDE), result;
		struct s2_slot *slot = slot_numbered(number);
		s2_u64 first = ipa_of(op->page), size = (s2_u64)op->pages * PAGE;
		s2_u64 end = slot->origin + (slot->end - slot->first), told;
		int call = calls[op->op];

		if (first >= end || (!s2_vm.mapped && !is_notifier(op->op)))
			continue;
		if (!slot->exists && op->op != S2_OP_SLOT_CREATE)
			continue;
		if (first + size > end)
			size = end - first;
		told = first + slot->moved;
		if (is_of_hypervisor(op->op)) {
			if (s2_scenario.nested)
				operate_hypervisor(op->op, first, size);
			continue;
		}
		if (call)
			s2_record(S2_CALL, (int64_t)told, (int64_t)size, 0, call);
		running_thread()->in_ioctl = !is_notifier(op->op);
		result = operate(op->op, slot, first, size);
		running_thread()->in_ioctl = 0;
		check_nothing_held();
		if (call)
			s2_record(S2_RETURN, (int64_t)told, (int64_t)size, result, call);
	}
}
