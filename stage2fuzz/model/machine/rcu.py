"""RCU: table pages unlinked by one walker stay until the walkers that may still read them leave.

The grace period ends as early as it can: the last of the readers that were inside when the free
was asked for runs it, as if the callback came at once. Later is allowed and shows nothing more.
"""

from collections.abc import Callable
from typing import Protocol

from stage2fuzz.events import FREE_DEFERRED, RCU_LOCK, RCU_UNLOCK, Event


class Rcu:
    """Who is inside a read section, and what waits for whom; threads are bits of a mask."""

    __slots__ = ("readers", "waiting")

    def __init__(self) -> None:
        self.readers = 0
        self.waiting: list[tuple[int, Callable[[], None]]] = []
        """(readers that the free waits for, the free), oldest first."""


class Machine(Protocol):
    """What RCU needs of the machine: who runs, and where events go."""

    current: int
    record: Callable[[Event], None]
    rcu: Rcu


def rcu_read_lock(vm: Machine) -> None:
    """Begin a read section of the running thread; read sections do not nest in the model."""
    vm.rcu.readers |= 1 << vm.current
    vm.record((RCU_LOCK, vm.current, 0, 0, 0, 0))


def rcu_read_unlock(vm: Machine) -> None:
    """End the read section, and run the frees that waited for nobody else."""
    rcu, me = vm.rcu, 1 << vm.current
    vm.record((RCU_UNLOCK, vm.current, 0, 0, 0, 0))
    rcu.readers &= ~me
    if not rcu.waiting:
        return
    ready = [free for readers, free in rcu.waiting if readers == me]
    rcu.waiting = [(readers & ~me, free) for readers, free in rcu.waiting if readers != me]
    for free in ready:
        free()


def call_rcu(vm: Machine, page: int, free: Callable[[], None]) -> None:
    """Run ``free`` for table page ``page`` when every reader that is inside now has left."""
    vm.record((FREE_DEFERRED, vm.current, page, 0, 0, 0))
    if vm.rcu.readers:
        vm.rcu.waiting.append((vm.rcu.readers, free))
    else:
        free()
