"""G5: user space sees an exit when there is a reason for one, and the right one."""

from stage2fuzz.arch import ACCESS_NAMES, EXECUTE, WRITE
from stage2fuzz.events import (
    BACKING,
    EFAULT,
    ENOEXEC,
    ENOMEM,
    HOST_ABSENT,
    HOST_DEVICE,
    HOST_POISON,
    HOST_WRITE,
    SLOT,
    SLOT_READONLY,
    TOPUP,
)
from stage2fuzz.oracles.base import Oracle, result_name
from stage2fuzz.oracles.facts import Fault


class RightExit(Oracle):
    """An access inside a slot re-enters the guest; one outside is MMIO.

    Reasons for another exit: a write to a read-only slot is MMIO; a page that the host does not
    map, or not for writing, is -EFAULT; poison; execution of device memory or outside of memory;
    -ENOMEM where a top-up failed. What changed while the fault was handled may go either way.
    """

    oracle = "G5"
    rule = "right exit"
    why = "A fault inside a slot re-enters the guest unless the host gives a reason not to."

    def resume(
        self, index: int, thread: int, ipa: int, kind: int, result: int, outside: int
    ) -> None:
        """The handler is through, with 1 (guest), or for a reason with 0 (MMIO) or an errno."""
        if result == 1 and not outside:
            return
        world = self.world
        fault = world.faults.get(thread)
        if fault is None or self._changed(index, fault):
            return
        slot, backing = world.slot_of(ipa), world.backing_of(ipa)
        flags = backing[3] if backing is not None else 0
        if slot is None:
            right = result == 0 or (kind == EXECUTE and result in (1, -ENOEXEC))
        elif slot[2] & SLOT_READONLY and kind == WRITE:
            right = result == 0
        elif result == 0:
            right = bool(flags & HOST_POISON)
        elif result == -EFAULT:
            right = bool(flags & HOST_ABSENT) or (kind == WRITE and not flags & HOST_WRITE)
        elif result == -ENOEXEC:
            right = kind == EXECUTE and bool(flags & HOST_DEVICE)
        elif result == -ENOMEM:
            right = self._topup_failed(index, thread, fault)
        else:
            right = result == 1
        if right:
            return
        place = "inside a memslot" if slot is not None else "outside all memslots"
        how = (
            "re-entered the guest"
            if result == 1
            else ("exited as MMIO" if result == 0 else f"exited with {result_name(result)}")
        )
        access = ACCESS_NAMES[kind]
        self.violation(
            f"{access} {place} {how}",
            f"{world.name(thread)}'s {access} of IPA {ipa:#x} {place} {how} without a reason",
            fault[0],
            index,
        )

    def _changed(self, index: int, fault: Fault) -> bool:
        """Whether the host changed slots or pages while the fault was handled."""
        return any(event[0] in (SLOT, BACKING) for event in self.world.events[fault[0] : index])

    def _topup_failed(self, index: int, thread: int, fault: Fault) -> bool:
        """Whether the fault was refused the pages that it may need."""
        return any(
            event[0] == TOPUP and event[1] == thread and event[4] == -ENOMEM
            for event in self.world.events[fault[0] : index]
        )
