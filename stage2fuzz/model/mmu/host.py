"""The host's side: a thread runs its operations one after another.

Each operation is a plain function of the running host thread: what changes memslots is in
``memslots``, what moves and ages pages in ``notifier``.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from stage2fuzz.arch import PAGE_SIZE
from stage2fuzz.case.scenario import SLOT_STRIDE, Backing, HostOp, Op, ipa_of
from stage2fuzz.events import (
    CALL,
    CALL_AGE,
    CALL_LOG_CLEAR,
    CALL_LOG_DISABLE,
    CALL_LOG_ENABLE,
    CALL_LOG_GET,
    CALL_SLOT_CREATE,
    CALL_SLOT_DELETE,
    CALL_SLOT_MOVE,
    CALL_TEARDOWN,
    CALL_TEST_YOUNG,
    CALL_VCPU_INIT,
    LOCK_HYP,
    LOCK_MMAP,
    PROT_R,
    PROT_W,
    RETURN,
    THREAD_END,
)
from stage2fuzz.model.machine.slots import MemorySlot
from stage2fuzz.model.mmu.apply_range import stage2_apply_range
from stage2fuzz.model.mmu.caches import caches_off, caches_on
from stage2fuzz.model.mmu.kvm import Kvm, kvm_mmu_lock, kvm_mmu_unlock
from stage2fuzz.model.mmu.memslots import (
    log_clear,
    log_disable,
    log_enable,
    log_get,
    slot_create,
    slot_delete,
    slot_limit,
    slot_move,
)
from stage2fuzz.model.mmu.notifier import (
    age,
    change_pte,
    invalidate,
    invalidate_nonblock,
    mmap,
    move,
    munmap,
    protect,
    share,
    test_young,
    thp_collapse,
    thp_split,
    unprotect,
)
from stage2fuzz.model.pgtable.hyp import kvm_pgtable_hyp_map

Operation = Callable[[Kvm, MemorySlot, int, int], int]
"""(vm, slot, first IPA, bytes) -> the result that the caller in user space sees."""


def host_thread(vm: Kvm, operations: tuple[HostOp, ...]) -> None:
    """Run a host thread's operations one after another."""
    for operation in operations:
        if vm.dead and operation.op not in NOTIFIERS:
            continue  # the VM is gone, and every file descriptor of it
        number = operation.page // SLOT_STRIDE
        slot = next((s for s in vm.slots if s.number == number), None)
        if slot is None and operation.op is Op.SLOT_CREATE:
            slot = MemorySlot(number, replace(vm.scenario.slots[number], logging=False))
        if slot is None or operation.op not in OPERATIONS:
            continue  # the model has no guest hypervisor
        start = ipa_of(operation.page)
        end = slot.origin + slot.end - slot.start
        size = max(0, min(operation.pages * PAGE_SIZE, end - start))
        if not size:
            continue
        told = start + vm.memslot(slot).moved
        code, function = OPERATIONS[operation.op]
        if code:
            vm.record((CALL, vm.current, told, size, 0, code))
        if operation.op not in NOTIFIERS:
            vm.in_ioctl.add(vm.current)
        result = function(vm, slot, start, size)
        vm.in_ioctl.discard(vm.current)
        if code:
            vm.record((RETURN, vm.current, told, size, result, code))


def teardown(vm: Kvm, _slot: MemorySlot, _start: int, _size: int) -> int:
    """The VM dies with its last file descriptor, or with its address space.

    Nobody runs it, and no ioctl is under way. A notifier may be, and may still come until it is
    unregistered: mmu_notifier_release calls kvm_flush_shadow_all first.
    """
    vm.in_ioctl.discard(vm.current)
    vcpus = range(len(vm.scenario.vcpus))
    vm.wait(THREAD_END, 0, lambda: not vm.in_ioctl and all(vm.ended[each] for each in vcpus))
    vm.dead = True
    kvm_free_stage2_pgd(vm)
    return 0


def kvm_free_stage2_pgd(vm: Kvm) -> None:
    """Unpublish the tables under the lock, then free them all without it: no vCPU runs any more."""
    kvm_mmu_lock(vm)
    mapped, vm.mapped = vm.mapped, False
    kvm_mmu_unlock(vm)
    if mapped:
        vm.pgtable.kvm_pgtable_stage2_destroy(vm)


def vcpu_init(vm: Kvm, _slot: MemorySlot, _start: int, _size: int) -> int:
    """KVM_ARM_VCPU_INIT of a vCPU that ran before: with FWB the guest's caches are never off."""
    if not vm.options.fwb:
        stage2_unmap_vm(vm)
    return 0


def stage2_unmap_vm(vm: Kvm) -> None:
    """Unmap all memory but that of devices, VMA by VMA of each slot."""
    vm.readers[vm.current] = vm.slots_epoch
    vm.lock(LOCK_MMAP, 1)
    kvm_mmu_lock(vm)
    for _number, slot in sorted(vm.last.items()):
        if slot.backing is not Backing.DEVICE and vm.has_vma(slot):
            unmap = vm.pgtable.kvm_pgtable_stage2_unmap
            stage2_apply_range(vm, slot.start, slot.end - slot.start, unmap)
    kvm_mmu_unlock(vm)
    vm.unlock(LOCK_MMAP, 1)
    vm.readers[vm.current] = -1


def hyp_map(vm: Kvm, _slot: MemorySlot, start: int, _size: int) -> int:
    """Map one page into hyp stage 1, then ask for other permissions on it."""
    vm.lock(LOCK_HYP)
    kvm_pgtable_hyp_map(vm, start, start, PROT_R | PROT_W)
    result = kvm_pgtable_hyp_map(vm, start, start, PROT_R)
    vm.unlock(LOCK_HYP)
    return result


NOTIFIERS: Final = frozenset(
    (Op.MOVE, Op.PROTECT, Op.UNPROTECT, Op.AGE, Op.TEST_YOUNG, Op.CHANGE_PTE, Op.INVALIDATE)
) | {Op.INVALIDATE_NONBLOCK, Op.MUNMAP, Op.MMAP, Op.SHARE, Op.THP_SPLIT, Op.THP_COLLAPSE}
"""What virt/kvm's notifiers do for the host's memory management. All others are ioctls."""
OPERATIONS: Final[dict[Op, tuple[int, Operation]]] = {
    Op.LOG_ENABLE: (CALL_LOG_ENABLE, log_enable),
    Op.LOG_DISABLE: (CALL_LOG_DISABLE, log_disable),
    Op.LOG_GET: (CALL_LOG_GET, log_get),
    Op.LOG_CLEAR: (CALL_LOG_CLEAR, log_clear),
    Op.MOVE: (0, move),
    Op.PROTECT: (0, protect),
    Op.UNPROTECT: (0, unprotect),
    Op.AGE: (CALL_AGE, age),
    Op.TEST_YOUNG: (CALL_TEST_YOUNG, test_young),
    Op.CHANGE_PTE: (0, change_pte),
    Op.SLOT_DELETE: (CALL_SLOT_DELETE, slot_delete),
    Op.TEARDOWN: (CALL_TEARDOWN, teardown),
    Op.HYP_MAP: (0, hyp_map),
    Op.INVALIDATE: (0, invalidate),
    Op.INVALIDATE_NONBLOCK: (0, invalidate_nonblock),
    Op.SLOT_CREATE: (CALL_SLOT_CREATE, slot_create),
    Op.MUNMAP: (0, munmap),
    Op.MMAP: (0, mmap),
    Op.SHARE: (0, share),
    Op.SLOT_MOVE: (CALL_SLOT_MOVE, slot_move),
    Op.THP_SPLIT: (0, thp_split),
    Op.VCPU_INIT: (CALL_VCPU_INIT, vcpu_init),
    Op.THP_COLLAPSE: (0, thp_collapse),
    Op.CACHES_OFF: (0, caches_off),
    Op.CACHES_ON: (0, caches_on),
    Op.SLOT_LIMIT: (0, slot_limit),
}
