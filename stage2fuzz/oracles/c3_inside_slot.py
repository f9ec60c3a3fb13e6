"""C3: every leaf lies in one memslot, and goes with it."""

from typing import Final

from stage2fuzz.events import CALL_SLOT_DELETE, CALL_SLOT_MOVE, TREE_SHIFT
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.oracles.facts import Call, Fault, SlotFact, outermost

BEYOND: Final = 1 << 48
"""The first address beyond all that an entry can hold."""


class InsideSlot(Oracle):
    """No leaf reaches beyond its slot; none is left when the slot's deletion or move returns.

    A fault, or a call of the host, that began while the slot was there may still map until the
    deletion has waited for it.
    """

    oracle = "C3"
    rule = "inside a memslot"
    why = "Each leaf lies inside one live memslot; a deleted slot leaves none behind."
    returns = (CALL_SLOT_DELETE, CALL_SLOT_MOVE)

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.deleted: list[tuple[int, int]] = self.per_run([])
        self.gone: dict[int, int] = self.per_run({})
        """First address of a slot that is not there -> the event that unpublished it."""

    def slot(self, index: int, ipa: int, size: int) -> None:
        """A slot was unpublished; its size is not in the event, so it reaches to the next one."""
        if size:
            self.gone.pop(ipa, None)
        else:
            self.deleted.append((ipa, index))
            self.gone[ipa] = index

    def leaf_installed(
        self,
        index: int,
        thread: int,
        new: int,
        level: int,
        ipa: int,
        slot: SlotFact | None,
        fault: Fault | None,
        call: Call | None,
    ) -> None:
        """A new leaf's range lies inside its slot's."""
        world = self.world
        end = ipa + self.world.sizes[level]
        if ipa >> TREE_SHIFT:
            return  # an address of a nested guest: N1 knows what its hypervisor maps there
        if slot is not None:
            if slot[0] <= ipa and end <= slot[1]:
                return
        else:
            work = fault or outermost(call)
            if work is not None and any(work[0] < gone[1] for gone in self.deleted):
                return
        self.violation(
            f"{leaf_kind(level)} outside",
            f"{world.name(thread)} installed {self.pte(new, level)} at IPA {ipa:#x}, which "
            + ("reaches beyond its memslot" if slot else "no memslot holds"),
            index,
        )

    def returned(self, index: int, thread: int) -> None:
        """After the thread's deletions no leaf of the deleted slots is left."""
        world = self.world
        for start, published in self.gone.items():
            if world.events[published][1] != thread:
                continue
            end = min([slot[0] for slot in world.slots.values() if slot[0] > start], default=BEYOND)
            for leaf, level, ipa, _location in world.leaves(start, end):
                self.violation(
                    f"{leaf_kind(level)} left behind",
                    f"the memslot at {start:#x} was deleted, but {self.pte(leaf, level)} is still "
                    f"mapped at IPA {ipa:#x}",
                    published,
                    index,
                )
            for tree in world.trees:
                if tree:
                    self._shadow(index, tree, start, end, published)

    def _shadow(self, index: int, tree: int, start: int, end: int, published: int) -> None:
        """A shadow keeps nothing of a slot that has gone, whatever address L2 has for it."""
        world, first = self.world, tree << TREE_SHIFT
        for leaf, level, ipa, location in world.leaves(first, first + (1 << 48)):
            origin = world.origin.get(location, -1)
            if start <= origin < end:
                self.violation(
                    f"{leaf_kind(level)} left behind in a shadow",
                    f"the memslot at {start:#x} was deleted, but {self.pte(leaf, level)} is still "
                    f"in shadow MMU {tree} for L2's {ipa - first:#x}, L1's {origin:#x}",
                    published,
                    index,
                )
