"""C3: every leaf lies in one memslot, and goes with it."""

from stage2fuzz.arch import GRANULES, describe
from stage2fuzz.events import CALL_SLOT_DELETE
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.oracles.facts import Call, Fault, Slot


class InsideSlot(Oracle):
    """No leaf reaches beyond its slot; none is left when the slot's deletion returns.

    A fault, or a call of the host, that began while the slot was there may still map until the
    deletion has waited for it.
    """

    oracle = "C3"
    rule = "inside a memslot"
    why = "Each leaf lies inside one live memslot; a deleted slot leaves none behind."
    returns = (CALL_SLOT_DELETE,)

    def setup(self) -> None:
        """State of one run."""
        self.deleted: list[tuple[int, int]] = self.per_run([])

    def slot(self, index: int, ipa: int, size: int) -> None:
        """A slot was unpublished; its size is not in the event, so it reaches to the next one."""
        if not size:
            self.deleted.append((ipa, index))

    def leaf_installed(
        self,
        index: int,
        thread: int,
        new: int,
        level: int,
        ipa: int,
        slot: Slot | None,
        fault: Fault | None,
        call: Call | None,
    ) -> None:
        """A leaf's range against its slot's."""
        world = self.world
        end = ipa + GRANULES[level]
        if slot is not None:
            if slot[0] <= ipa and end <= slot[1]:
                return
        else:
            work = fault or _outermost(call)
            if work is not None and any(work[0] < gone[1] for gone in self.deleted):
                return
        self.violation(
            f"{leaf_kind(level)} outside",
            f"{world.name(thread)} installed {describe(new, level)} at IPA {ipa:#x}, which "
            + ("reaches beyond its memslot" if slot else "no memslot holds"),
            index,
        )

    def returned(self, index: int, thread: int) -> None:
        """After a deletion nothing may be left."""
        world = self.world
        for start, published in self.deleted:
            if world.events[published][1] != thread:
                continue
            end = min(
                [slot[0] for slot in world.slots.values() if slot[0] > start], default=1 << 48
            )
            for leaf, level, ipa, _location in world.leaves(start, end):
                self.violation(
                    f"{leaf_kind(level)} left behind",
                    f"the memslot at {start:#x} was deleted, but {describe(leaf, level)} is still "
                    f"mapped at IPA {ipa:#x}",
                    published,
                    index,
                )


def _outermost(call: Call | None) -> Call | None:
    """The call that others were made inside of."""
    while call is not None and call[6] is not None:
        call = call[6]
    return call
