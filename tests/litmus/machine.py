"""Litmus shapes on the engine's own hardware: its stores, barriers, TLBIs and walks.

A shape is a few threads of a few instructions. Every interleaving, every order in which pending
stores become visible and every candidate that a TLB may use is tried. An outcome is what each
thread's accesses gave.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from stage2fuzz.arch import PERMISSION, PTE_AF, PTE_READ, PTE_VALID, PTE_WRITE, READ
from stage2fuzz.case.scenario import Access, Options, Scenario, Tlb
from stage2fuzz.events import DMB_ISHST, DSB_ISHST, LOAD, ORDER_PLAIN, STORE, tlbi_aux
from stage2fuzz.model.flags import Flags
from stage2fuzz.model.machine import tlb
from stage2fuzz.model.machine.threads import Body
from stage2fuzz.model.machine.vm import Vm
from stage2fuzz.model.machine.walker import translate
from stage2fuzz.schedule.exhaustive import Coverage, Exhaustive
from stage2fuzz.window import Window

IPA = 0x4000_0000
OTHER = 0x8000_0000
"""An address that another root entry translates."""
OLD_PAGE, NEW_PAGE = 0x1_4000_0000, 0x1_8000_0000
OLD = OLD_PAGE | PTE_VALID | PTE_AF | PTE_READ | PTE_WRITE
NEW = NEW_PAGE | PTE_VALID | PTE_AF | PTE_READ | PTE_WRITE
READ_ONLY = OLD & ~PTE_WRITE
ROOT = Vm(Flags()).root
ENTRY, OTHER_ENTRY = ROOT + 8, ROOT + 16
TABLE = ROOT + 0x10_0000
"""A table page of level 2 that a shape may link at ENTRY."""
LINK = TABLE | PTE_VALID | 2
LEAF = TABLE
MESSAGE = 8

Outcome = tuple[tuple[str, ...], ...]
"""For each thread, what its accesses gave."""


class Machine:
    """The instructions of a shape; each acts for the running thread."""

    def __init__(self, vm: Vm, threads: int) -> None:
        self.vm = vm
        self.sent = False
        self.seen: list[list[str]] = [[] for _ in range(threads)]

    def store(self, where: int, value: int, order: int = ORDER_PLAIN) -> None:
        """Write a table entry."""
        self.vm.store(where, value, order)

    def dsb(self) -> None:
        """DSB ISH: stores visible, TLBIs complete."""
        tlb.dsb_ish(self.vm)

    def dsb_st(self) -> None:
        """DSB ISHST: stores visible."""
        self.vm.dsb(DSB_ISHST)

    def dmb_st(self) -> None:
        """DMB ISHST: stores in order."""
        self.vm.dsb(DMB_ISHST)

    def tlbi(self, operation: int, broadcast: bool = True, ipa: int = IPA) -> None:
        """One TLBI without a level hint."""
        tlb.tlbi(self.vm, ipa, tlbi_aux(operation, broadcast))

    def send(self) -> None:
        """Write the message, in ordinary memory."""
        self.vm.point(STORE, MESSAGE)
        self.sent = True

    def received(self) -> bool:
        """Whether the message is there; the reader orders what follows by DSB and ISB."""
        self.vm.point(LOAD, MESSAGE)
        return self.sent

    def load(self, where: int) -> int:
        """Read a table entry as data."""
        return self.vm.load(where)

    def access(self, ipa: int = IPA, kind: int = READ) -> str:
        """One guest access: ``old``, ``new``, ``denied`` (permission fault), ``fault``, or
        ``hole`` for a translation fault below the first level."""
        status, level, address = translate(self.vm, ipa, kind)
        result = {OLD_PAGE: "old", NEW_PAGE: "new"}.get(address, "other")
        if status:
            result = "fault" if level == self.vm.start_level else "hole"
        if status == PERMISSION:
            result = "denied"
        self.seen[self.vm.current].append(result)
        return result

    def attempt(self) -> None:
        """One guest read whose result the thread does not look at."""
        self.access()


Thread = Callable[[Machine], None]


@dataclass(frozen=True)
class Shape:
    """Threads, the entries they start from, and the outcome in question."""

    threads: tuple[Thread, ...]
    question: Callable[[Outcome], bool]
    entries: dict[int, int] = field(default_factory=lambda: {ENTRY: OLD})


def outcomes(
    shape: Shape, window: type[Window] = Window, reduce: bool = False
) -> tuple[Coverage, set[Outcome]]:
    """Every outcome of ``shape``, and how completely that was explored."""
    count = len(shape.threads)
    scenario = Scenario(
        vcpus=((Access(READ, 0),),) * count,
        options=Options(tlb=Tlb.SAMPLED, pending_stores=True),
    )
    vm, search, seen = Vm(Flags()), Exhaustive(reduce=reduce), set()
    while search.advance():
        vm.reset(scenario)
        vm.window = window(count)
        vm.entries.update(shape.entries)
        if shape.entries.get(ENTRY) == LINK:
            vm.tables[TABLE] = (2, IPA)
        machine = Machine(vm, count)
        bodies: list[Body] = [partial(thread, machine) for thread in shape.threads]
        assert vm.execute(bodies, search, count) == "finished"
        seen.add(tuple(map(tuple, machine.seen)))
    return search.coverage, seen


def allowed(shape: Shape, window: type[Window] = Window) -> bool:
    """Whether any execution gives the outcome in question; all of them were tried."""
    coverage, seen = outcomes(shape, window)
    assert coverage.complete, str(coverage)
    assert not coverage.cut, str(coverage)
    return any(shape.question(outcome) for outcome in seen)
