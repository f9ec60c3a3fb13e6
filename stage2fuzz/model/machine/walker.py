"""The hardware's side of a guest access: the table walk, and what a TLB may still hold."""

from typing import Final

from stage2fuzz.arch import (
    ACCESS_FLAG,
    ENTRIES,
    ENTRY_SIZE,
    EXECUTE,
    GRANULES,
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
    SHIFTS,
    TRANSLATION,
    WRITE,
)
from stage2fuzz.case.scenario import Tlb
from stage2fuzz.events import HARDWARE_AF, HIT, LIMIT_FAULTS, WALK
from stage2fuzz.model.machine.vm import Vm

MAX_FLAGS_SET: Final = 64
"""Access flags that one walk sets; more only where stale entries send it round for ever."""


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
        ptep = table + ((ipa >> SHIFTS[level]) & mask) * ENTRY_SIZE
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
    if kind & EXECUTE:
        return bool(pte & PTE_XN) or not pte & PTE_READ
    return bool(kind & READ and not pte & PTE_READ) or bool(kind & WRITE and not pte & PTE_WRITE)


def _set_af(vm: Vm, ptep: int, pte: int, level: int) -> None:
    """Hardware management of the access flag: an atomic update, if the entry is still the same."""
    vm.point(HARDWARE_AF, ptep)
    if vm.visible(ptep) == pte:
        vm.entries[ptep] = pte | PTE_AF
        if vm.watched:
            vm.visible_write(ptep, pte, pte | PTE_AF)
        vm.record((HARDWARE_AF, vm.current, ptep, pte, pte | PTE_AF, level))
