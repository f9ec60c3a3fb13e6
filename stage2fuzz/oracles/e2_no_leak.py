"""E2: no table page is lost."""

from stage2fuzz.events import CALL_DESTROY, TREE_SHIFT
from stage2fuzz.oracles.base import Oracle


class NoLeak(Oracle):
    """At quiescence each allocated page is linked or freed; after teardown each one is freed.

    Pages that still wait in a cache were never taken. A deferred free counts while the grace
    period lasts, which is over when all is quiet: then the page has gone back.
    """

    oracle = "E2"
    rule = "no leak"
    why = "Every table page that was allocated is linked, or freed; after teardown freed."
    returns = (CALL_DESTROY,)

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.deferred: dict[int, int] = self.per_run({})

    def free_deferred(self, index: int, page: int) -> None:
        """The page is freed when the grace period is over."""
        self.deferred[page] = index

    def free(self, page: int) -> None:
        """It is over, or the page is freed at once."""
        if self.deferred:
            self.deferred.pop(page, None)

    def quiescent(self, index: int) -> None:
        """Nobody is about to link or to free anything: what is not linked now never will be."""
        world = self.world
        for page, deferred in self.deferred.items():
            self._leaked(index, deferred, page, "handed to a deferred free that did not free it")
        if world.destroying:
            return
        for page, allocated in world.live.items():
            if page not in world.pages and page not in self.deferred:
                self._leaked(index, allocated, page, "unreachable")

    def returned(self, index: int, ipa: int) -> None:
        """After teardown nothing may be left: the guest's own tree goes last, after all shadows."""
        if ipa >> TREE_SHIFT:
            return
        for page, allocated in self.world.live.items():
            if page not in self.deferred:
                self._leaked(index, allocated, page, "left by teardown")

    def _leaked(self, index: int, since: int, page: int, how: str) -> None:
        self.violation(
            how,
            f"table page {page:#x} is {how} and was never freed",
            since,
            index,
        )
