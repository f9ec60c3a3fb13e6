"""TLB maintenance as hyp/nvhe/tlb.c does it, and the hardware's side of a guest access.

Each part of an invalidation is a step of its own: between the stage-2 TLBI and the stage-1 TLBI
other PEs still hold combined entries, and nothing is done before the DSB that completes it.
"""

from typing import Final

from stage2fuzz.arch import (
    ACCESS_FLAG,
    ENTRIES,
    EXECUTE,
    LAST_LEVEL,
    PERMISSION,
    PTE_ADDRESS,
    PTE_AF,
    PTE_READ,
    PTE_TABLE,
    PTE_VALID,
    PTE_WRITE,
    PTE_XN,
    READ,
    TRANSLATION,
)
from stage2fuzz.case.scenario import Tlb
from stage2fuzz.events import (
    CONTEXT,
    DSB_ISH,
    DSB_ISHST,
    DSB_NSH,
    DSB_NSHST,
    HARDWARE_AF,
    HIT,
    LIMIT_FAULTS,
    TLBI,
    TLBI_BROADCAST,
    TLBI_IPAS2E1,
    TLBI_OPERATION,
    TLBI_VMALLE1,
    TLBI_VMALLS12E1,
    WALK,
    tlbi_aux,
    tlbi_level,
)
from stage2fuzz.model.machine.vm import HOST_VMID, VMID, Vm
from stage2fuzz.model.pgtable.walk import GRANULES, SHIFTS

NO_HINT: Final = -1
"""TLBI_TTL_UNKNOWN: entries of any level go."""
MAX_FLAGS_SET: Final = 64
"""Access flags that one walk sets; more only where stale entries send it round for ever."""
EVERYTHING = 1 << 48
"""More than any IPA space: what a TLBI by VMID covers."""


def tlb_flush_vmid_ipa(vm: Vm, ipa: int, level: int) -> None:
    """__kvm_tlb_flush_vmid_ipa: DSB, stage 2 by IPA, DSB, stage 1, DSB; broadcast.

    Level 0 gives no hint, since there are no leaves.
    """
    planted = vm.planted
    if planted.missing_tlbi:
        return
    broadcast = not planted.local_tlbi
    if planted.tlbi_of_the_wrong_page:
        ipa += GRANULES[level]
    hint = min(level + 1, LAST_LEVEL) if planted.tlbi_with_the_wrong_level else level
    if planted.tlbi_with_the_wrong_level and level == LAST_LEVEL:
        hint = LAST_LEVEL - 1
    if not planted.missing_dsb_before_tlbi:
        vm.dsb(DSB_ISHST)
    _enter_context(vm)
    _tlbi(vm, ipa & -4096, tlbi_aux(TLBI_IPAS2E1, broadcast, hint or NO_HINT))
    if not planted.missing_dsb_after_tlbi:
        dsb_ish(vm)
    if not planted.missing_stage1_tlbi:
        _tlbi(vm, 0, tlbi_aux(TLBI_VMALLE1, broadcast))
    if not planted.missing_final_dsb:
        dsb_ish(vm)
    vm.isb()
    _leave_context(vm)


def tlb_flush_vmid(vm: Vm) -> None:
    """__kvm_tlb_flush_vmid: everything of the VMID, both stages."""
    vm.dsb(DSB_ISHST)
    _enter_context(vm)
    _tlbi(vm, 0, tlbi_aux(TLBI_VMALLS12E1, True))
    dsb_ish(vm)
    vm.isb()
    _leave_context(vm)


def tlb_flush_vmid_ipa_nsh(vm: Vm, ipa: int, level: int) -> None:
    """__kvm_tlb_flush_vmid_ipa_nsh of v6.6: the same parts, for the running PE alone."""
    vm.dsb(DSB_NSHST)
    _enter_context(vm)
    _tlbi(vm, ipa & -4096, tlbi_aux(TLBI_IPAS2E1, broadcast=False, level=level))
    complete(vm, DSB_NSH)
    _tlbi(vm, 0, tlbi_aux(TLBI_VMALLE1, broadcast=False))
    complete(vm, DSB_NSH)
    vm.isb()
    _leave_context(vm)


def kvm_tlb_flush_vmid_range(vm: Vm, ipa: int, size: int) -> None:
    """Flush a range: one range TLBI where the CPU has it (here one with FWB), else the VMID."""
    if not vm.options.fwb:
        tlb_flush_vmid(vm)
        return
    vm.dsb(DSB_ISHST)
    _enter_context(vm)
    _tlbi(vm, ipa & -4096, tlbi_aux(TLBI_IPAS2E1, broadcast=True), size)
    dsb_ish(vm)
    _tlbi(vm, 0, tlbi_aux(TLBI_VMALLE1, broadcast=True))
    dsb_ish(vm)
    vm.isb()
    _leave_context(vm)


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


def _tlbi(vm: Vm, ipa: int, aux: int, size: int = 0) -> None:
    if vm.left:
        vm.left -= 1
    else:
        vm.point(TLBI, ipa)
    me = vm.current
    vm.issued[me].append((ipa, aux))
    if vm.window:
        vm.window.tlbi(me, ipa, size, aux)
    vm.record((TLBI, me, ipa, size, VMID, aux))


def _enter_context(vm: Vm) -> None:
    if not vm.planted.tlbi_without_context:
        vm.record((CONTEXT, vm.current, 0, HOST_VMID, VMID, 0))


def _leave_context(vm: Vm) -> None:
    if not vm.planted.tlbi_without_context:
        vm.record((CONTEXT, vm.current, 0, VMID, HOST_VMID, 0))


def translate(vm: Vm, ipa: int, kind: int) -> tuple[int, int, int]:
    """One hardware walk: (fault or 0, level, physical address); one descriptor load a step.

    The last load and the access are one step: a completed TLBI waits for accesses that used what
    it removed. A walk in flight that a TLBI covers starts again (rule RRVJDB).
    """
    me, walking, entries = vm.current, vm.walking, vm.entries
    plain = vm.window is None
    if vm.window:
        hit = _cached_leaf(vm, ipa)
        if hit is not None:
            pte, level = hit
            vm.record((HIT, me, ipa, 0, pte, level))
            if _denied(pte, kind):
                return PERMISSION, level, 0
            return 0, level, (pte & PTE_ADDRESS) + (ipa & (GRANULES[level] - 1))
    walking[me] = ipa
    level, table = vm.start_level, vm.root
    mask, flags_set = -1, 0
    while True:
        ptep = table + ((ipa >> SHIFTS[level]) & mask) * 8
        if vm.left:
            vm.left -= 1
        else:
            vm.point(WALK, ptep)
            if walking[me] < 0:
                walking[me] = ipa
                level, table, mask = vm.start_level, vm.root, -1
                continue
        if plain:
            pte = vm.visible(ptep) if vm.unzeroed else entries.get(ptep, 0)
            vm.record((WALK, me, ptep, 0, pte, level))
        else:
            pte = _descriptor(vm, ptep, level, ipa)
        if not pte & PTE_VALID:
            fault = TRANSLATION
            break
        if pte & PTE_TABLE and level < LAST_LEVEL:
            level, table, mask = level + 1, pte & PTE_ADDRESS, ENTRIES - 1
            continue
        if not pte & PTE_AF:
            if vm.options.hardware_af:
                flags_set += 1
                if flags_set > MAX_FLAGS_SET:
                    vm.give_up(LIMIT_FAULTS)
                _set_af(vm, ptep, pte, level)
                level, table, mask = vm.start_level, vm.root, -1
                continue
            fault = ACCESS_FLAG
            break
        walking[me] = 0
        if _denied(pte, kind):
            return PERMISSION, level, 0
        return 0, level, (pte & PTE_ADDRESS) + (ipa & (GRANULES[level] - 1))
    walking[me] = 0
    return fault, level, 0


def _descriptor(vm: Vm, ptep: int, level: int, ipa: int) -> int:
    """The value the walker uses: memory's, or one that the PE may still hold."""
    pte = vm.visible(ptep)
    window = vm.window
    if window:
        values = window.may(vm.current, ptep, pte)
        if len(values) > 1:
            pte = values[_pick(vm, len(values))]
            if pte != values[0]:
                vm.record((HIT, vm.current, ipa, 0, pte, level))
                return pte
    vm.record((WALK, vm.current, ptep, 0, pte, level))
    return pte


def _cached_leaf(vm: Vm, ipa: int) -> tuple[int, int] | None:
    """A leaf the PE may still hold for ``ipa`` and uses without a walk; None: it walks."""
    assert vm.window is not None
    leaves = vm.window.leaves(vm.current, ipa)
    if not leaves:
        return None
    chosen = _pick(vm, len(leaves) + 1)
    return leaves[chosen - 1] if chosen else None


def _pick(vm: Vm, options: int) -> int:
    """Which of the candidates is used, 0 being the mildest: the oldest if sticky, else a choice."""
    return options - 1 if vm.options.tlb is Tlb.STICKY else vm.choose(options)


def _denied(pte: int, kind: int) -> bool:
    if kind == READ:
        return not pte & PTE_READ
    if kind == EXECUTE:
        return bool(pte & PTE_XN) or not pte & PTE_READ
    return not pte & PTE_WRITE


def _set_af(vm: Vm, ptep: int, pte: int, level: int) -> None:
    """Hardware management of the access flag: an atomic update, if the entry is still the same."""
    vm.point(HARDWARE_AF, ptep)
    if vm.visible(ptep) == pte:
        vm.entries[ptep] = pte | PTE_AF
        if vm.watched:
            vm.visible_write(ptep, pte, pte | PTE_AF)
        vm.record((HARDWARE_AF, vm.current, ptep, pte, pte | PTE_AF, level))
