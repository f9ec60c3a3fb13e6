"""E4: a fault releases the host page it looked up."""

from stage2fuzz.events import HOST_ABSENT, HOST_DEVICE, HOST_POISON
from stage2fuzz.oracles.base import Oracle, fault_name


class PageBalance(Oracle):
    """Exactly once, on every way out; device memory has no page to release."""

    oracle = "E4"
    rule = "host page balance"
    why = "Each fault releases the host page it pinned exactly once."

    def setup(self) -> None:
        """Make the containers that hold what one run shows."""
        self.held: dict[int, int] = self.per_run({})
        self.devices: dict[int, int] = self.per_run({})

    def pin(self, thread: int, address: int, flags: int) -> None:
        """The thread looked a page up, which raised its count."""
        if flags & (HOST_DEVICE | HOST_ABSENT | HOST_POISON):
            self.devices[thread] = address
        else:
            self.held[thread] = self.held.get(thread, 0) + 1

    def unpin(self, thread: int, address: int) -> None:
        """The thread released a page."""
        if self.devices.get(thread) != address:
            self.held[thread] = self.held.get(thread, 0) - 1

    def resume(self, index: int, thread: int) -> None:
        """The fault is over: pins and releases are even."""
        held = self.held.pop(thread, 0)
        if held:
            fault = self.world.faults.get(thread)
            name = fault_name(fault) if fault is not None else "fault"
            self.violation(
                "not released" if held > 0 else "released twice",
                f"{self.world.name(thread)}'s {name} ended with the host page "
                + ("still held: it leaks" if held > 0 else "released once too often"),
                fault[0] if fault is not None else index,
                index,
            )
