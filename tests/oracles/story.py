"""A readable way to write down what happened: one method a step, each returns its event's index.

One slot of four pages at ``IPA``, backed by the host at ``HOST``; the page's last-level table hangs
at ``L3`` below ``L2`` below the root. A story that does everything right is the good case of every
oracle; a bad case leaves one step out, or does it wrong.
"""

from stage2fuzz.arch import (
    PTE_AF,
    PTE_INNER_SHAREABLE,
    PTE_MEMATTR_NORMAL,
    PTE_READ,
    PTE_WRITE,
    PTE_XN,
    READ,
    TRANSLATION,
    WRITE,
)
from stage2fuzz.events import (
    ACCESS,
    ALLOC,
    BACKING,
    CALL,
    CALL_MAP,
    CONTEXT,
    DSB,
    DSB_ISH,
    DSB_ISHST,
    FAULT,
    GET,
    HOST_READ,
    HOST_WRITE,
    LOCK,
    LOCK_MMU,
    MARK_DIRTY,
    ORDER_RELEASE,
    PFN_DIRTY,
    PIN,
    PUT,
    QUIESCENT,
    RESUME,
    RETRY,
    RETURN,
    ROOT,
    ROOT_FWB,
    SEQ_READ,
    SETUP,
    SLOT,
    STORE,
    TLBI,
    TLBI_IPAS2E1,
    TLBI_VMALLE1,
    TLBI_VMALLS12E1,
    TOPUP,
    UNLOCK,
    UNPIN,
    WALK,
    ZERO,
    Event,
    tlbi_aux,
)
from stage2fuzz.oracles.judge import judge
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.rules import Rules

IPA = 0x4000_0000
HOST = 0x1_0000_0000_0
ROOT_PAGE = 0x1000_0000
L2 = 0x1000_2000
L3 = 0x1000_3000
LINK1 = ROOT_PAGE + 8
"""Location of the root entry of ``IPA``."""
PAGES = 4
VCPUS = 3
HOST_THREAD = 3
ATTRIBUTES = PTE_MEMATTR_NORMAL | PTE_INNER_SHAREABLE | PTE_AF
RW, R, X = 6, 4, 1
"""PROT_* as map and relax get them."""


def leaf(rights: str, host: int = HOST) -> int:
    """A page leaf: ``leaf("rw")``."""
    value = host | ATTRIBUTES | PTE_XN | 3
    value |= (PTE_READ if "r" in rights else 0) | (PTE_WRITE if "w" in rights else 0)
    return value & ~PTE_XN if "x" in rights else value


class Story:
    """Events being written."""

    def __init__(
        self, flags: int = 0, host: int = HOST_READ | HOST_WRITE, machine: int = ROOT_FWB
    ) -> None:
        """``machine`` is what the CPU has; with FWB no story needs to tell of data caches."""
        self.events: list[Event] = []
        self.counts: dict[int, int] = {}
        self.memory: dict[int, int] = {}
        self.add(ROOT, SETUP, ROOT_PAGE, 1, 1, 40 | machine)
        self.add(SLOT, SETUP, IPA, PAGES * 4096, flags, 0)
        self.add(BACKING, SETUP, IPA, PAGES * 4096, HOST, host)

    def add(
        self, kind: int, thread: int, where: int = 0, old: int = 0, new: int = 0, aux: int = 0
    ) -> int:
        """Any event."""
        self.events.append((kind, thread, where, old, new, aux))
        return len(self.events) - 1

    def store(self, thread: int, where: int, new: int, order: int = ORDER_RELEASE) -> int:
        """A store, its old value looked up."""
        old = self.memory.get(where, 0)
        self.memory[where] = new
        return self.add(STORE, thread, where, old, new, order)

    def lock(self, thread: int, name: int = LOCK_MMU) -> int:
        """Take a lock exclusively."""
        return self.add(LOCK, thread, name)

    def unlock(self, thread: int, name: int = LOCK_MMU) -> int:
        """Release it."""
        return self.add(UNLOCK, thread, name)

    def get(self, thread: int, page: int) -> int:
        """One more reference."""
        self.counts[page] = self.counts.get(page, 1) + 1
        return self.add(GET, thread, page, 0, self.counts[page])

    def put(self, thread: int, page: int) -> int:
        """One reference less."""
        self.counts[page] -= 1
        return self.add(PUT, thread, page, 0, self.counts[page])

    def table(self, thread: int, where: int, page: int) -> int:
        """A zeroed page, linked at ``where``."""
        self.add(ALLOC, thread, page)
        self.add(ZERO, thread, page)
        self.counts[page] = 1
        index = self.store(thread, where, page | 3)
        if where & -4096 in self.counts:
            self.get(thread, where & -4096)
        return index

    def tables(self, thread: int) -> None:
        """Everything above the leaf."""
        self.table(thread, LINK1, L2)
        self.table(thread, L2, L3)

    def flush(self, thread: int, ipa: int = IPA, level: int = 3) -> None:
        """DSB, stage 2 by IPA, DSB, stage 1, DSB."""
        self.add(DSB, thread, aux=DSB_ISHST)
        self.add(CONTEXT, thread, old=0, new=1)
        self.add(TLBI, thread, ipa, 0, 1, tlbi_aux(TLBI_IPAS2E1, True, level))
        self.add(DSB, thread, aux=DSB_ISH)
        self.add(TLBI, thread, 0, 0, 1, tlbi_aux(TLBI_VMALLE1, True))
        self.add(DSB, thread, aux=DSB_ISH)
        self.add(CONTEXT, thread, old=1, new=0)

    def flush_all(self, thread: int) -> None:
        """DSB, both stages of the VMID, DSB."""
        self.add(DSB, thread, aux=DSB_ISHST)
        self.add(CONTEXT, thread, old=0, new=1)
        self.add(TLBI, thread, 0, 0, 1, tlbi_aux(TLBI_VMALLS12E1, True))
        self.add(DSB, thread, aux=DSB_ISH)
        self.add(CONTEXT, thread, old=1, new=0)

    def fault(
        self, thread: int, kind: int = READ, status: int = TRANSLATION, level: int = 3
    ) -> int:
        """A guest access faults."""
        return self.add(FAULT, thread, IPA, kind, status, level)

    def walk(self, thread: int, where: int = L3) -> int:
        """The hardware walker reads a descriptor."""
        return self.add(WALK, thread, where, 0, self.memory.get(where, 0), 3)

    def prepare(self, thread: int, write: bool = False, host: int = HOST, flags: int = 3) -> None:
        """What user_mem_abort does before and right after it takes mmu_lock."""
        self.add(TOPUP, thread, old=2)
        self.add(SEQ_READ, thread)
        self.add(PIN, thread, IPA, 2 if write else 0, host, flags)
        self.lock(thread)
        self.add(RETRY, thread)

    def finish(self, thread: int, kind: int = READ, result: int = 1, host: int = HOST) -> int:
        """And what it does after the handling."""
        self.unlock(thread)
        self.add(UNPIN, thread, IPA, 0, host)
        return self.add(RESUME, thread, IPA, kind, result)

    def call(self, thread: int, code: int = CALL_MAP, prot: int = RW, host: int = HOST) -> int:
        """A call into the engine for the page."""
        return self.add(CALL, thread, IPA, 4096, host, code | prot << 8)

    def returned(self, thread: int, code: int = CALL_MAP, result: int = 0) -> int:
        """Its return."""
        return self.add(RETURN, thread, IPA, 4096, result, code)

    def mapped(self, thread: int, rights: str = "rw", mark: bool = False) -> int:
        """A whole first fault that does everything right; the index of the leaf's store."""
        kind = WRITE if "w" in rights else READ
        self.fault(thread, kind, level=1)
        self.prepare(thread, "w" in rights)
        self.call(thread, prot=R | (2 if "w" in rights else 0))
        self.tables(thread)
        index = self.store(thread, L3, leaf(rights))
        self.get(thread, L3)
        self.returned(thread)
        if "w" in rights:
            self.host_dirty(thread)
        if mark:
            self.add(MARK_DIRTY, thread, IPA)
        self.finish(thread, kind)
        return index

    def remapped(self, thread: int, rights: str, kind: int = READ) -> int:
        """v5.10: a second translation fault breaks the leaf and makes its own."""
        self.fault(thread, kind)
        self.prepare(thread)
        self.call(thread, prot=R | (2 if "w" in rights else 0) | ("x" in rights))
        self.put(thread, L3)
        self.store(thread, L3, self.memory[L3] & ~1)
        self.flush(thread)
        index = self.store(thread, L3, leaf(rights))
        self.get(thread, L3)
        self.returned(thread)
        if "w" in rights:
            self.host_dirty(thread)
        self.finish(thread, kind)
        return index

    def host_dirty(self, thread: int, host: int = HOST) -> int:
        """The host learns that its page is dirty."""
        return self.add(PFN_DIRTY, thread, IPA, 0, host)

    def access(self, thread: int, kind: int = READ, host: int = HOST) -> int:
        """A guest access gets through."""
        return self.add(ACCESS, thread, IPA, kind, host)

    def quiescent(self) -> int:
        """All threads have ended."""
        return self.add(QUIESCENT, 0)

    def judge(self, rules: Rules | None = None) -> dict[str, Violation]:
        """Oracle -> its first violation."""
        found: dict[str, Violation] = {}
        for violation in judge(self.events, rules or Rules(), VCPUS, VCPUS + 1):
            found.setdefault(violation.oracle, violation)
        return found
