"""B3: software does not touch a freed table page."""

from stage2fuzz.oracles.base import Oracle


class UseAfterFree(Oracle):
    """No load or store of a freed page, and with RCU no free before the readers are gone.

    Reads inside the grace period are fine, and so is an immediate free of a page that never was
    linked, or under the exclusive lock.
    """

    oracle = "B3"
    rule = "use after free"
    why = "No software walker reads or writes a freed table page."
    late = ("load", "store", "cmpxchg_fail")

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.readers: dict[int, int] = self.per_run({})

    def load(self, index: int, thread: int, location: int) -> None:
        """A walker reads an entry."""
        if location & -self.world.page_size in self.world.freed:
            self._used(index, thread, location, "read")

    def store(self, index: int, thread: int, location: int) -> None:
        """A walker writes an entry."""
        if location & -self.world.page_size in self.world.freed:
            self._used(index, thread, location, "wrote")

    def cmpxchg_fail(self, index: int, thread: int, location: int) -> None:
        """A walker looks at an entry, meaning to write it."""
        if location & -self.world.page_size in self.world.freed:
            self._used(index, thread, location, "compared")

    def _used(self, index: int, thread: int, where: int, verb: str) -> None:
        page = where & -self.world.page_size
        self.violation(
            f"{verb} after free",
            f"{self.world.name(thread)} {verb} an entry of table {page:#x} after it was freed",
            self.world.freed[page],
            index,
        )

    def rcu_lock(self, index: int, thread: int) -> None:
        """A shared walk begins; until it ends no page that it may see is freed."""
        self.readers[thread] = index

    def rcu_unlock(self, thread: int) -> None:
        """The shared walk ends."""
        self.readers.pop(thread, None)

    def free(self, index: int, thread: int, page: int) -> None:
        """A walker that began before the unlink may still be inside."""
        unlinked = self.world.unlinked.get(page)
        if unlinked is None or not self.readers or not self.world.rules.rcu:
            return
        for reader, since in self.readers.items():
            if reader != thread and since < unlinked:
                self.violation(
                    "freed inside the grace period",
                    f"{self.world.name(thread)} freed table {page:#x} while the walk of "
                    f"{self.world.name(reader)}, begun before the unlink, was not over",
                    since,
                    unlinked,
                    index,
                )
