"""D2: a fault marks a page dirty only if it leaves, or finds, a writable leaf."""

from stage2fuzz.arch import ACCESS_NAMES, PTE_WRITE, WRITE, is_leaf
from stage2fuzz.events import CALL_MAP, CALL_RELAX, PROT_W, TREE_SHIFT
from stage2fuzz.oracles.base import Oracle, fault_name, result_name
from stage2fuzz.oracles.facts import Call


class NoSpuriousDirty(Oracle):
    """A fault that fails or is refused after the mark has made a page dirty that nobody can write.

    That is patch 3 of the series: mark after map or relax succeeded. A write that was granted and
    never happens is fine; success without a leaf (relax, when the leaf has gone) grants nothing.
    And while a slot is logged only a write fault makes a page writable, so only it marks one.
    """

    oracle = "D2"
    rule = "no spurious dirty page"
    why = "A fault that marks a page dirty leaves or finds a writable leaf for it."
    returns = (CALL_MAP, CALL_RELAX)

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.granted: dict[int, int] = self.per_run({})
        self.marked: dict[int, tuple[int, int]] = self.per_run({})
        self.results: dict[int, int] = self.per_run({})
        self.logged: dict[int, bool] = self.per_run({})
        """Whether the slot of a thread's fault was logged when the fault began."""

    def fault(self, thread: int, ipa: int) -> None:
        """A new fault has not been granted anything yet."""
        self.logged[thread] = self.world.logs(ipa)
        self.granted.pop(thread, None)
        self.results.pop(thread, None)

    def mark_dirty(self, index: int, thread: int, ipa: int) -> None:
        """By a fault: before the handling (then wait and see), or after it."""
        if thread not in self.world.faults or self.world.faults[thread][1] >> TREE_SHIFT:
            return  # of a nested guest's fault the page is another address than the leaf's
        kind = self.world.faults[thread][2]
        if kind != WRITE and self.logged.get(thread):
            self.violation(
                f"marked by {ACCESS_NAMES[kind]} fault",
                f"{self.world.name(thread)}'s {fault_name(self.world.faults[thread])} marked page "
                f"{ipa:#x} dirty although nobody wrote to it and its memslot is logged",
                index,
            )
        if self.granted.get(thread) != ipa and not self._writable(ipa):
            self.marked[thread] = (index, ipa)

    def returned(self, index: int, thread: int, ipa: int, result: int, call: Call | None) -> None:
        """map or relax is through, still under the lock, and may have granted write."""
        if thread not in self.world.faults:
            return
        self.results[thread] = result
        wrote = not result and call is not None and bool(call[5] & PROT_W)
        if wrote and call is not None and (self._writable(ipa) or self._was(index, thread, call)):
            self.granted[thread] = ipa
        if thread in self.marked and self._writable(self.marked[thread][1]):
            del self.marked[thread]

    def resume(self, index: int, thread: int) -> None:
        """The fault is over and the mark is still without reason."""
        marked = self.marked.pop(thread, None) if self.marked else None
        if marked is None:
            return
        world = self.world
        fault = world.faults[thread]
        result = self.results.get(thread)
        end = "never mapped anything" if result is None else f"ended with {result_name(result)}"
        self.violation(
            f"{fault_name(fault)} {end}",
            f"{world.name(thread)}'s {fault_name(fault)} marked page {marked[1]:#x} dirty and then "
            f"{end}: the page is reported though nobody can have written it",
            marked[0],
            index,
        )

    def _was(self, index: int, thread: int, call: Call) -> bool:
        """Whether the page was writable during the call, although it is not at its return.

        Where faults share the lock another walker may have changed the entry meanwhile.
        """
        return self.world.rules.shared_faults and self.world.granted_since(
            call[0], index, thread, call[2], WRITE
        )

    def _writable(self, ipa: int) -> bool:
        leaf, level, _location = self.world.leaf_at(ipa)
        return is_leaf(leaf, level) and bool(leaf & PTE_WRITE)
