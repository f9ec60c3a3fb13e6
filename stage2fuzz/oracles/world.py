"""World: what the events say so far, kept once for all oracles.

Each event is folded into facts before the oracles see it: visible entries, where each table page
hangs, what a TLB may still hold, slots, host pages, dirty bits, and what each thread is doing. On
top of the raw events the world announces what a visible write *means*: a leaf installed, changed
or removed, a table linked or unlinked. Those are the words in which the oracles are written.

Stage-2 tables only: what hyp stage 1 writes is left to its own oracle.
"""

from collections.abc import Callable

from stage2fuzz.arch import LAST_LEVEL, PAGE_SIZE, PTE_ADDRESS, PTE_VALID
from stage2fuzz.events import (
    CALL_CODE,
    CALL_DESTROY,
    CALL_HYP_MAP,
    EAGAIN,
    PENDING,
    ROOT_BITS,
    SLOT_LOGGING,
    TLBI_ALLE1,
    TLBI_OPERATION,
)
from stage2fuzz.oracles.facts import (
    ROOT_SPAN_SHIFT,
    SHIFTS,
    Facts,
    LeafHandler,
    LockHandler,
    PrivateHandler,
    UnlinkHandler,
)
from stage2fuzz.window import Entry


class World(Facts):
    """Facts of the run so far; one object is reused for many runs."""

    __slots__ = (
        "on_first_free",
        "on_leaf_changed",
        "on_leaf_installed",
        "on_leaf_remade",
        "on_leaf_removed",
        "on_lock_nested",
        "on_private_written",
        "on_replaced",
        "on_table_linked",
        "on_table_unlinked",
    )

    def __init__(self) -> None:
        self.on_replaced: tuple[LeafHandler, ...] = ()
        self.on_leaf_installed: tuple[LeafHandler, ...] = ()
        self.on_leaf_changed: tuple[LeafHandler, ...] = ()
        self.on_leaf_removed: tuple[LeafHandler, ...] = ()
        self.on_table_linked: tuple[LeafHandler, ...] = ()
        self.on_table_unlinked: tuple[UnlinkHandler, ...] = ()
        self.on_leaf_remade: tuple[LeafHandler, ...] = ()
        self.on_private_written: tuple[PrivateHandler, ...] = ()
        self.on_lock_nested: tuple[LockHandler, ...] = ()
        self.on_first_free: Callable[[], None] = _nothing
        super().__init__()

    # Events, in the order of the catalogue of kinds

    def root(self, _index: int, _thread: int, where: int, old: int, new: int, aux: int) -> None:
        """The stage-2 root; more pages than one where the IPA space needs it."""
        if new < 0:
            return
        self.walked.clear()
        self.start_level, self.vmid, self.machine = old, new, aux
        span = SHIFTS[old] + ROOT_SPAN_SHIFT
        for number in range(1 << max(0, (aux & ROOT_BITS) - span)):
            page = where + number * PAGE_SIZE
            self.roots.append(page)
            self.pages[page] = (old, number << span)
            self.tables[page] = {}

    def slot(self, index: int, _thread: int, where: int, old: int, new: int, aux: int) -> None:
        """A slot is published, changed or (no bytes) deleted."""
        if old:
            self.slots[aux] = (where, where + old, new, index)
        else:
            self.slots.pop(aux, None)
        if not old or not new & SLOT_LOGGING:
            for page in [page for page in self.dirty if not self.logs(page)]:
                del self.dirty[page]

    def backing(self, index: int, _thread: int, where: int, old: int, new: int, aux: int) -> None:
        """The host has this behind that range from now on."""
        self.backings.append((where, where + old, new, aux, index))

    def fault(self, index: int, thread: int, where: int, old: int, new: int, aux: int) -> None:
        """A vCPU enters the fault handler."""
        self.faults[thread] = (index, where, old, new, aux)
        attempts = self.attempts.get(thread)
        if attempts:
            attempts.append(index)
        else:
            self.attempts[thread] = [index]

    def access(
        self, _index: int, thread: int, _where: int, _old: int, _new: int, _aux: int
    ) -> None:
        """A guest access got through."""
        self.attempts[thread] = []

    def resume(self, _index: int, thread: int, _where: int, _old: int, new: int, _aux: int) -> None:
        """It leaves the handler; heard last, so that oracles still see the fault."""
        self.faults.pop(thread, None)
        if new not in (1, -EAGAIN):
            self.attempts[thread] = []

    def hardware_af(
        self, index: int, thread: int, where: int, old: int, new: int, _aux: int
    ) -> None:
        """The walker set an access flag."""
        self.its_fault = self.its_call = None
        self._visible(index, thread, where, old, new)

    def store(self, index: int, thread: int, where: int, old: int, new: int, aux: int) -> None:
        """A store, visible at once or pending."""
        self.stored[thread] = index
        fault = self.its_fault = self.faults.get(thread)
        call = self.its_call = self.calls.get(thread)
        if aux & PENDING:
            self.pending.setdefault(where, []).append((index, new, fault, call))
        else:
            self._visible(index, thread, where, old, new)

    def drain(self, index: int, thread: int, where: int, old: int, new: int, _aux: int) -> None:
        """A pending store became visible."""
        waiting = self.pending.get(where)
        if waiting:
            _index, _value, self.its_fault, self.its_call = waiting.pop(0)
            if not waiting:
                del self.pending[where]
        self._visible(index, thread, where, old, new)

    def alloc(self, index: int, thread: int, where: int, _old: int, _new: int, _aux: int) -> None:
        """A table page was taken; hyp stage 1 keeps its pages for ever, so they are left out."""
        call = self.calls.get(thread)
        if call is None or call[1] != CALL_HYP_MAP:
            self.live[where] = index
        self.freed.pop(where, None)
        self.unlinked.pop(where, None)
        self.walked.clear()
        self.tables[where] = {}

    def free(self, index: int, _thread: int, where: int, _old: int, _new: int, _aux: int) -> None:
        """A table page went back; heard last, so that oracles still see what it was."""
        if not self.freed:
            self.on_first_free()
        self.live.pop(where, None)
        self.unlinked.pop(where, None)
        self.freed[where] = index
        if not self.destroying:
            self.walked.clear()
            self.tables.pop(where, None)
            self.pages.pop(where, None)
            self.parent.pop(where, None)

    def lock(self, index: int, thread: int, where: int, _old: int, _new: int, aux: int) -> None:
        """A lock was taken."""
        held = self.held.get(thread)
        if held:
            for handler in self.on_lock_nested:
                handler(index, thread, where, held)
            self.held[thread] = (*held, where | aux << 8)
        else:
            self.held[thread] = (where | aux << 8,)

    def unlock(self, _index: int, thread: int, where: int, _old: int, _new: int, aux: int) -> None:
        """A lock was released."""
        name = where | aux << 8
        held = self.held.get(thread, ())
        self.held[thread] = () if held == (name,) else _without(held, name)

    def dsb(self, _index: int, thread: int, _where: int, _old: int, _new: int, aux: int) -> None:
        """A barrier completes the thread's TLBIs."""
        self.window.dsb(thread, aux)

    def tlbi(self, _index: int, thread: int, where: int, old: int, new: int, aux: int) -> None:
        """A TLBI of this VMID, or of all, was issued."""
        if new == self.vmid or aux & TLBI_OPERATION == TLBI_ALLE1:
            self.window.tlbi(thread, where, old, aux)

    def invalidate_begin(
        self, _index: int, _thread: int, _where: int, _old: int, new: int, _aux: int
    ) -> None:
        """A notifier invalidation starts: its count moved."""
        self.invalidating = new

    def invalidate_end(
        self, _index: int, _thread: int, _where: int, _old: int, new: int, _aux: int
    ) -> None:
        """It ended: the sequence moved."""
        self.invalidating -= 1
        self.sequence = new

    def mark_dirty(
        self, index: int, _thread: int, where: int, _old: int, _new: int, _aux: int
    ) -> None:
        """A bit of a dirty bitmap was set."""
        self.dirty.setdefault(where, index)

    def clear_dirty(
        self, _index: int, _thread: int, where: int, _old: int, _new: int, _aux: int
    ) -> None:
        """A bit was cleared."""
        self.dirty.pop(where, None)

    def call(self, index: int, thread: int, where: int, old: int, new: int, aux: int) -> None:
        """A call into the engine, or of the host, begins."""
        code = aux & CALL_CODE
        self.calls[thread] = (index, code, where, old, new, aux >> 8, self.calls.get(thread))
        if code == CALL_DESTROY:
            self.destroying = True

    def returned(
        self, _index: int, thread: int, _where: int, _old: int, _new: int, _aux: int
    ) -> None:
        """The innermost call ended; it stays in ``returned_call`` while the oracles look."""
        call = self.returned_call = self.calls.get(thread)
        if call is not None:
            self.calls[thread] = call[6]

    # What a visible write means

    def _visible(self, index: int, thread: int, where: int, old: int, new: int) -> None:
        self.walked.clear()
        page = where & -PAGE_SIZE
        place = self.pages.get(page)
        if place is None:
            self.tables.setdefault(page, {})[where] = new
            if old & PTE_VALID or page in self.unlinked:
                for private in self.on_private_written:
                    private(index, thread, where, old, new)
            return
        self.tables[page][where] = new
        if old == new:
            return
        self.touched[page] = index
        level, base = place
        ipa = base + ((where - page) >> 3 << SHIFTS[level])
        self.window.write(where, level, ipa, old, new)
        inner = level < LAST_LEVEL
        old_table = inner and old & 3 == 3
        new_table = inner and new & 3 == 3
        old_leaf = old & PTE_VALID and not old_table
        new_leaf = new & PTE_VALID and not new_table
        if old & new & PTE_VALID:
            for handler in self.on_replaced:
                handler(index, thread, where, old, new, level, ipa)
        if old_table:
            self._unlink(index, thread, where, old, level, ipa)
        elif old_leaf and not new_leaf:
            self.broken[where] = (index, thread, old)
            for handler in self.on_leaf_removed:
                handler(index, thread, where, old, new, level, ipa)
        if new_table:
            self.broken.pop(where, None)
            self._link(index, thread, where, old, new, level, ipa)
        elif new_leaf:
            self._leaf(index, thread, where, old if old_leaf else 0, new, level, ipa)

    def _leaf(
        self, index: int, thread: int, where: int, old: int, new: int, level: int, ipa: int
    ) -> None:
        """A leaf is there now; ``old`` is the leaf before it, 0 if there was none."""
        self.its_slot = self.slot_of(ipa)
        self.its_backing = self.backing_of(ipa)
        for handler in self.on_leaf_changed if old else self.on_leaf_installed:
            handler(index, thread, where, old, new, level, ipa)
        broken = self.broken.pop(where, None) if self.broken else None
        if broken is not None and broken[1] == thread and not (broken[2] ^ new) & PTE_ADDRESS:
            call = self.its_call
            if call is not None and call[0] < broken[0]:
                self.broken_at = broken[0]
                for handler in self.on_leaf_remade:
                    handler(index, thread, where, broken[2], new, level, ipa)
        self.since[where] = index

    def _link(
        self, index: int, thread: int, where: int, old: int, new: int, level: int, ipa: int
    ) -> None:
        for handler in self.on_table_linked:
            handler(index, thread, where, old, new, level, ipa)
        self._adopt(index, thread, new & PTE_ADDRESS, where, level + 1, ipa)

    def _adopt(self, index: int, thread: int, page: int, where: int, level: int, ipa: int) -> None:
        """``page`` and what hangs below it can be walked now; its leaves count as installed."""
        self.unlinked.pop(page, None)
        self.pages[page] = (level, ipa)
        self.parent[page] = where
        for location, value in list(self.tables.setdefault(page, {}).items()):
            if not value & PTE_VALID:
                continue
            first = ipa + ((location - page) >> 3 << SHIFTS[level])
            if level < LAST_LEVEL and value & 3 == 3:
                self._adopt(index, thread, value & PTE_ADDRESS, location, level + 1, first)
            else:
                self._leaf(index, thread, location, 0, value, level, first)

    def _unlink(self, index: int, thread: int, where: int, old: int, level: int, ipa: int) -> None:
        below: list[Entry] = []
        self._abandon(index, old & PTE_ADDRESS, below)
        self.window.unlink(below)
        for handler in self.on_table_unlinked:
            handler(index, thread, where, old, level, ipa, below)

    def _abandon(self, index: int, page: int, below: list[Entry]) -> None:
        """``page`` can't be walked any more; note its valid entries and those below."""
        place = self.pages.pop(page, None)
        self.parent.pop(page, None)
        if place is None:
            return
        self.unlinked[page] = index
        level, base = place
        for location, value in self.tables[page].items():
            if value & PTE_VALID:
                ipa = base + ((location - page) >> 3 << SHIFTS[level])
                below.append((location, level, ipa, value))
                if level < LAST_LEVEL and value & 3 == 3:
                    self._abandon(index, value & PTE_ADDRESS, below)


def _nothing() -> None:
    """Nobody wants to know."""


def _without(held: tuple[int, ...], name: int) -> tuple[int, ...]:
    """``held`` without one ``name``; a lock that was never taken is another oracle's concern."""
    if name not in held:
        return held
    at = held.index(name)
    return (*held[:at], *held[at + 1 :])
