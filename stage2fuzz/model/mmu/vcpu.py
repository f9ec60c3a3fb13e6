"""A vCPU thread: guest accesses, each retried until it is done or exits to user space."""

from stage2fuzz.arch import (
    ACCESS_RIGHTS,
    BEYOND,
    CONSUMED_ERROR,
    EXTERNAL_ABORT,
    TRANSLATION,
    UNSUPPORTED_ACCESS,
    UNSUPPORTED_ATOMIC,
    WRITE,
    reported_kind,
)
from stage2fuzz.case.scenario import MAX_FAULTS, Access, address_of_access, ipa_of
from stage2fuzz.events import (
    ACCESS,
    EAGAIN,
    FAULT,
    FAULT_HOW_SHIFT,
    LIMIT_FAULTS,
    RESUME,
    WALK,
)
from stage2fuzz.model.machine.walker import translate
from stage2fuzz.model.mmu.fault import kvm_handle_guest_abort
from stage2fuzz.model.mmu.fault_desc import RESUME_GUEST, FaultDesc
from stage2fuzz.model.mmu.kvm import Kvm


def vcpu_thread(vm: Kvm, accesses: tuple[Access, ...]) -> None:
    """Run the guest's accesses in order; -EAGAIN from KVM_RUN makes the VMM run the vCPU again."""
    me = vm.current
    for number, access in enumerate(accesses):
        ipa = address_of_access(access, vm.options.ipa_bits)
        how = access.kind & ~ACCESS_RIGHTS
        for _ in range(MAX_FAULTS):
            status, level, address = attempt(vm, ipa, access.kind)
            if not status:
                kind = WRITE if access.kind & WRITE else access.kind & ACCESS_RIGHTS
                vm.record((ACCESS, me, ipa, kind, address, number))
                break
            kind = reported_kind(access.kind, status)
            vm.record((FAULT, me, ipa, kind, status, level | how << FAULT_HOW_SHIFT))
            fault = FaultDesc(ipa, kind, status, level, how)
            ret = kvm_handle_guest_abort(vm, fault)
            outside = int(vm.slot_of(ipa) is None)
            vm.record((RESUME, me, ipa, kind, ret, outside))
            if ret not in (RESUME_GUEST, -EAGAIN):
                break
            vm.yield_(*first_step(vm, (access,)))
        else:
            vm.give_up(LIMIT_FAULTS)


def attempt(vm: Kvm, ipa: int, kind: int) -> tuple[int, int, int]:
    """What the hardware makes of an access: (fault or 0, level, physical address)."""
    if kind & BEYOND:
        return TRANSLATION, 0, 0
    status, level, address = translate(vm, ipa, kind & ACCESS_RIGHTS)
    if not status and kind & UNSUPPORTED_ATOMIC:
        status = UNSUPPORTED_ACCESS
    if not status and kind & CONSUMED_ERROR:
        status = EXTERNAL_ABORT
    return status, level, address


def first_step(vm: Kvm, accesses: tuple[Access, ...]) -> tuple[int, int]:
    """The step that the next of ``accesses`` begins with: a walk from the root.

    Not known where a TLB may hold something stale, so that no walk is needed.
    """
    return (WALK, vm.entry(ipa_of(accesses[0].page))) if vm.window is None and accesses else (0, 0)
