"""B2: a table page is freed only when no walker can reach it."""

from stage2fuzz.oracles.base import Oracle


class WalkerAndFreedTable(Oracle):
    """At the free no visible entry and no cached table entry of any PE points to the page.

    Teardown frees linked tables: the VMID does not run any more.
    """

    oracle = "B2"
    rule = "no walk of a freed table"
    why = "A freed table page is neither linked nor in any walk cache."
    late = ("walk",)

    def free(self, index: int, thread: int, page: int) -> None:
        """The page goes back to the allocator."""
        world = self.world
        if world.destroying:
            return
        if page in world.pages:
            self.violation(
                "still linked",
                f"{world.name(thread)} freed table {page:#x} while an entry still links it",
                index,
            )
        elif world.window:
            pe = world.window.walker_of(page)
            if pe >= 0:
                self.violation(
                    "still in a walk cache",
                    f"{world.name(thread)} freed table {page:#x} while {world.name(pe)} may still "
                    "hold the entry that linked it",
                    world.unlinked.get(page, index),
                    index,
                )

    def walk(self, index: int, thread: int, location: int) -> None:
        """The hardware walker reads a descriptor."""
        freed = self.world.freed.get(location & -self.world.page_size)
        if freed is not None:
            self.violation(
                "walked after free",
                f"the walker of {self.world.name(thread)} read a descriptor from table "
                f"{location & -self.world.page_size:#x}, which was freed before",
                freed,
                index,
            )
