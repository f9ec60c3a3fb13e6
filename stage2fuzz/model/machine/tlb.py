"""TLB maintenance as hyp/nvhe/tlb.c does it.

Each part of an invalidation is a step of its own: between the stage-2 TLBI and the stage-1 TLBI
other PEs still hold combined entries, and nothing is done before the DSB that completes it.
"""

from collections.abc import Iterator
from typing import Final

from stage2fuzz.arch import GRANULES, PAGE_MASK, PAGE_SHIFT, PAGE_SIZE
from stage2fuzz.events import (
    CONTEXT,
    DSB_ISH,
    DSB_ISHST,
    DSB_NSH,
    DSB_NSHST,
    TLBI,
    TLBI_BROADCAST,
    TLBI_IPAS2E1,
    TLBI_OPERATION,
    TLBI_VMALLE1,
    TLBI_VMALLS12E1,
    tlbi_aux,
    tlbi_level,
)
from stage2fuzz.model.machine.vm import HOST_VMID, VMID, Vm

NO_HINT: Final = -1
"""TLBI_TTL_UNKNOWN: entries of any level go."""
EVERYTHING: Final = 1 << 48
"""More than any IPA space: what a TLBI by VMID covers."""


def kvm_tlb_flush_vmid_ipa(vm: Vm, ipa: int, level: int) -> None:
    """DSB, stage 2 by IPA, DSB, stage 1, DSB; broadcast.

    Level 0 gives no hint, since there are no leaves.
    """
    dsb_ishst(vm)
    tlb_switch_to_guest(vm)
    tlbi(vm, ipa & PAGE_MASK, tlbi_aux(TLBI_IPAS2E1, broadcast=True, level=level or NO_HINT))
    dsb_ish(vm)
    tlbi(vm, 0, tlbi_aux(TLBI_VMALLE1, broadcast=True))
    dsb_ish(vm)
    vm.isb()
    tlb_switch_to_host(vm)


def kvm_tlb_flush_vmid(vm: Vm) -> None:
    """Everything of the VMID, both stages; broadcast."""
    dsb_ishst(vm)
    tlb_switch_to_guest(vm)
    tlbi(vm, 0, tlbi_aux(TLBI_VMALLS12E1, broadcast=True))
    dsb_ish(vm)
    vm.isb()
    tlb_switch_to_host(vm)


def kvm_tlb_flush_vmid_ipa_nsh(vm: Vm, ipa: int, level: int) -> None:
    """From v6.6: the parts of ``kvm_tlb_flush_vmid_ipa`` for the running PE alone."""
    vm.dsb(DSB_NSHST)
    tlb_switch_to_guest(vm)
    tlbi(vm, ipa & PAGE_MASK, tlbi_aux(TLBI_IPAS2E1, broadcast=False, level=level))
    complete(vm, DSB_NSH)
    tlbi(vm, 0, tlbi_aux(TLBI_VMALLE1, broadcast=False))
    complete(vm, DSB_NSH)
    vm.isb()
    tlb_switch_to_host(vm)


def kvm_tlb_flush_vmid_range(vm: Vm, ipa: int, size: int) -> None:
    """Flush a range: one range TLBI where the CPU has it (here one with FWB), else the VMID."""
    if not vm.options.fwb:
        kvm_tlb_flush_vmid(vm)
        return
    dsb_ishst(vm)
    tlb_switch_to_guest(vm)
    for first, covered in range_operands(ipa & PAGE_MASK, size >> PAGE_SHIFT):
        tlbi(vm, first, tlbi_aux(TLBI_IPAS2E1, broadcast=True), covered)
    dsb_ish(vm)
    tlbi(vm, 0, tlbi_aux(TLBI_VMALLE1, broadcast=True))
    dsb_ish(vm)
    vm.isb()
    tlb_switch_to_host(vm)


def range_operands(ipa: int, pages: int) -> Iterator[tuple[int, int]]:
    """Where each TLBI of a range begins and how many bytes it covers; 0: it names one page.

    __flush_tlb_range_op of v6.12: from the largest scale down, since one operand covers
    ``(num + 1) * 2 ** (5 * scale + 1)`` pages, an even number; one page left is named alone.
    """
    for scale in (3, 2, 1, 0):
        if pages > 1:
            units = min(pages >> 5 * scale + 1, 32)
            covered = units << 5 * scale + 1
            if units:
                yield ipa, covered * PAGE_SIZE
            ipa, pages = ipa + covered * PAGE_SIZE, pages - covered
    if pages:
        yield ipa, 0


def tlb_switch_to_guest(vm: Vm) -> None:
    """A TLBI is for the VMID that is loaded, so the guest's comes first."""
    vm.record((CONTEXT, vm.current, 0, HOST_VMID, VMID, 0))


def tlb_switch_to_host(vm: Vm) -> None:
    """The host's context again."""
    vm.record((CONTEXT, vm.current, 0, VMID, HOST_VMID, 0))


def tlbi(vm: Vm, ipa: int, aux: int, size: int = 0) -> None:
    """Issue one TLBI; it is complete after the next DSB of this thread that waits for it."""
    if vm.left:
        vm.left -= 1
    else:
        vm.point(TLBI, ipa)
    me = vm.current
    vm.issued[me].append((ipa, aux))
    if vm.window:
        vm.window.tlbi(me, ipa, size, aux)
    vm.record((TLBI, me, ipa, size, VMID, aux))


def dsb_ishst(vm: Vm) -> None:
    """DSB ISHST makes the thread's stores visible to all walkers; it waits for no TLBI."""
    vm.dsb(DSB_ISHST)


def dsb_ish(vm: Vm) -> None:
    """DSB ISH completes the thread's TLBIs."""
    complete(vm, DSB_ISH)


def complete(vm: Vm, kind: int) -> None:
    """A DSB: the thread's TLBIs are complete, so walks in flight that they cover start again."""
    vm.dsb(kind)
    me = vm.current
    if vm.window:
        vm.window.dsb(me, kind)
    issued = vm.issued[me]
    for ipa, aux in issued:
        operation = aux & TLBI_OPERATION
        if operation == TLBI_VMALLE1:
            continue
        # By IPA the walks end that may hold the entry: those below it, if it was a table.
        covered = GRANULES[max(tlbi_level(aux), 0)] if operation == TLBI_IPAS2E1 else EVERYTHING
        for element, walked in enumerate(vm.walking):
            heard = aux & TLBI_BROADCAST or element == me
            if walked and heard and not (walked ^ ipa) & -covered:
                vm.walking[element] = -1
    issued.clear()
