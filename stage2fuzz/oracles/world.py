"""World: what the events say so far, kept once for all oracles.

Each event is folded into facts before the oracles see it: visible entries, where each table page
hangs, what a TLB may still hold, slots, host pages, dirty bits, and what each thread is doing. On
top of the raw events the world announces what a visible write *means*: a leaf installed, changed
or removed, a table linked or unlinked. Those are the words in which the oracles are written.

Stage-2 tables only: what hyp stage 1 writes is left to its own oracle.
"""

from collections.abc import Callable

from stage2fuzz.arch import (
    ENTRY_SIZE,
    LAST_LEVEL,
    PTE_ADDRESS,
    PTE_TYPE,
    PTE_VALID,
)
from stage2fuzz.events import (
    CALL_CODE,
    CALL_DESTROY,
    CALL_HYP_MAP,
    CALL_PROT_SHIFT,
    EAGAIN,
    FAULT_LEVEL,
    PENDING,
    ROOT_BITS,
    ROOT_GRANULE,
    ROOT_GRANULES,
    SLOT_LOGGING,
    TLBI_ALLE1,
    TLBI_OPERATION,
    TREE_SHIFT,
)
from stage2fuzz.oracles.dispatch import Teller, silent
from stage2fuzz.oracles.facts import LOCK_SHARED, Call, Facts, Fault, guest_page
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
        "on_returned",
        "on_table_linked",
        "on_table_unlinked",
    )

    def __init__(self) -> None:
        self.on_replaced: Teller = silent
        self.on_leaf_installed: Teller = silent
        self.on_leaf_changed: Teller = silent
        self.on_leaf_removed: Teller = silent
        self.on_leaf_remade: Teller = silent
        self.on_table_linked: Teller = silent
        self.on_table_unlinked: Teller = silent
        self.on_private_written: Teller = silent
        self.on_lock_nested: Teller = silent
        self.on_returned: dict[int, Teller] = {}
        """CALL_* -> who wants to hear of its return."""
        self.on_first_free: Callable[[], None] = silent
        super().__init__()

    # Events, in the order of the catalogue of kinds

    def root(self, page: int, level: int, vmid: int, bits: int) -> None:
        """A stage-2 root; more pages than one where the IPA space needs it. The guest's own is
        told of first, then its shadows."""
        if vmid < 0:
            return
        self.walked.clear()
        if not self.roots:
            self.vmid, self.machine = vmid, bits
            self.begin_granule((bits & ROOT_GRANULES) // ROOT_GRANULE)
        tree = vmid - self.vmid
        self.trees[tree] = page, level
        span = self.shifts[level] + self.shifts[2] - self.shifts[3]
        for number in range(1 << max(0, (bits & ROOT_BITS) - span)):
            root = page + number * self.page_size
            self.roots.append(root)
            self.pages[root] = (level, (tree << TREE_SHIFT) + (number << span))
            self.tables[root] = {}

    def slot(self, index: int, ipa: int, size: int, flags: int, slot: int) -> None:
        """A slot is published, changed or (no bytes) deleted."""
        if size:
            self.slots[slot] = (ipa, ipa + size, flags, index)
        else:
            self.slots.pop(slot, None)
        if not size or not flags & SLOT_LOGGING:
            for page in [page for page in self.dirty if not self.logs(page)]:
                del self.dirty[page]

    def backing(self, index: int, ipa: int, size: int, address: int, flags: int) -> None:
        """The host has this behind that range from now on."""
        self.backings.append((ipa, ipa + size, address, flags, index))

    def fault(self, index: int, thread: int, ipa: int, kind: int, status: int, walk: int) -> None:
        """A vCPU enters the fault handler."""
        self.faults[thread] = (index, ipa, kind, status, walk & FAULT_LEVEL)
        attempts = self.attempts.get(thread)
        if attempts:
            attempts.append(index)
        else:
            self.attempts[thread] = [index]

    def access(self, thread: int) -> None:
        """A guest access got through."""
        self.attempts[thread] = []

    def resume(self, thread: int, result: int) -> None:
        """The vCPU leaves the handler; heard last, so that oracles still see the fault."""
        self.faults.pop(thread, None)
        if result not in (1, -EAGAIN):
            self.attempts[thread] = []

    def hardware_af(self, index: int, thread: int, location: int, old: int, new: int) -> None:
        """The walker set an access flag."""
        self._visible(index, thread, location, old, new, None, None)

    def store(self, index: int, thread: int, location: int, old: int, new: int, order: int) -> None:
        """A store, visible at once or pending."""
        self.stored[thread] = index
        fault, call = self.faults.get(thread), self.calls.get(thread)
        if order & PENDING:
            self.pending.setdefault(location, []).append((index, new, fault, call))
        else:
            self._visible(index, thread, location, old, new, fault, call)

    def drain(self, index: int, thread: int, location: int, old: int, new: int) -> None:
        """A pending store became visible."""
        fault: Fault | None = None
        call: Call | None = None
        waiting = self.pending.get(location)
        if waiting:
            _index, _value, fault, call = waiting.pop(0)
            if not waiting:
                del self.pending[location]
        self._visible(index, thread, location, old, new, fault, call)

    def alloc(self, index: int, thread: int, page: int) -> None:
        """A table page was taken; hyp stage 1 keeps its pages for ever, so they are left out."""
        call = self.calls.get(thread)
        if call is None or call[1] != CALL_HYP_MAP:
            self.live[page] = index
        self.freed.pop(page, None)
        self.unlinked.pop(page, None)
        self.walked.clear()
        self.tables[page] = {}

    def free(self, index: int, page: int) -> None:
        """A table page went back; heard last, so that oracles still see what it was."""
        if not self.freed:
            self.on_first_free()
        self.live.pop(page, None)
        self.unlinked.pop(page, None)
        self.freed[page] = index
        if not self.destroying:
            self.walked.clear()
            self.tables.pop(page, None)
            self.pages.pop(page, None)
            self.parent.pop(page, None)

    def lock(self, index: int, thread: int, lock: int, shared: int) -> None:
        """A lock was taken."""
        held = self.held.get(thread)
        if held:
            self.on_lock_nested(index, thread, lock, held)
            self.held[thread] = (*held, lock | shared * LOCK_SHARED)
        else:
            self.held[thread] = (lock | shared * LOCK_SHARED,)

    def unlock(self, thread: int, lock: int, shared: int) -> None:
        """A lock was released."""
        name = lock | shared * LOCK_SHARED
        held = self.held.get(thread, ())
        self.held[thread] = () if held == (name,) else _without(held, name)

    def dsb(self, thread: int, barrier: int) -> None:
        """A barrier completes the thread's TLBIs."""
        self.window.dsb(thread, barrier)

    def tlbi(self, thread: int, ipa: int, size: int, vmid: int, form: int) -> None:
        """A TLBI of one of the guest's VMIDs, or of all, was issued."""
        if vmid - self.vmid in self.trees or form & TLBI_OPERATION == TLBI_ALLE1:
            self.window.tlbi(thread, ipa, size, form)

    def invalidate_begin(self, count: int) -> None:
        """A notifier invalidation starts: the count moved."""
        self.invalidating = count

    def invalidate_end(self, sequence: int) -> None:
        """A notifier invalidation ended: the sequence moved."""
        self.invalidating -= 1
        self.sequence = sequence

    def pin(self, thread: int, ipa: int) -> None:
        """A fault looked a host page up."""
        self.pinned[thread] = ipa & -self.page_size

    def guest_load(self, ipa: int, vmid: int, pte: int) -> None:
        """An entry of the guest hypervisor's stage 2 was read."""
        page = guest_page(vmid, ipa, self.page_size)
        if page not in self.guest_entries:
            self.guest_entries[page] = [(-1, pte)]

    def guest_store(self, index: int, ipa: int, old: int, new: int, vmid: int) -> None:
        """The guest hypervisor changed an entry of its stage 2."""
        page = guest_page(vmid, ipa, self.page_size)
        if page not in self.guest_entries:
            self.guest_entries[page] = [(-1, old)]
        self.guest_entries[page].append((index, new))

    def mmu_bind(self, index: int, tree: int, vmid: int) -> None:
        """A shadow MMU is for another context from now on."""
        self.bindings[tree] = index, vmid

    def mmu_load(self, thread: int, tree: int) -> None:
        """A vCPU runs on a shadow MMU from now on."""
        self.loaded[thread] = tree

    def mmu_put(self, thread: int) -> None:
        """It does no longer."""
        self.loaded.pop(thread, None)

    def mark_dirty(self, index: int, ipa: int) -> None:
        """A bit of a dirty bitmap was set."""
        self.dirty.setdefault(ipa, index)

    def clear_dirty(self, ipa: int) -> None:
        """A bit of a dirty bitmap was cleared."""
        self.dirty.pop(ipa, None)

    def call(
        self, index: int, thread: int, ipa: int, size: int, argument: int, request: int
    ) -> None:
        """A call into the page-table code, or of the host, begins."""
        code, prot = request & CALL_CODE, request >> CALL_PROT_SHIFT
        self.calls[thread] = (index, code, ipa, size, argument, prot, self.calls.get(thread))
        if code == CALL_DESTROY:
            self.destroying = True

    def returned(
        self, index: int, thread: int, ipa: int, size: int, result: int, code: int
    ) -> None:
        """The thread's innermost call ended."""
        code &= CALL_CODE
        call = self.calls.get(thread)
        if call is not None:
            self.calls[thread] = call[6]
        self.on_returned.get(code, silent)(index, thread, ipa, size, result, code, call)

    # What a visible write means

    def _visible(
        self,
        index: int,
        thread: int,
        location: int,
        old: int,
        new: int,
        fault: Fault | None,
        call: Call | None,
    ) -> None:
        """``location`` reads as ``new`` from now on; it was stored in ``fault`` and ``call``."""
        self.walked.clear()
        page = location & -self.page_size
        place = self.pages.get(page)
        if place is None:
            self.tables.setdefault(page, {})[location] = new
            if old & PTE_VALID or page in self.unlinked:
                self.on_private_written(index, thread, location, old, new, fault, call)
            return
        self.tables[page][location] = new
        if old == new:
            return
        self.touched[page] = index
        level, base = place
        ipa = base + ((location - page) // ENTRY_SIZE * self.sizes[level])
        self.window.write(location, level, ipa, old, new)
        inner = level < LAST_LEVEL
        old_table = inner and old & PTE_TYPE == PTE_TYPE
        new_table = inner and new & PTE_TYPE == PTE_TYPE
        old_leaf = old & PTE_VALID and not old_table
        new_leaf = new & PTE_VALID and not new_table
        if old & new & PTE_VALID:
            self.on_replaced(index, thread, location, old, new, level, ipa)
        if old_table:
            self._unlink(index, thread, location, old, level, ipa)
        elif old_leaf and not new_leaf:
            self.broken[location] = (index, thread, old)
            self.on_leaf_removed(index, thread, location, old, new, level, ipa, fault, call)
        if new_table:
            self.broken.pop(location, None)
            self.on_table_linked(index, thread, location, old, new, level, ipa)
            page = new & PTE_ADDRESS
            self._adopt(index, thread, page, location, level + 1, ipa, fault, call)
        elif new_leaf:
            old = old if old_leaf else 0
            self._leaf(index, thread, location, old, new, level, ipa, fault, call)

    def _leaf(
        self,
        index: int,
        thread: int,
        location: int,
        old: int,
        new: int,
        level: int,
        ipa: int,
        fault: Fault | None,
        call: Call | None,
    ) -> None:
        """A leaf is there now; ``old`` is the leaf before it, 0 if there was none."""
        if ipa >> TREE_SHIFT and fault is not None:
            self.origin[location] = self.pinned.get(thread, 0)
        slot, backing = self.slot_of(ipa), self.backing_of(ipa)
        tell = self.on_leaf_changed if old else self.on_leaf_installed
        tell(index, thread, location, old, new, level, ipa, slot, backing, fault, call)
        broken = self.broken.pop(location, None) if self.broken else None
        if broken is not None and broken[1] == thread and not (broken[2] ^ new) & PTE_ADDRESS:
            broken_at, _thread, leaf = broken
            if call is not None and call[0] < broken_at:
                self.on_leaf_remade(
                    index, thread, location, leaf, new, level, ipa, fault, call, broken_at
                )
        self.since[location] = index

    def _adopt(
        self,
        index: int,
        thread: int,
        page: int,
        link: int,
        level: int,
        ipa: int,
        fault: Fault | None,
        call: Call | None,
    ) -> None:
        """``page`` and what hangs below it can be walked now; its leaves count as installed."""
        self.unlinked.pop(page, None)
        self.pages[page] = (level, ipa)
        self.parent[page] = link
        for location, value in list(self.tables.setdefault(page, {}).items()):
            if not value & PTE_VALID:
                continue
            first = ipa + ((location - page) // ENTRY_SIZE * self.sizes[level])
            if level < LAST_LEVEL and value & PTE_TYPE == PTE_TYPE:
                child = value & PTE_ADDRESS
                self._adopt(index, thread, child, location, level + 1, first, fault, call)
            else:
                self._leaf(index, thread, location, 0, value, level, first, fault, call)

    def _unlink(
        self, index: int, thread: int, location: int, old: int, level: int, ipa: int
    ) -> None:
        """The table that ``old`` linked can't be walked any more, save through a walk cache."""
        below: list[Entry] = []
        self._abandon(index, old & PTE_ADDRESS, below)
        self.window.unlink(below)
        self.on_table_unlinked(index, thread, location, old, level, ipa, below)

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
                ipa = base + ((location - page) // ENTRY_SIZE * self.sizes[level])
                below.append((location, level, ipa, value))
                if level < LAST_LEVEL and value & PTE_TYPE == PTE_TYPE:
                    self._abandon(index, value & PTE_ADDRESS, below)


def _without(held: tuple[int, ...], name: int) -> tuple[int, ...]:
    """``held`` without one ``name``; a lock that was never taken is another oracle's concern."""
    if name not in held:
        return held
    at = held.index(name)
    return (*held[:at], *held[at + 1 :])
