"""Random sequential cases: one thread after another, of what a machine can be asked for."""

from random import Random
from typing import Final

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.scenario import (
    PLACES,
    SLOT_STRIDE,
    Access,
    Backing,
    Host,
    HostOp,
    HostPage,
    Op,
    Scenario,
    Slot,
)
from stage2fuzz.schedule.base import FOREVER, Schedule

SIZES: Final = (1, 2, 4, 512, 512, 1024)
KINDS: Final = (READ, WRITE, WRITE, EXECUTE)
LOG_OPERATIONS: Final = (
    *(Op.LOG_ENABLE, Op.LOG_ENABLE, Op.LOG_DISABLE, Op.LOG_GET, Op.LOG_GET, Op.SLOT_DELETE),
)
RANGES: Final = (1, 1, 2, 512)
MAX_CHANGED: Final = 4
"""Host mappings that one operation of the engines changes."""


def draw(seed: int, threads: int) -> tuple[Scenario, Schedule]:
    """The case of a seed: its scenario with ``threads`` threads, and one run a thread."""
    chance = Random(seed)
    slots = tuple(_slot(chance) for _ in range(chance.choice((1, 1, 1, 2))))
    hosts = chance.randint(1, 2)
    # A skewed slot's huge pages begin elsewhere than its blocks: leave them whole.
    crooked = any(slot.skewed and slot.backing is Backing.PMD for slot in slots)
    # A moved page is writable again on the machine: a case either moves or takes rights away.
    moving = chance.random() < 0.5
    host_operations = (Op.MOVE,) if moving else (Op.PROTECT, Op.UNPROTECT)
    operations = LOG_OPERATIONS if crooked else LOG_OPERATIONS + host_operations
    guarded = not crooked and not moving and chance.random() < 0.2
    scenario = Scenario(
        slots=slots,
        vcpus=tuple(
            tuple(_access(chance, slots) for _ in range(chance.randint(1, 4)))
            for _ in range(threads - hosts)
        ),
        hosts=tuple(
            tuple(_operation(chance, slots, operations) for _ in range(chance.randint(1, 3)))
            for _ in range(hosts)
        ),
        host_pages=(HostPage(0, Host.R),) if guarded else (),
    )
    order = list(range(threads))
    chance.shuffle(order)
    return scenario, Schedule(tuple((thread, FOREVER) for thread in order))


def _slot(chance: Random) -> Slot:
    pages = chance.choice(SIZES)
    huge = pages >= 512 and chance.random() < 0.7
    return Slot(
        pages=pages,
        backing=Backing.PMD if huge else Backing.PAGE,
        readonly=chance.random() < 0.1,
        logging=chance.random() < 0.4,
        skewed=chance.random() < 0.1,
    )


def _page(chance: Random, slots: tuple[Slot, ...], beyond: bool) -> int:
    """A page at the edge of a level, of a slot; ``beyond``: now and then of none."""
    number = chance.randrange(len(slots))
    inside = [place for place in PLACES if place < slots[number].pages]
    if beyond and slots[number].pages < 1024 and chance.random() < 0.05:
        return number * SLOT_STRIDE + 513
    return number * SLOT_STRIDE + chance.choice(inside)


def _access(chance: Random, slots: tuple[Slot, ...]) -> Access:
    return Access(chance.choice(KINDS), _page(chance, slots, True))


def _operation(chance: Random, slots: tuple[Slot, ...], operations: tuple[Op, ...]) -> HostOp:
    page = _page(chance, slots, False)
    left = slots[page // SLOT_STRIDE].pages - page % SLOT_STRIDE
    pages = max(each for each in RANGES if each <= left) if chance.random() < 0.5 else 1
    operation = chance.choice(operations)
    if (
        operation in (Op.PROTECT, Op.UNPROTECT)
        and slots[page // SLOT_STRIDE].backing is Backing.PAGE
    ):
        pages = min(pages, MAX_CHANGED)
    return HostOp(operation, page, pages)
