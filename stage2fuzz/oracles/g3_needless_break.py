"""G3: what differs in permissions only is not broken, and what is the same is not flushed."""

from stage2fuzz.arch import PTE_PERMISSIONS
from stage2fuzz.events import CALL_MAP
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.oracles.facts import Call
from stage2fuzz.oracles.violation import Category


class NeedlessBreak(Oracle):
    """Break-before-make is for another page, size or memory type; TLBIs are for changes.

    A relax that flushes once is fine, whether or not it found something to add.
    """

    oracle = "G3"
    rule = "no needless break or TLBI"
    category = Category.ECONOMY
    why = "map never breaks a leaf to change its permissions, nor flushes what it did not change."

    def leaf_remade(
        self,
        index: int,
        thread: int,
        location: int,
        old: int,
        new: int,
        level: int,
        ipa: int,
        call: Call | None,
        broken_at: int,
    ) -> None:
        """A call broke a leaf and made one of the same page, for more than permissions."""
        if (old ^ new) & ~PTE_PERMISSIONS or call is None:
            return
        if self.world.flag_raced(call[0], broken_at, location):
            # The leaf that the call read was aged, and the hardware was faster in setting its flag.
            return
        what = "to change nothing" if old == new else "to change its permissions"
        detail = f"{leaf_kind(level)} broken {what}"
        if self.said(detail):
            return
        self.violation(
            detail,
            f"{self.world.name(thread)} broke {self.pte(old, level)} at IPA {ipa:#x} {what} "
            f"(now {self.pte(new, level)}): nobody could use the {leaf_kind(level)} meanwhile",
            broken_at,
            index,
        )

    def tlbi(self, index: int, thread: int, ipa: int) -> None:
        """A TLBI inside map has something to flush."""
        world = self.world
        call = world.calls.get(thread)
        if call is not None and call[1] == CALL_MAP and world.stored.get(thread, -1) < call[0]:
            self.violation(
                "TLBI without a change",
                f"{world.name(thread)} flushed IPA {ipa:#x} in kvm_pgtable_stage2_map though "
                "it had changed nothing",
                call[0],
                index,
            )
