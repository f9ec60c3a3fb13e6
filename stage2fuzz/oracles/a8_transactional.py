"""A8: inside one operation a walk sees what was before, what comes after, or a fault."""

from stage2fuzz.arch import PTE_IN_PLACE
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.oracles.facts import Call


class Transactional(Oracle):
    """No third translation is ever visible (VRM's transactional page table).

    One call that installs two different leaves in one entry shows the first to any walker that
    happens to come by, though nobody asked for it.
    """

    oracle = "A8"
    rule = "transactional update"
    why = "One call never shows walkers a leaf that is neither its old nor its new state."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.installed: dict[tuple[int, int], tuple[int, int, int]] = self.per_run({})

    def leaf_installed(
        self,
        index: int,
        thread: int,
        location: int,
        new: int,
        level: int,
        ipa: int,
        call: Call | None,
    ) -> None:
        """The first leaf of a call must stay its last one."""
        if call is None:
            return
        key = (thread, location)
        before = self.installed.get(key)
        self.installed[key] = (call[0], index, new)
        if before is None or before[0] != call[0] or not (before[2] ^ new) & ~PTE_IN_PLACE:
            return
        self.violation(
            f"two leaves in one call, {leaf_kind(level)}",
            f"{self.world.name(thread)} showed walkers {self.pte(before[2], level)} at IPA "
            f"{ipa:#x} and, in the same call, {self.pte(new, level)}",
            before[1],
            index,
        )
