"""A vCPU thread: guest accesses, each retried until it is done or exits to user space."""

from stage2fuzz.case.scenario import MAX_FAULTS, Access, ipa_of
from stage2fuzz.events import ACCESS, EAGAIN, FAULT, LIMIT_FAULTS, RESUME, WALK
from stage2fuzz.model.machine.walker import translate
from stage2fuzz.model.mmu.fault import kvm_handle_guest_abort
from stage2fuzz.model.mmu.fault_desc import RESUME_GUEST, FaultDesc
from stage2fuzz.model.mmu.kvm import Kvm


def vcpu_thread(vm: Kvm, accesses: tuple[Access, ...]) -> None:
    """Run the guest's accesses in order; -EAGAIN from KVM_RUN makes the VMM run the vCPU again."""
    me = vm.current
    for number, access in enumerate(accesses):
        ipa, kind = ipa_of(access.page), access.kind
        for _ in range(MAX_FAULTS):
            status, level, address = translate(vm, ipa, kind)
            if not status:
                vm.record((ACCESS, me, ipa, kind, address, number))
                break
            vm.record((FAULT, me, ipa, kind, status, level))
            ret = kvm_handle_guest_abort(vm, FaultDesc(ipa, kind, status, level))
            outside = int(vm.slot_of(ipa) is None)
            vm.record((RESUME, me, ipa, kind, ret, outside))
            if ret not in (RESUME_GUEST, -EAGAIN):
                break
            vm.yield_(*first_step(vm, (access,)))
        else:
            vm.give_up(LIMIT_FAULTS)


def first_step(vm: Kvm, accesses: tuple[Access, ...]) -> tuple[int, int]:
    """The step that the next of ``accesses`` begins with: a walk from the root.

    Not known where a TLB may hold something stale, so that no walk is needed.
    """
    return (WALK, vm.entry(ipa_of(accesses[0].page))) if vm.window is None and accesses else (0, 0)
