"""G7: a memslot is changed unless there is a reason not to."""

from typing import Final

from stage2fuzz.events import (
    CALL_LOG_DISABLE,
    CALL_LOG_ENABLE,
    CALL_NAMES,
    CALL_SLOT_CREATE,
    CALL_SLOT_LIMIT,
    CALL_SLOT_MOVE,
    HOST_ABSENT,
    HOST_DEVICE,
    ROOT_BITS,
    SLOT_LOGGING,
)
from stage2fuzz.oracles.base import Oracle, result_name

LOOKED_AT: Final = 64
"""Pages: more than all holes that a run can make."""


class MemslotAnswer(Oracle):
    """KVM_SET_USER_MEMORY_REGION refuses to log device memory, and a slot above the IPA space.

    Nothing else that our VMM asks for is refused.
    """

    oracle = "G7"
    rule = "memslot answer"
    why = "Device memory is not logged, no slot ends above the IPA space; all else is granted."
    returns = (
        CALL_LOG_ENABLE,
        CALL_LOG_DISABLE,
        CALL_SLOT_CREATE,
        CALL_SLOT_MOVE,
        CALL_SLOT_LIMIT,
    )

    def slot(self, index: int, ipa: int, size: int, flags: int) -> None:
        """A memslot is published."""
        if size and flags & SLOT_LOGGING and self._has_device(ipa, ipa + size):
            self.violation(
                "device memory logged",
                f"the memslot at IPA {ipa:#x} is logged, and holds device memory, whose writes "
                "nobody can track",
                index,
            )

    def returned(
        self, index: int, thread: int, ipa: int, size: int, result: int, code: int
    ) -> None:
        """User space has its answer."""
        world = self.world
        if code == CALL_SLOT_LIMIT:
            refused = ipa + size > 1 << (world.machine & ROOT_BITS)
        else:
            slot = world.slot_of(ipa)
            first, end = (slot[0], slot[1]) if slot is not None else (ipa, ipa + size)
            refused = code == CALL_LOG_ENABLE and self._has_device(first, end)
            if not result:
                return  # a log that is on already, or a slot that has gone, is no change
        if refused == bool(result):
            return
        answer = f"refused: {result_name(result)}" if result else "granted"
        self.violation(
            f"{CALL_NAMES[code]} {'refused' if result else 'granted'}",
            f"{CALL_NAMES[code]} of {world.name(thread)} at IPA {ipa:#x} was {answer}",
            index,
        )

    def _has_device(self, start: int, end: int) -> bool:
        """Whether the host has device memory there; a slot of so much has it at its beginning, but
        for some holes."""
        page = self.world.page_size
        for number in range(min((end - start) // page, LOOKED_AT)):
            backing = self.world.backing_of(start + number * page)
            if backing is not None and backing[3] & (HOST_DEVICE | HOST_ABSENT) == HOST_DEVICE:
                return True
        return False
