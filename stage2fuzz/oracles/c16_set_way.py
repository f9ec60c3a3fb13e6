"""C16: a guest that cleans its caches by set and way finds all its memory clean."""

from stage2fuzz.arch import PTE_ADDRESS, PTE_MEMATTR, PTE_MEMATTR_NORMAL
from stage2fuzz.events import (
    CALL_NAMES,
    CALL_SET_WAY,
    CALL_TOGGLE_CACHE,
    ROOT_FWB,
    STATE_WANTED_SHIFT,
    TRAPS_SWITCHES,
    USES_CACHES,
)
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.oracles.facts import Call


class SetWay(Oracle):
    """Maintenance by set and way reaches one CPU's caches alone, so KVM does it by address.

    The first such instruction of a vCPU, and each switch of its caches after that, cleans all that
    is mapped. Switches trap from the first instruction on until the caches are on, so that the next
    one is the first again.
    """

    oracle = "C16"
    rule = "set/way flush"
    why = "DC CISW, and the caches' switch after it, cleans all memory that the guest has mapped."
    returns = (CALL_SET_WAY, CALL_TOGGLE_CACHE)

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.cleaned: list[tuple[int, int, int]] = self.per_run([])

    def dcache_clean(self, index: int, address: int, size: int) -> None:
        """The lines of a range were written back and dropped."""
        self.cleaned.append((address, address + size, index))

    def returned(self, index: int, thread: int, result: int, code: int, call: Call | None) -> None:
        """The instruction was emulated; the guest goes on behind it."""
        world = self.world
        if call is None or world.machine & ROOT_FWB or world.pending:
            return
        before, wanted = call[4], call[4] >> STATE_WANTED_SHIFT
        if code == CALL_SET_WAY:
            due, traps = not before & TRAPS_SWITCHES, TRAPS_SWITCHES
        else:
            due = bool((before ^ wanted) & USES_CACHES)
            traps = 0 if wanted & USES_CACHES else before & TRAPS_SWITCHES
        if (result ^ traps) & TRAPS_SWITCHES:
            state = "traps" if result & TRAPS_SWITCHES else "does not trap"
            self.violation(
                f"{CALL_NAMES[code]} leaves a vCPU that {state}",
                f"after {CALL_NAMES[code]} the vCPU of {world.name(thread)} {state} when it "
                "switches its caches: the next time its memory is not cleaned, or each time",
                call[0],
                index,
            )
        if due:
            self._clean(index, thread, code, call)

    def _clean(self, index: int, thread: int, code: int, call: Call) -> None:
        """Nothing that was mapped as the call began and still is was left out."""
        world = self.world
        for slot in world.slots.values():
            for leaf, level, ipa, location in world.leaves(slot[0], slot[1]):
                start = leaf & PTE_ADDRESS
                end = start + world.sizes[level]
                normal = leaf & PTE_MEMATTR == PTE_MEMATTR_NORMAL
                if not normal or world.since.get(location, index) >= call[0]:
                    continue
                if not any(a <= start and end <= b and call[0] < c for a, b, c in self.cleaned):
                    self.violation(
                        f"{CALL_NAMES[code]} left a {leaf_kind(level)}",
                        f"{CALL_NAMES[code]} of {world.name(thread)} did not clean "
                        f"{self.pte(leaf, level)} at IPA {ipa:#x}: with its caches off the guest "
                        "reads what was there before",
                        call[0],
                        index,
                    )
