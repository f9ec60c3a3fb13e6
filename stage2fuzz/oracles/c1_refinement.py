"""C1: each call does to the abstract map IPA -> (address, permissions) what it says, no more."""

from stage2fuzz.arch import (
    EXECUTE,
    PTE_ADDRESS,
    PTE_AF,
    PTE_MEMATTR,
    PTE_MEMATTR_NORMAL,
    PTE_PERMISSIONS,
    PTE_READ,
    PTE_SOFTWARE,
    PTE_WRITE,
    PTE_XN,
    READ,
    WRITE,
    is_valid,
)
from stage2fuzz.events import (
    CALL_DESTROY,
    CALL_MAP,
    CALL_MKOLD,
    CALL_MKYOUNG,
    CALL_NAMES,
    CALL_RELAX,
    CALL_SPLIT,
    CALL_UNMAP,
    CALL_VCPU_INIT,
    CALL_WRPROTECT,
    FIRST_HOST_CALL,
    LOCK_MMU,
    PROT_R,
    PROT_W,
    PROT_X,
    ROOT_FWB,
)
from stage2fuzz.oracles.base import Oracle, leaf_kind
from stage2fuzz.oracles.facts import Call, overlap

MAY_CHANGE = {
    CALL_MAP: PTE_PERMISSIONS | PTE_AF | PTE_SOFTWARE | PTE_ADDRESS,
    CALL_RELAX: PTE_PERMISSIONS | PTE_AF,
    CALL_WRPROTECT: PTE_WRITE,
    CALL_MKYOUNG: PTE_AF,
    CALL_MKOLD: PTE_AF,
}
"""What a call may change in a leaf that stays valid; other bits are A1's and C7's concern."""


def lacks(leaf: int, prot: int) -> int:
    """The PROT_* that ``prot`` asks for and ``leaf`` does not grant."""
    missing = prot & PROT_R if not leaf & PTE_READ else 0
    if not leaf & PTE_WRITE:
        missing |= prot & PROT_W
    return missing | (prot & PROT_X if leaf & PTE_XN else 0)


def accesses(prot: int) -> int:
    """The READ, WRITE and EXECUTE that PROT_* flags grant."""
    return (
        (READ if prot & PROT_R else 0)
        | (WRITE if prot & PROT_W else 0)
        | (EXECUTE if prot & PROT_X else 0)
    )


def prot_text(prot: int) -> str:
    """``rwx`` of PROT_* flags, those that are set."""
    return "".join(c for c, bit in (("r", PROT_R), ("w", PROT_W), ("x", PROT_X)) if prot & bit)


class Refinement(Oracle):
    """The pKVM ghost specification's postconditions, seen from the events.

    map: every leaf it writes lies in its range, points where it was told and grants what it was
    told; if it succeeds its range is mapped so. unmap: nothing is left in its range, and nothing
    that it does not touch goes. wrprotect: nothing writable is left, nothing else changes. A block
    that is split or unmapped in part goes whole; -EAGAIN and -ENOMEM leave less, never something
    else.
    """

    oracle = "C1"
    rule = "refines the abstract map"
    why = "map, relax, write-protect, unmap and aging change exactly what they say."
    returns = (CALL_MAP, CALL_RELAX, CALL_UNMAP, CALL_WRPROTECT, CALL_VCPU_INIT)

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.splitting: dict[int, tuple[int, int]] = self.per_run({})
        """Thread -> (leaf, first IPA) of the block that its split took away."""

    def leaf_installed(
        self, index: int, thread: int, new: int, level: int, ipa: int, call: Call | None
    ) -> None:
        """Only map installs leaves: there, to that address, with those rights.

        And split, which says again what the block said.
        """
        if call is None:
            return
        if call[1] == CALL_SPLIT and thread in self.splitting:
            block, first = self.splitting[thread]
            if (new ^ block) & PTE_PERMISSIONS or new & PTE_ADDRESS != (
                (block & PTE_ADDRESS) + ipa - first
            ):
                self._wrong(index, thread, call, "installed another mapping", new, level, ipa)
            return
        if call[1] != CALL_MAP:
            if call[1] in CALL_NAMES and call[1] < FIRST_HOST_CALL:
                self._wrong(index, thread, call, "installed", new, level, ipa)
            return
        offset = ipa - call[2]
        if offset < 0 or offset + self.world.sizes[level] > call[3]:
            self._wrong(index, thread, call, "installed outside its range", new, level, ipa)
        elif new & PTE_ADDRESS != call[4] + offset:
            self._wrong(index, thread, call, "installed another address", new, level, ipa)
        elif lacks(new, call[5]):
            self._wrong(index, thread, call, "installed fewer rights", new, level, ipa)
        elif self._more(new, call[5]):
            self._wrong(index, thread, call, "installed more rights", new, level, ipa)

    def _more(self, leaf: int, prot: int) -> bool:
        return bool(
            (leaf & PTE_WRITE and not prot & PROT_W) or (not leaf & PTE_XN and not prot & PROT_X)
        )

    def leaf_changed(
        self,
        index: int,
        thread: int,
        location: int,
        old: int,
        new: int,
        level: int,
        ipa: int,
        call: Call | None,
    ) -> None:
        """In place each call changes its own bits, in its own range."""
        if call is None or call[1] >= FIRST_HOST_CALL:
            return
        changed = (old ^ new) & ~MAY_CHANGE.get(call[1], 0)
        lost_flag = changed == PTE_AF and not new & PTE_AF
        if lost_flag and self.world.flag_raced(call[0], index, location):
            return
        if changed or (call[1] == CALL_WRPROTECT and new & ~old & PTE_WRITE):
            self._wrong(index, thread, call, "changed other bits", new, level, ipa)
        elif not _touches(call, self.world.sizes[level], ipa):
            self._wrong(index, thread, call, "changed a leaf outside its range", new, level, ipa)

    def leaf_removed(
        self, index: int, thread: int, old: int, level: int, ipa: int, call: Call | None
    ) -> None:
        """map may break what it replaces, unmap takes away what its range touches."""
        if call is None or call[1] >= FIRST_HOST_CALL or call[1] == CALL_DESTROY:
            return
        if call[1] == CALL_SPLIT:
            self.splitting[thread] = old, ipa
        elif call[1] not in (CALL_MAP, CALL_UNMAP):
            self._wrong(index, thread, call, "removed", old, level, ipa)
        elif not _touches(call, self.world.sizes[level], ipa):
            self._wrong(index, thread, call, "removed a leaf outside its range", old, level, ipa)

    def returned(
        self,
        index: int,
        thread: int,
        ipa: int,
        size: int,
        result: int,
        code: int,
        call: Call | None,
    ) -> None:
        """What a successful call promised is there.

        Where others may change the entry before the call returns, it is enough that the promise was
        kept at some moment of the call.
        """
        world = self.world
        if result or call is None or world.pending:
            return
        if code == CALL_VCPU_INIT:
            if not world.machine & ROOT_FWB:
                self._initialised(index, thread, call)
        elif code in (CALL_MAP, CALL_RELAX):
            leaf, level, _location = world.leaf_at(ipa)
            missing = lacks(leaf, call[5]) if is_valid(leaf) else 0
            kept = not missing if is_valid(leaf) else code == CALL_RELAX
            if kept or (
                world.rules.shared_faults
                and world.granted_since(call[0], index, thread, ipa, accesses(call[5]))
            ):
                return
            if not is_valid(leaf):
                self._promise(index, thread, call, "left its range unmapped", "nothing", ipa)
            else:
                self._promise(
                    index,
                    thread,
                    call,
                    f"succeeded without granting {prot_text(missing)}",
                    self.pte(leaf, level),
                    ipa,
                )
        elif not world.rules.shared_faults or LOCK_MMU in world.held.get(thread, ()):
            for leaf, level, first, _location in world.leaves(ipa, ipa + size):
                if code == CALL_UNMAP or leaf & PTE_WRITE:
                    what = "mapped" if code == CALL_UNMAP else "writable"
                    if code == CALL_UNMAP:
                        world.left[first] = index
                    text = f"left a {leaf_kind(level)} {what}"
                    self._promise(index, thread, call, text, self.pte(leaf, level), first)

    def _initialised(self, index: int, thread: int, call: Call) -> None:
        """No memory that was mapped as the call began still is, save that of devices."""
        world = self.world
        for slot in world.slots.values():
            for leaf, level, first, location in world.leaves(slot[0], slot[1]):
                normal = leaf & PTE_MEMATTR == PTE_MEMATTR_NORMAL
                if normal and world.since.get(location, index) < call[0]:
                    text = f"left a {leaf_kind(level)} mapped"
                    self._promise(index, thread, call, text, self.pte(leaf, level), first)

    def _wrong(
        self, index: int, thread: int, call: Call, what: str, leaf: int, level: int, ipa: int
    ) -> None:
        self.violation(
            f"{CALL_NAMES[call[1]]} {what}, {leaf_kind(level)}",
            f"{CALL_NAMES[call[1]]}({call[2]:#x}, {call[3]:#x}) of {self.world.name(thread)} "
            f"{what}: {self.pte(leaf, level)} at IPA {ipa:#x}",
            call[0],
            index,
        )

    def _promise(
        self, index: int, thread: int, call: Call, what: str, found: str, ipa: int
    ) -> None:
        self.violation(
            f"{CALL_NAMES[call[1]]} {what}",
            f"{CALL_NAMES[call[1]]}({call[2]:#x}, {call[3]:#x}) of {self.world.name(thread)} "
            f"{what}: {found} at IPA {ipa:#x}",
            call[0],
            index,
        )


def _touches(call: Call, size: int, ipa: int) -> bool:
    return overlap(ipa, size, call[2], max(call[3], 1))
