"""C2: what a fault maps is the page that the host has there, checked in the right order."""

from stage2fuzz.arch import PTE_ADDRESS
from stage2fuzz.events import CALL_MAP, LOCK_MMAP, UNLOCK
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.oracles.facts import BackingFact, Call, Fault, host_address


class CurrentPage(Oracle):
    """Sample the notifier's sequence, look the page up, and ask again under the lock.

    In that order no invalidation can slip in between unseen. What the fault learnt of the host's
    mapping under the mmap lock, such as its size, is covered by the check too, so no invalidation
    of the page may begin and end between that lock's release and the sample. Outside an
    invalidation every leaf points to the host's current page; between its begin and end a stale
    leaf is being removed.
    """

    oracle = "C2"
    rule = "current host page"
    why = "A fault maps the host's current page: sequence, then lookup, then retry check."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.sampled: dict[int, int] = self.per_run({})
        self.pinned: dict[int, int] = self.per_run({})
        self.checked: dict[int, tuple[int, int]] = self.per_run({})
        self.begun: dict[int, tuple[int, int, int]] = self.per_run({})
        """Thread of the host -> (event, first IPA, end) of its invalidation under way."""
        self.ended: list[tuple[int, int, int]] = self.per_run([])
        """(event of the begin, first IPA, end) of invalidations that are over."""
        self.outdated: dict[int, int] = self.per_run({})
        """Thread -> begin of an invalidation that its fault's sample does not cover."""

    def invalidate_begin(self, index: int, thread: int, ipa: int, size: int) -> None:
        """The host is about to change its mapping."""
        self.begun[thread] = (index, ipa, ipa + size)

    def seq_read(self, index: int, thread: int) -> None:
        """The thread sampled the notifier's sequence."""
        self.sampled[thread] = index
        fault = self.world.faults.get(thread)
        if fault is None or not self.ended:
            return
        looked_up = self._looked_up(index, thread, fault[0])
        for begun, start, end in self.ended:
            if -1 < looked_up < begun and start <= fault[1] < end:
                self.outdated[thread] = begun

    def _looked_up(self, index: int, thread: int, fault: int) -> int:
        """When the fault dropped the mmap lock, under which it saw the host's mapping; or -1."""
        for at in range(index, fault, -1):
            kind, who, lock, _old, _new, _shared = self.world.events[at]
            if kind == UNLOCK and who == thread and lock == LOCK_MMAP:
                return at
        return -1

    def pin(self, index: int, thread: int) -> None:
        """The thread looked the host page up."""
        self.pinned[thread] = index

    def retry_check(self, index: int, thread: int, retry: int) -> None:
        """The thread asked, under the lock, whether an invalidation came in between."""
        self.checked[thread] = (index, retry)

    def leaf_installed(
        self,
        index: int,
        thread: int,
        new: int,
        level: int,
        ipa: int,
        backing: BackingFact | None,
        fault: Fault | None,
        call: Call | None,
    ) -> None:
        """A fault's leaf: all steps done, in order, and still the right page."""
        world = self.world
        if backing is not None and new & PTE_ADDRESS != host_address(backing, ipa):
            self.violation(
                f"stale page installed, {leaf_kind(level)}",
                f"{world.name(thread)} mapped {self.pte(new, level)} at IPA {ipa:#x}, but the "
                f"host has {host_address(backing, ipa):#x} there by now",
                max(backing[4], 0),
                index,
            )
        if fault is None or call is None or call[1] != CALL_MAP:
            return
        sampled = self.sampled.get(thread, -1)
        pinned = self.pinned.get(thread, -1)
        checked, retry = self.checked.get(thread, (-1, 0))
        if checked < fault[0]:
            problem = "without a retry check"
        elif retry:
            problem = "although its retry check said no"
        elif sampled < fault[0] or pinned < sampled:
            problem = "with the sequence sampled after the lookup"
        elif self.outdated.get(thread, -1) > fault[0]:
            problem = "with the sequence sampled after the mmap lock was dropped"
        else:
            return
        self.violation(
            problem,
            f"{world.name(thread)} installed {self.pte(new, level)} at IPA {ipa:#x} {problem}: an "
            "invalidation in between goes unseen",
            fault[0],
            index,
        )

    def invalidate_end(self, index: int, thread: int, ipa: int, size: int) -> None:
        """Whatever is mapped in the range must be current again."""
        world = self.world
        begun = self.begun.pop(thread, None)
        if begun is not None:
            self.ended.append(begun)
        if world.destroying:
            return
        for leaf, level, first, location in world.leaves(ipa, ipa + size):
            backing = world.backing_of(first)
            if backing is not None and leaf & PTE_ADDRESS != host_address(backing, first):
                self.violation(
                    f"stale page after an invalidation, {leaf_kind(level)}",
                    f"the invalidation of IPA {first:#x} ended with {self.pte(leaf, level)} still "
                    f"mapped, but the host has {host_address(backing, first):#x} there",
                    world.since.get(location, index),
                    index,
                )
