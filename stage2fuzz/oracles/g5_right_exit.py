"""G5: user space sees an exit when there is a reason for one, and the right one."""

from typing import Final

from stage2fuzz.arch import (
    ACCESS_NAMES,
    ACCESS_RIGHTS,
    BEYOND,
    CACHE_MAINTENANCE,
    EXECUTE,
    EXTERNAL_ABORT,
    FETCH_WALK,
    NO_SYNDROME,
    TABLE_WALK,
    UNSUPPORTED_ACCESS,
    WRITE,
)
from stage2fuzz.events import (
    BACKING,
    EFAULT,
    ENOEXEC,
    ENOMEM,
    ENOSYS,
    FAULT_HOW_SHIFT,
    HOST_ABSENT,
    HOST_DEVICE,
    HOST_POISON,
    HOST_WRITE,
    INJECTED_DABT,
    INJECTED_SERROR,
    INJECTED_SIZE_FAULT,
    PAST_THE_INSTRUCTION,
    SLOT,
    SLOT_READONLY,
    TOPUP,
    TREE_SHIFT,
)
from stage2fuzz.oracles.base import Oracle, result_name
from stage2fuzz.oracles.facts import Fault


def _verb(result: int) -> str:
    """What an access did that ended with this result."""
    return "got" if result <= -INJECTED_DABT else "exited with"


REFUSALS: Final = (-ENOEXEC, -INJECTED_DABT, -INJECTED_SIZE_FAULT)
"""What an access above the guest's IPA space gets."""


def _refusal(how: int) -> int:
    """How an access ends that no memory serves: the VMM emulates it, if it is told which it was; a
    walk's own access is nobody's instruction."""
    if how & TABLE_WALK:
        return -INJECTED_DABT
    return -ENOSYS if how & NO_SYNDROME else 0


class RightExit(Oracle):
    """An access inside a slot re-enters the guest; one outside is MMIO.

    A stage-1 walk outside memory gets an abort, cache maintenance is skipped, and what the syndrome
    does not describe is -ENOSYS, as the VMM could not emulate it. A walk's translation fault is a
    read: a guest may keep its tables in read-only memory.

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
        if ipa >> TREE_SHIFT or (result == 1 and not outside):
            return  # of a nested guest its hypervisor's tables decide
        world = self.world
        fault = world.faults.get(thread)
        if fault is None or self._changed(index, fault):
            return
        if self._right(index, thread, ipa, kind, result, fault):
            return
        slot = world.slot_of(ipa)
        place = "inside a memslot" if slot is not None else "outside all memslots"
        end = (
            "re-entered the guest"
            if result == 1
            else ("exited as MMIO" if result == 0 else f"{_verb(result)} {result_name(result)}")
        )
        access = ACCESS_NAMES[kind]
        self.violation(
            f"{access} {place} {end}",
            f"{world.name(thread)}'s {access} of IPA {ipa:#x} {place} {end} without a reason",
            fault[0],
            index,
        )

    def _right(
        self, index: int, thread: int, ipa: int, kind: int, result: int, fault: Fault
    ) -> bool:
        """Whether the handler had a reason to end like this."""
        world = self.world
        how = world.events[fault[0]][5] >> FAULT_HOW_SHIFT & ~ACCESS_RIGHTS
        slot = world.slot_of(ipa)
        if fault[3] == EXTERNAL_ABORT:
            return result in (PAST_THE_INSTRUCTION, -INJECTED_SERROR)
        if how & BEYOND and world.rules.refuses_beyond:
            return result in REFUSALS
        if fault[3] == UNSUPPORTED_ACCESS and result in (-INJECTED_DABT, -EFAULT):
            return True
        if slot is None:
            return self._of_no_memory(kind, how, result)
        if slot[2] & SLOT_READONLY and kind == WRITE:
            return result == _refusal(how)
        if result == -ENOMEM:
            return self._topup_failed(index, thread, fault)
        return result == 1 or self._host_refuses(ipa, kind, result)

    def _host_refuses(self, ipa: int, kind: int, result: int) -> bool:
        """Whether the page behind ``ipa`` is a reason to end with ``result``."""
        backing = self.world.backing_of(ipa)
        flags = backing[3] if backing is not None else 0
        if result == 0:
            return bool(flags & HOST_POISON)
        if result == -EFAULT:
            return bool(flags & HOST_ABSENT) or (kind == WRITE and not flags & HOST_WRITE)
        return result == -ENOEXEC and kind == EXECUTE and bool(flags & HOST_DEVICE)

    def _of_no_memory(self, kind: int, how: int, result: int) -> bool:
        """Whether this is the right end for an access to what is no memory of the guest."""
        if how & CACHE_MAINTENANCE:
            return result == PAST_THE_INSTRUCTION  # skipped: what is not memory is not cached
        if kind == EXECUTE or how & FETCH_WALK:
            return result in (1, -ENOEXEC)
        return result == _refusal(how)

    def _changed(self, index: int, fault: Fault) -> bool:
        """Whether the host changed slots or pages while the fault was handled."""
        return any(event[0] in (SLOT, BACKING) for event in self.world.events[fault[0] : index])

    def _topup_failed(self, index: int, thread: int, fault: Fault) -> bool:
        """Whether the fault was refused the pages that it may need."""
        return any(
            event[0] == TOPUP and event[1] == thread and event[4] == -ENOMEM
            for event in self.world.events[fault[0] : index]
        )
