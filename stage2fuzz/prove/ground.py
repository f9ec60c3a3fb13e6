"""The ground of proofs: scenarios that a search goes through whole in seconds, one for each thing
that a fault of this code may spoil. What is no larger is what ``prove`` must find."""

from typing import Final

from stage2fuzz.arch import EXECUTE, INSTRUCTIONS, READ, WRITE
from stage2fuzz.case.scenario import (
    GIB,
    Access,
    Backing,
    Host,
    HostOp,
    HostPage,
    Op,
    Options,
    Scenario,
    Slot,
    Tlb,
)

_KINDS: Final = {"r": READ, "w": WRITE, "x": EXECUTE}
_STALE: Final = Options(tlb=Tlb.STICKY, teardown=True)
_FRESH: Final = Options(teardown=True)
_FWB: Final = Options(tlb=Tlb.STICKY, teardown=True, fwb=True)
_VHE: Final = Options(tlb=Tlb.STICKY, teardown=True, fwb=True, vhe=True)
_PAGES: Final = Slot(4)
_LOGGED: Final = Slot(4, logging=True)
_BLOCK: Final = Slot(512, Backing.PMD)


def _vcpus(*programs: str, page: int = 0) -> tuple[tuple[Access, ...], ...]:
    return tuple(tuple(Access(_KINDS[each], page) for each in program) for program in programs)


def _guest(*accesses: str) -> tuple[Access, ...]:
    """A vCPU's program, as a case writes it."""
    items = (access.split() for access in accesses)
    return tuple(Access(INSTRUCTIONS[name], int(page)) for name, page in items)


def _with(
    slot: Slot, programs: tuple[str, ...], *ops: HostOp, page: int = 0, options: Options = _STALE
) -> Scenario:
    return Scenario((slot,), _vcpus(*programs, page=page), (ops,) if ops else (), options=options)


GROUND: Final = {
    "w, r": _with(_PAGES, ("w", "r")),
    "r, x": _with(_PAGES, ("r", "x")),
    "rw, logged": _with(_LOGGED, ("rw",)),
    "w, x of a lazy page": Scenario(
        (_PAGES,), _vcpus("w", "x"), options=_STALE, host_pages=(HostPage(0, Host.LAZY),)
    ),
    "w, r of a device": _with(Slot(4, Backing.DEVICE), ("w", "r")),
    "w, move": _with(_PAGES, ("w",), HostOp(Op.MOVE)),
    "rw, move, logged": _with(_LOGGED, ("rw",), HostOp(Op.MOVE)),
    "ww, protect": _with(_PAGES, ("ww",), HostOp(Op.PROTECT)),
    "ww, log on": _with(_PAGES, ("ww",), HostOp(Op.LOG_ENABLE)),
    "w of the second page, log on": _with(_PAGES, ("ww",), HostOp(Op.LOG_ENABLE), page=1),
    "w, get log": _with(_LOGGED, ("ww",), HostOp(Op.LOG_GET)),
    "r, age": _with(_PAGES, ("rr",), HostOp(Op.AGE), options=_FRESH),
    "w, x, age": _with(_PAGES, ("w", "x"), HostOp(Op.AGE), options=_FRESH),
    "w, slot deleted": _with(_PAGES, ("w",), HostOp(Op.SLOT_DELETE)),
    "w, four pages invalidated": _with(
        _PAGES, ("wr",), HostOp(Op.INVALIDATE, 0, 4), page=3, options=_FWB
    ),
    "w of a block": _with(_BLOCK, ("w",), page=1),
    "w, r of a block": _with(_BLOCK, ("w", "r"), page=1),
    "w of a block, log on": _with(_BLOCK, ("ww",), HostOp(Op.LOG_ENABLE), page=1),
    "w of a block, log off": _with(
        Slot(512, Backing.PMD, logging=True), ("ww",), HostOp(Op.LOG_DISABLE), page=1
    ),
    "w, r of a block, log off": _with(
        Slot(512, Backing.PMD, logging=True), ("ww", "r"), HostOp(Op.LOG_DISABLE), page=1
    ),
    "w of a block, invalidated": _with(
        _BLOCK, ("w",), HostOp(Op.INVALIDATE, 0, 512), page=1, options=_FWB
    ),
    "w of 1 GiB, moved": _with(Slot(1 << 18, Backing.PUD), ("w",), HostOp(Op.MOVE, 513), page=513),
    "w of a large slot, log on": Scenario(
        (Slot(8 * GIB, Backing.PMD),),
        _vcpus("wr"),
        ((HostOp(Op.LOG_ENABLE),),),
        options=_FWB,
    ),
    "w, move, with VHE": _with(_PAGES, ("w",), HostOp(Op.MOVE), options=_VHE),
    "ww, log on, with VHE": _with(_PAGES, ("ww",), HostOp(Op.LOG_ENABLE), options=_VHE),
    "rx, w, with VHE": _with(_PAGES, ("rx", "w"), options=_VHE),
    "walks of a read-only slot": Scenario(
        (Slot(4, readonly=True),),
        (_guest("walk 0", "walk-update 0", "dc-zva 0"), _guest("fetch-walk 1", "walk 1")),
    ),
    "accesses outside memory": Scenario(
        (_PAGES,),
        (
            _guest("walk 511", "dc-cvac 511", "write 511", "read-beyond 0"),
            _guest("ls64 0", "atomic 1", "sea 0", "ldp 511"),
        ),
    ),
}
"""By name, the quick ones and those of most faults first."""
