"""Table memory: entries, table pages with reference counts, barriers, and pending stores.

Everything is sequentially consistent except, where the case asks for it, stores to table entries:
each PE keeps a list of stores that walkers cannot see yet, drained one by one as scheduled steps
(the smallest weak memory that shows a missing DSB, DMB or store-release).
"""

from typing import Final

from stage2fuzz.arch import PAGE_MASK, PAGE_SIZE
from stage2fuzz.case.scenario import TABLE_BASE
from stage2fuzz.events import (
    ALLOC,
    CAS_FAIL,
    DMB_ISHST,
    DRAIN,
    DSB,
    FREE,
    GET,
    ISB,
    LOAD,
    ORDER_CAS,
    ORDER_PLAIN,
    ORDER_RELEASE,
    PENDING,
    PUT,
    STORE,
    ZERO,
)
from stage2fuzz.model.machine.threads import Threads

JUNK: Final = 0x0BAD_0000_0000 | 0x7FF
"""What an entry of a page that was never zeroed holds: a valid leaf of nobody."""

BufferedStore = tuple[int, int, int]
"""(entry address, value, ORDER_* or BARRIER_MARK)."""
BARRIER_MARK: Final = -1


class Memory(Threads):
    """Entries by address; an absent entry is zero."""

    __slots__ = (
        "_free_pages",
        "_next_page",
        "counts",
        "entries",
        "pending",
        "unzeroed",
        "watched",
    )

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[int, int] = {}
        self.counts: dict[int, int] = {}
        self.unzeroed: set[int] = set()
        """Pages that hold junk still."""
        self._next_page = TABLE_BASE
        self._free_pages: list[int] = []
        self.pending: list[list[BufferedStore]] | None = None
        self.watched = False
        """Whether ``visible_write`` wants to know of writes."""

    def reset_memory(self, elements: int, pending_stores: bool) -> None:
        """Empty memory for the next run; ``elements`` is how many PEs may hold pending stores."""
        self.entries.clear()
        self.counts.clear()
        self.unzeroed.clear()
        self._next_page = TABLE_BASE
        self._free_pages.clear()
        self.pending = [[] for _ in range(elements)] if pending_stores else None

    def load(self, ptep: int) -> int:
        """Read one entry as the kernel does; a CPU sees its own pending stores."""
        if not self.left:
            self._view.pending[self.current] = (LOAD, ptep)
            self._dispatch()
        self.left -= 1
        value = self.entries.get(ptep, 0)
        if self.pending is not None:
            value = self._forwarded(ptep, value)
        if self.unzeroed and ptep & PAGE_MASK in self.unzeroed and ptep not in self.entries:
            value = JUNK
        self.record((LOAD, self.current, ptep, 0, value, 0))
        return value

    def store(self, ptep: int, value: int, order: int = ORDER_PLAIN) -> None:
        """Write one entry, plain (WRITE_ONCE) or as a store-release."""
        if not self.left:
            self._view.pending[self.current] = (STORE, ptep)
            self._dispatch()
        self.left -= 1
        entries = self.entries
        old = entries.get(ptep, 0)
        if self.pending is None:
            entries[ptep] = value
            if self.watched:
                self.visible_write(ptep, old, value)
            self.record((STORE, self.current, ptep, old, value, order))
        else:
            old = self._forwarded(ptep, old)
            self.pending[self.current].append((ptep, value, order))
            self.record((STORE, self.current, ptep, old, value, order | PENDING))

    def compare_exchange(self, ptep: int, expected: int, value: int) -> bool:
        """cmpxchg on one entry; it drains the CPU's pending stores first and acts at once."""
        self.point(STORE, ptep)
        self.drain_all()
        old = self.entries.get(ptep, 0)
        if old != expected:
            self.record((CAS_FAIL, self.current, ptep, old, value, 0))
            return False
        self.entries[ptep] = value
        if self.watched:
            self.visible_write(ptep, old, value)
        self.record((STORE, self.current, ptep, old, value, ORDER_CAS))
        return True

    def visible(self, ptep: int) -> int:
        """What a hardware walker reads now."""
        value = self.entries.get(ptep, 0)
        if self.unzeroed and ptep & PAGE_MASK in self.unzeroed and ptep not in self.entries:
            return JUNK
        return value

    def visible_write(self, ptep: int, old: int, new: int) -> None:
        """A watched entry changed for walkers; ``Vm`` keeps the window TLB with this."""

    def dsb(self, kind: int) -> None:
        """A barrier: a DMB ISHST keeps the CPU's pending stores in order; after any other its loads
        come after them, as if it waited for them."""
        if self.left:
            self.left -= 1
        else:
            self.point(DSB, 0)
        if self.pending is not None:
            if kind != DMB_ISHST:
                self.drain_all()
            elif self.pending[self.current]:
                self.pending[self.current].append((0, 0, BARRIER_MARK))
        self.record((DSB, self.current, 0, 0, 0, kind))

    def isb(self) -> None:
        """Resynchronise the fetch context; no scheduling point, since nobody else can see it."""
        self.record((ISB, self.current, 0, 0, 0, 0))

    def alloc_page(self, zero: bool = True, source: int = 0) -> int:
        """Take a table page, junk until it is zeroed; ``source`` is where from, as in the event."""
        page = self._free_pages.pop() if self._free_pages else self._next_page
        if page == self._next_page:
            self._next_page += PAGE_SIZE
        self.point(ALLOC, page)
        self.record((ALLOC, self.current, page, 0, 0, source))
        self.counts[page] = 1
        self.unzeroed.add(page)
        if zero:
            self.zero_page(page)
        return page

    def zero_page(self, page: int) -> None:
        """clear_page: every entry reads as zero from here on."""
        self.point(ZERO, page)
        if self.pending is not None and any(
            at & PAGE_MASK == page for at, _value, _order in self.pending[self.current]
        ):
            self.drain_all()  # of two stores of one CPU to one place the later one stays
        self.unzeroed.discard(page)
        self.record((ZERO, self.current, page, 0, 0, 0))

    def free_page(self, page: int) -> None:
        """Give a table page back; its entries are gone. A second free is recorded, not done."""
        self.point(FREE, page)
        if self.counts.pop(page, None) is not None:
            for ptep in [ptep for ptep in self.entries if ptep & PAGE_MASK == page]:
                del self.entries[ptep]
            self.unzeroed.discard(page)
            self._free_pages.append(page)
        self.record((FREE, self.current, page, 0, 0, 0))

    def get_page(self, ptep: int) -> None:
        """One more counted entry in the page that holds ``ptep`` (roots are not counted)."""
        page = ptep & PAGE_MASK
        if page in self.counts:
            self.point(GET, page)
            count = self.counts[page] = self.counts.get(page, 0) + 1
            self.record((GET, self.current, page, 0, count, 0))

    def put_page(self, ptep: int) -> None:
        """One counted entry less; frees the page when nothing is left, as put_page does."""
        page = ptep & PAGE_MASK
        if page in self.counts:
            self.point(PUT, page)
            count = self.counts[page] = self.counts.get(page, 0) - 1
            self.record((PUT, self.current, page, 0, count, 0))
            if not count:
                self.free_page(page)

    def page_count(self, page: int) -> int:
        """page_count(): how many references a table page has."""
        return self.counts.get(page, 1)

    def unlock(self, name: int, shared: int = 0) -> None:
        """Release a lock: the CPU's earlier stores are visible before the next holder sees it."""
        if self.pending is not None:
            self.drain_all()
        super().unlock(name, shared)

    def drainable(self, drain: int) -> bool:
        """Whether the PE has a pending store; the oldest can always drain."""
        return self.pending is not None and bool(self.pending[drain])

    def drain(self, drain: int) -> None:
        """Make one of the PE's pending stores visible, any that no barrier or alias holds back."""
        assert self.pending is not None
        queue = self.pending[drain]
        ready = drain_candidates(queue)
        self._drain_at(drain, ready[self.choose(len(ready))])

    def drain_all(self) -> None:
        """Wait until the running CPU has no pending store, in program order."""
        if self.pending is not None:
            while self.pending[self.current]:
                self._drain_at(self.current, drain_candidates(self.pending[self.current])[0])

    def _drain_at(self, element: int, index: int) -> None:
        assert self.pending is not None
        queue = self.pending[element]
        ptep, value, _order = queue.pop(index)
        while queue and queue[0][2] == BARRIER_MARK:
            queue.pop(0)
        old = self.visible(ptep)
        self.entries[ptep] = value
        if self.watched:
            self.visible_write(ptep, old, value)
        self.record((DRAIN, element, ptep, old, value, 0))

    def _forwarded(self, ptep: int, value: int) -> int:
        """The newest own pending store to ``ptep``, else what memory holds."""
        assert self.pending is not None
        for address, newer, order in reversed(self.pending[self.current]):
            if address == ptep and order != BARRIER_MARK:
                return newer
        return value


def drain_candidates(queue: list[BufferedStore]) -> list[int]:
    """Indices that may drain next: none older to the same entry, no barrier mark before it, and
    a store-release only when it is the oldest."""
    ready: list[int] = []
    seen: list[int] = []
    for index, (ptep, _value, order) in enumerate(queue):
        if order == BARRIER_MARK:
            break
        if ptep not in seen and (order != ORDER_RELEASE or index == 0):
            ready.append(index)
        seen.append(ptep)
    return ready
