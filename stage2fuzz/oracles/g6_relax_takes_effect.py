"""G6: a permission fault that relaxed a leaf leaves its PE nothing narrower."""

from stage2fuzz.arch import LAST_LEVEL, PERMISSION, PTE_TYPE, PTE_VALID, rights
from stage2fuzz.events import CALL_CODE, CALL_RELAX, EAGAIN
from stage2fuzz.oracles.base import Oracle, fault_name, leaf_kind
from stage2fuzz.oracles.violation import Category
from stage2fuzz.window import Record

LastWalk = tuple[int, list[tuple[Record, int]]]
"""(location of the leaf, 0 if there was none; records of its IPA and the end of each history)."""


class RelaxTakesEffect(Oracle):
    """relax widens a leaf that the faulting PE holds, so it must flush it from there.

    Also where it was refused with -EAGAIN, since then another walker has changed the entry: a PE
    that goes back with what it came with takes the same fault again. The flush may be local, and it
    may come as late as the re-entry. What others change after relax was called is not its affair.
    """

    oracle = "G6"
    rule = "relax takes effect"
    category = Category.PROGRESS
    why = "After relax the faulting PE holds no entry that denies what the table grants."
    returns = (CALL_RELAX,)

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.seen: dict[int, LastWalk] = self.per_run({})
        self.owed: dict[int, list[tuple[Record, int]]] = self.per_run({})
        """Thread -> what its relax has left in its PE: record, and up to where in its history."""

    def call(self, thread: int, ipa: int, request: int) -> None:
        """relax begins: what there is now, and was before, is what the PE may hold."""
        if request & CALL_CODE != CALL_RELAX or thread not in self.world.faults:
            return
        leaf, _level, location = self.world.leaf_at(ipa)
        self.seen[thread] = (
            location if leaf & PTE_VALID else 0,
            [(record, record.last) for record in self.world.window if _covers(record, ipa)],
        )

    def returned(self, thread: int, ipa: int, result: int) -> None:
        """relax is through; a flush that is not complete is owed until the guest goes on."""
        seen = self.seen.pop(thread, None)
        fault = self.world.faults.get(thread)
        if seen is None or fault is None or result not in (0, -EAGAIN) or fault[3] != PERMISSION:
            return
        location, before = seen
        for record in self.world.window:
            if not _covers(record, ipa):
                continue
            upto = 0 if record.location == location else -1
            for known, last in before:
                if known is record:
                    upto = last
            if upto >= 0 and _narrower(record, thread, upto, fault[2]):
                self.owed.setdefault(thread, []).append((record, upto))

    def resume(self, index: int, thread: int, ipa: int, result: int) -> None:
        """The vCPU re-enters the guest with what is left."""
        owed = self.owed.pop(thread, None) if self.owed else None
        if owed is None or result not in (1, -EAGAIN):
            return
        world = self.world
        fault = world.faults[thread]
        leaf, level, _location = world.leaf_at(ipa)
        if not leaf & PTE_VALID or fault[2] & ~rights(leaf):
            return
        for record, upto in owed:
            for value in _narrower(record, thread, upto, fault[2]):
                self.violation(
                    f"{fault_name(fault)}, {leaf_kind(record.level)} still cached",
                    f"{world.name(thread)}'s {fault_name(fault)} of IPA {ipa:#x} relaxed the leaf, "
                    f"now {self.pte(leaf, level)}, and went back to the guest while the same PE "
                    f"may still hold {self.pte(value, record.level)}: it faults again",
                    fault[0],
                    index,
                )


def _covers(record: Record, ipa: int) -> bool:
    return record.ipa <= ipa < record.end


def _narrower(record: Record, thread: int, upto: int, kind: int) -> list[int]:
    """Leaves visible at ``upto`` or before that the PE may still hold and that deny ``kind``."""
    return [
        value
        for value in record.stale(thread, upto)
        if (record.level == LAST_LEVEL or value & PTE_TYPE != PTE_TYPE) and kind & ~rights(value)
    ]
