"""E3: a table page is freed once."""

from stage2fuzz.oracles.base import Oracle


class NoDoubleFree(Oracle):
    """Each allocation has at most one free; the allocator may hand the page out again after it."""

    oracle = "E3"
    rule = "no double free"
    why = "No table page is freed twice."

    def free(self, index: int, thread: int, page: int) -> None:
        """A page is given back, if it is still somebody's."""
        world = self.world
        if page not in world.live and page in world.freed:
            self.violation(
                "freed twice",
                f"{world.name(thread)} freed table {page:#x}, which was freed already",
                world.freed[page],
                index,
            )
