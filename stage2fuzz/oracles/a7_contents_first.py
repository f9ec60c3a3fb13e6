"""A7: a table is linked only when its contents are visible."""

from stage2fuzz.arch import PTE_ADDRESS
from stage2fuzz.events import DRAIN, DSB, ORDER_PLAIN, PENDING, ROOT_ZEROS_LATE, STORE
from stage2fuzz.oracles.base import Oracle


class ContentsFirst(Oracle):
    """Zeroes or copied leaves come before the link that lets a walker see them.

    A store-release, a cmpxchg or a barrier keeps the order (litmus ROT.inv: plain stores may be
    seen the other way round). Later changes to a linked table are another matter.
    """

    oracle = "A7"
    rule = "contents before link"
    why = "A table page is zeroed, and that is ordered, before an entry links it."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.zeroed: dict[int, int] = self.per_run({})

    def root(self, index: int, page: int, bits: int) -> None:
        """The root pages are entered as soon as a vCPU runs."""
        if bits & ROOT_ZEROS_LATE:
            self.violation(
                "root zeros not ordered",
                f"the root at {page:#x} is used though no barrier came after its zeros: walkers "
                "may read whatever the pages held",
                index,
            )

    def zero(self, index: int, page: int) -> None:
        """The page reads as zero from here on."""
        self.zeroed[page] = index

    def free(self, page: int) -> None:
        """It may hold anything when it is used again."""
        self.zeroed.pop(page, None)

    def table_linked(self, index: int, thread: int, location: int, new: int, ipa: int) -> None:
        """A walker may enter the page now."""
        page = new & PTE_ADDRESS
        filled = self.zeroed.get(page)
        world = self.world
        if filled is None:
            if page in world.live:
                self.violation(
                    "never zeroed",
                    f"{world.name(thread)} linked table {page:#x} for IPA {ipa:#x} before it was "
                    "zeroed: walkers read whatever the page held",
                    index,
                )
            return
        stored = self._link_store(index, thread, location, new)
        if any(
            at & -self.world.page_size == page and waiting[0][0] < stored
            for at, waiting in world.pending.items()
        ):
            self.violation(
                "contents not visible",
                f"{world.name(thread)} linked table {page:#x} for IPA {ipa:#x} while stores to its "
                "entries were still pending",
                index,
            )
            return
        if world.events[stored][5] & ~PENDING == ORDER_PLAIN and not any(
            event[0] == DSB and event[1] == thread for event in world.events[filled:stored]
        ):
            self.violation(
                "plain link",
                f"{world.name(thread)} linked table {page:#x} for IPA {ipa:#x} with a plain store "
                "and no barrier since it was zeroed: a walker may see the link first",
                filled,
                index,
            )

    def _link_store(self, index: int, thread: int, location: int, new: int) -> int:
        """The store that became visible at ``index``: a drain comes after its store."""
        events = self.world.events
        if events[index][0] == DRAIN:
            for at in range(index - 1, -1, -1):
                if events[at][:3] == (STORE, thread, location) and events[at][4] == new:
                    return at
        return index
