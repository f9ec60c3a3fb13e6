"""C10: a block that replaces a table means what the table meant."""

from stage2fuzz.arch import LAST_LEVEL, PTE_ADDRESS, PTE_TYPE
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.window import Entry


class Coalesce(Oracle):
    """Every valid child mapped the page that the block maps at that offset.

    Children that were invalid become mapped, and the fault may grant more: both are fine. That the
    child page is freed once and after the TLBI is B2's, E2's and E3's business.
    """

    oracle = "C10"
    rule = "coalesce preserves meaning"
    why = "Table to block: each valid child pointed where the block points."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.children: dict[int, list[Entry]] = self.per_run({})

    def table_unlinked(self, location: int, below: list[Entry]) -> None:
        """The table goes; what its valid entries meant must be kept."""
        self.children[location] = below

    def leaf_installed(
        self, index: int, thread: int, location: int, new: int, level: int, ipa: int
    ) -> None:
        """A block stands where the table was and means the same."""
        below = self.children.pop(location, None) if self.children else None
        for _at, child_level, child_ipa, value in below or ():
            if child_level < LAST_LEVEL and value & PTE_TYPE == PTE_TYPE:
                continue
            if value & PTE_ADDRESS != (new & PTE_ADDRESS) + (child_ipa - ipa):
                self.violation(
                    "child pointed elsewhere",
                    f"{self.world.name(thread)} replaced a table by {self.pte(new, level)} at IPA "
                    f"{ipa:#x}, but IPA {child_ipa:#x} was mapped to "
                    f"{self.pte(value, child_level)}",
                    index,
                )
                return
