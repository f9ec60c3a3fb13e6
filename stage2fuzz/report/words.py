"""Words: each event as a kernel engineer would say it, with its entry decoded.

An event names an entry by its address. Which level that is and which IPA it covers is known from
the table links among the events themselves, so this module reads them in order, as a judge does.
"""

from typing import Final

from stage2fuzz import events as ev
from stage2fuzz.arch import (
    ACCESS_NAMES,
    ACCESS_RIGHTS,
    ENTRY_SIZE,
    FAULT_NAMES,
    INSTRUCTIONS,
    LAST_LEVEL,
    PAGE_SIZE,
    PTE_AF,
    PTE_VALID,
    address_of,
    describe,
    is_leaf,
    is_locked,
    is_table,
    rights,
    rights_text,
)
from stage2fuzz.case.el2 import HypOp
from stage2fuzz.case.lines import spell
from stage2fuzz.event_kind import UNUSED
from stage2fuzz.events import Event

_LOCKS: Final = {
    ev.LOCK_MMU: "mmu_lock",
    ev.LOCK_MMAP: "mmap_lock",
    ev.LOCK_HYP: "hyp_pgd_lock",
    ev.LOCK_SLOTS: "slots_lock",
    ev.LOCK_VM_TABLE: "vm_table_lock",
    ev.LOCK_HOST_STAGE2: "host_mmu.lock",
    ev.LOCK_HYP_STAGE1: "pkvm_pgd_lock",
    **{ev.LOCK_EL2_OTHER + i: f"an allocator's lock ({i})" for i in range(4)},
    **{ev.LOCK_GUEST + vm: f"vm->lock of VM {vm}" for vm in range(4)},
    **{ev.LOCK_GUEST_POOL + vm: f"vm->pool.lock of VM {vm}" for vm in range(4)},
}
_STATES: Final = ("owned", "shared", "borrowed", "none")
_BARRIERS: Final = {
    ev.DSB_ISH: "dsb(ish)",
    ev.DSB_ISHST: "dsb(ishst)",
    ev.DSB_NSH: "dsb(nsh)",
    ev.DSB_NSHST: "dsb(nshst)",
    ev.DMB_ISHST: "dmb(ishst)",
    ev.DMB_ISH: "dmb(ish)",
}
_TLBIS: Final = {
    ev.TLBI_IPAS2E1: "ipas2e1",
    ev.TLBI_VMALLE1: "vmalle1",
    ev.TLBI_VMALLS12E1: "vmalls12e1",
    ev.TLBI_ALLE1: "alle1",
}
_WARNINGS: Final = {
    ev.WARN_LEAF_AT_LAST_LEVEL: "no leaf can be set at the last level",
    ev.WARN_HYP_REMAP: "a hyp mapping is changed",
    ev.WARN_TABLE_OVER_VALID: "a table is put over a valid entry",
    ev.WARN_REFCOUNT: "a reference count is wrong",
    ev.WARN_BUG: "BUG",
    ev.WARN_MEMORY_CACHE: "kvm_mmu_memory_cache_alloc finds the memory cache empty",
}
_ERRNOS: Final = {
    value: name
    for name, value in vars(ev).items()
    if name in {"EPERM", "ENOENT", "E2BIG", "ENOEXEC", "EAGAIN", "ENOMEM", "EFAULT", "EINVAL"}
    or name in {"ERANGE", "ENOSYS"}
}
_INJECTED: Final = {
    -ev.INJECTED_DABT: "an injected data abort",
    -ev.INJECTED_SIZE_FAULT: "an injected address size fault",
    -ev.INJECTED_SERROR: "an injected SError",
}


def result_text(result: int) -> str:
    """A result as the kernel writes it: ``0``, ``-EAGAIN``."""
    if result in _INJECTED:
        return _INJECTED[result]
    return f"-{_ERRNOS[-result]}" if -result in _ERRNOS else str(result)


def _fault_text(status: int, walk: int) -> str:
    """``translation fault at L3``, with the instruction where the syndrome says more of it."""
    how = walk >> 8 << 3
    names = [name for name, kind in INSTRUCTIONS.items() if how and kind & ~ACCESS_RIGHTS == how]
    of = f" of {' or '.join(names)}" if names else ""
    return f"{FAULT_NAMES[status]} fault at L{walk & ev.FAULT_LEVEL}{of}"


class Words:
    """The words of one run's events; ``say`` wants every event once, in order."""

    def __init__(self, events: list[Event]) -> None:
        self._tables: dict[int, tuple[int, int, str]] = {}
        """Table page -> (level of its entries, first IPA, ``hyp`` or nothing), as linked so far."""
        self.granule = ev.granule_of(events)
        self._sizes = self.granule.sizes
        self._later: dict[int, tuple[int, int, str]] = {}
        """The same as linked at any time, for tables that are filled before they are linked."""
        for event in (*events, *events):  # twice: a subtree may be linked after what is below it
            self._learn(event)
        self._later, self._tables = self._tables, {}

    def say(self, event: Event) -> str:
        """One event in words, as of this moment of the run; what it links is known from here on."""
        self._learn(event)
        kind, _, where, old, new, aux = event
        match kind:
            case ev.WALK | ev.LOAD | ev.DRAIN | ev.STORE | ev.HARDWARE_AF | ev.CAS_FAIL:
                return self._table_memory(kind, where, old, new, aux)
            case ev.HIT:
                return f"TLB: {where:#x} is {describe(new, aux, self.granule.page_size)}"
            case ev.ACCESS:
                return f"{ACCESS_NAMES[old]} {where:#x} done"
            case ev.FAULT:
                return f"{ACCESS_NAMES[old]} {where:#x}: {_fault_text(new, aux)}"
            case ev.RESUME:
                return _resume_text(new)
            case ev.ALLOC | ev.ZERO | ev.FREE | ev.FREE_DEFERRED | ev.GET | ev.PUT:
                count = f", count {new}" if kind in (ev.GET, ev.PUT) else ""
                return f"{ev.KINDS[kind].name} table {where:#x}{count}"
            case ev.TOPUP:
                what = "memory cache top-up" if old != ev.TOPUP_SINGLE else "asks for a table page"
                return f"{what}: {result_text(new)}"
            case ev.LOCK | ev.UNLOCK:
                return f"{ev.KINDS[kind].name} {_LOCKS[where]}" + (" (shared)" if aux else "")
            case ev.DSB:
                return _BARRIERS[aux]
            case ev.TLBI:
                return _tlbi_text(where, old, aux)
            case ev.CALL | ev.RETURN:
                return _call_text(kind, where, old, new, aux)
            case ev.HYPERCALL | ev.HYPERCALL_RETURN | ev.PAGE_STATE | ev.MAPPING | ev.TLB_KEPT:
                return _ownership_text(event)
            case ev.WARN:
                return f"WARN: {_WARNINGS.get(aux, 'unexpected')}"
            case _:
                return _other_text(event)

    def entry(self, address: int) -> str:
        """An entry by level and IPA: ``L3 0x40000000``; by its address where nothing is known."""
        found = self._where(address)
        return f"{found[2]}L{found[0]} {found[1]:#x}" if found else f"entry {address:#x}"

    def level(self, address: int) -> int:
        """The level of an entry; that of pages where nothing is known of its table."""
        found = self._where(address)
        return found[0] if found else LAST_LEVEL

    def _table_memory(self, kind: int, where: int, old: int, new: int, aux: int) -> str:
        name = self.entry(where)
        if kind in (ev.WALK, ev.LOAD):
            return (
                f"{'walker reads' if kind == ev.WALK else 'load'} {name}: {self._pte(where, new)}"
            )
        if kind == ev.CAS_FAIL:
            return f"cmpxchg {name} fails: found {self._pte(where, old)}"
        if kind == ev.DRAIN:
            return f"{name} visible: {self._pte(where, new)}"
        change = f"{name} = {self._pte(where, new)}"
        if old & PTE_VALID:
            change += f" (was {self._brief(where, old, new)})"
        if kind == ev.HARDWARE_AF:
            return f"walker sets AF: {change}"
        return change + (" (not yet visible)" if aux & ev.PENDING else "")

    def _pte(self, where: int, pte: int) -> str:
        """A value in words; what an invalid entry still holds is nobody's concern."""
        if not pte & PTE_VALID and not is_locked(pte):
            return "invalid"
        found = self._where(where)
        return describe(pte, found[0], self.granule.page_size) if found else f"{pte:#x}"

    def _brief(self, where: int, old: int, new: int) -> str:
        """The old, valid value; without its address where a new leaf does not change it."""
        found = self._where(where)
        text = self._pte(where, old)
        if not found or not is_leaf(old, found[0]):
            return text
        if not new & PTE_VALID:
            return text.replace(f" {address_of(old):#x}", "")
        if is_leaf(new, found[0]) and address_of(old) == address_of(new):
            return rights_text(rights(old)) + (" AF" if old & PTE_AF else "")
        return text

    def _where(self, address: int) -> tuple[int, int, str] | None:
        """(level, first IPA, whose) of an entry."""
        page = address & -self._sizes[LAST_LEVEL]
        table = self._tables.get(page) or self._later.get(page)
        if table is None:
            return None
        level, first, whose = table
        return level, first + (address - page) // ENTRY_SIZE * self._sizes[level], whose

    def _learn(self, event: Event) -> None:
        """Note which pages an event makes tables of."""
        kind, _, where, old, new, aux = event
        if kind == ev.ROOT:
            whose = "hyp " if new < 0 else ""
            span = self.granule.entries * self._sizes[old]
            for number in range(max(1, (1 << (aux & ev.ROOT_BITS)) // span)):
                page = where + number * self._sizes[LAST_LEVEL]
                self._tables[page] = (old, number * span, whose)
        elif kind in (ev.STORE, ev.DRAIN):
            found = self._where(where)
            if found and is_table(new, found[0]) and found[0] < LAST_LEVEL:
                self._tables[address_of(new)] = (found[0] + 1, *found[1:])


def _resume_text(result: int) -> str:
    if result == 1:
        return "back to the guest"
    if result == ev.PAST_THE_INSTRUCTION:
        return "back to the guest, behind the instruction"
    if result in _INJECTED:
        return f"back to the guest with {result_text(result)}"
    return "exit to user space: " + ("MMIO" if result == 0 else result_text(result))


def _tlbi_text(where: int, size: int, aux: int) -> str:
    operation = aux & ev.TLBI_OPERATION
    name = _TLBIS[operation] + ("is" if aux & ev.TLBI_BROADCAST else "")
    if operation != ev.TLBI_IPAS2E1:
        return f"tlbi {name}"
    level = ev.tlbi_level(aux)
    hint = f", level {level}" if level >= 0 else ""
    return f"tlbi {name} {where:#x}{_size_text(size)}{hint}"


def _call_text(kind: int, where: int, size: int, result: int, aux: int) -> str:
    code = aux & ev.CALL_CODE
    name = ev.CALL_NAMES[code]
    if kind == ev.RETURN:
        return f"{name} returns {result_text(result)}"
    asked = ""
    if code in (ev.CALL_MAP, ev.CALL_RELAX):
        asked = ", " + "".join(
            letter if aux >> ev.CALL_PROT_SHIFT & bit else "-"
            for letter, bit in (("r", ev.PROT_R), ("w", ev.PROT_W), ("x", ev.PROT_X))
        )
    return f"{name}({where:#x}{_size_text(size)}{asked})"


def _size_text(size: int) -> str:
    """A size, where it is not one page."""
    if size <= PAGE_SIZE:
        return ""
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size % (1 << shift) == 0:
            return f" +{size >> shift} {unit}"
    return f" +{size}"


def _ownership_text(event: Event) -> str:
    """What a host CPU asks of EL2, and what EL2 notes and maps."""
    kind, _, where, old, new, aux = event
    match kind:
        case ev.HYPERCALL:
            return f"{_hyp_op(aux)} page {where} gfn {old} vm {new}"
        case ev.HYPERCALL_RETURN:
            return f"{_hyp_op(aux)}: {result_text(new)}"
        case ev.PAGE_STATE:
            count = f", {new >> ev.STATE_COUNT_SHIFT} guests" if new >> ev.STATE_COUNT_SHIFT else ""
            hyp = _STATES[new >> ev.STATE_HYP_SHIFT & 3]
            return f"page {where}: host {_STATES[new & 3]}, EL2 {hyp}{count}"
        case ev.TLB_KEPT:
            return f"TLB of CPU {new}: {where:#x} of {_tree(aux)} is page {old}"
        case _:
            if not new & ev.MAPPED_VALID:
                noted = " (noted)" if new & ev.MAPPED_NOTED else ""
                return f"{_tree(aux)}: {where} is nothing{noted}"
            rights = "rw" if new & ev.MAPPED_WRITE else "r"
            return f"{_tree(aux)}: {where} is page {old} {rights}, {_STATES[new & 3]}"


def _hyp_op(number: int) -> str:
    return spell(HypOp(number).name)


def _tree(aux: int) -> str:
    tree = aux & ev.TREE_BITS
    names = {ev.TREE_HOST: "host stage 2", ev.TREE_HYP: "EL2 stage 1"}
    return names.get(tree) or f"stage 2 of VM {tree - ev.TREE_GUEST}"


def _host_flags(flags: int) -> str:
    if flags & ev.HOST_ABSENT:
        return "absent"
    if flags & ev.HOST_POISON:
        return "poisoned"
    return ("rw" if flags & ev.HOST_WRITE else "r") + (" device" if flags & ev.HOST_DEVICE else "")


def _other_text(event: Event) -> str:
    """Host pages, notifiers, dirty log, ends."""
    kind, _, where, old, new, aux = event
    match kind:
        case ev.SLOT:
            return f"slot {aux}: {where:#x}{_size_text(old)}" if old else f"slot {aux} deleted"
        case ev.BACKING:
            return f"host maps {where:#x}{_size_text(old)} to {new:#x} {_host_flags(aux)}"
        case ev.PIN:
            return f"pin {where:#x}: {new:#x} {_host_flags(aux)}"
        case ev.SEQ_READ:
            return f"mmu_notifier_seq is {new}"
        case ev.RETRY:
            return "mmu_notifier_retry: " + ("yes" if new else "no")
        case ev.INVALIDATE_BEGIN:
            return f"mmu_notifier_count = {new}"
        case ev.INVALIDATE_END:
            return f"mmu_notifier_seq = {new}"
        case ev.PFN_DIRTY | ev.MARK_DIRTY | ev.CLEAR_DIRTY:
            words = {ev.PFN_DIRTY: "host page dirty", ev.MARK_DIRTY: "mark dirty"}
            return f"{words.get(kind, 'clear dirty')}: {where:#x}"
        case ev.REPORT:
            return f"dirty log reports {where:#x}"
        case ev.DEADLOCK:
            waiting = ", ".join(str(i) for i in range(aux.bit_length()) if aux >> i & 1)
            return f"deadlock: threads {waiting} wait"
        case ev.LIMIT:
            return f"limit of {ev.LIMIT_NAMES.get(aux, 'something')} reached"
        case ev.CRASH:
            return f"crash: signal {aux} at {where:#x}"
        case ev.CONTEXT:
            return f"VTTBR_EL2: VMID {new}"
        case _:
            used = (
                f"{value:#x}"
                for value, field in zip(event[2:], ev.KINDS[kind].fields, strict=True)
                if field != UNUSED
            )
            return " ".join((ev.KINDS[kind].name, *used))
