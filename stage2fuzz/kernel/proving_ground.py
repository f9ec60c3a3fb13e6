"""The proving ground: the scenarios in which each planted fault must show."""

from dataclasses import replace
from typing import Final

from stage2fuzz.arch import EXECUTE, INSTRUCTIONS, READ, WRITE
from stage2fuzz.case.scenario import (
    GIB,
    SLOT_STRIDE,
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

_R, _W, _X = READ, WRITE, EXECUTE


def _vcpus(*programs: str, page: int = 0) -> tuple[tuple[Access, ...], ...]:
    kinds = {"r": _R, "w": _W, "x": _X}
    return tuple(tuple(Access(kinds[c], page) for c in program) for program in programs)


def _guest(*accesses: str) -> tuple[Access, ...]:
    """A vCPU's program, as a case writes it."""
    items = (access.split() for access in accesses)
    return tuple(Access(INSTRUCTIONS[name], int(page)) for name, page in items)


_STICKY = Options(tlb=Tlb.STICKY)
_TEARDOWN = Options(teardown=True)
_LATE = Options(tlb=Tlb.STICKY, pending_stores=True)
_VHE = Options(tlb=Tlb.STICKY, vhe=True)

PROVING_GROUND: Final = (
    Scenario((Slot(4),), _vcpus("ww", "rr", "xr"), options=_TEARDOWN),
    Scenario(
        (Slot(4, logging=True),), _vcpus("rw", "w"), ((HostOp(Op.LOG_GET), HostOp(Op.LOG_GET)),)
    ),
    Scenario((Slot(4),), _vcpus("ww", "w", page=1), ((HostOp(Op.LOG_ENABLE), HostOp(Op.LOG_GET)),)),
    Scenario((Slot(4),), _vcpus("w", "rr"), ((HostOp(Op.MOVE),),), options=_TEARDOWN),
    Scenario((Slot(4),), _vcpus("ww", "r"), ((HostOp(Op.PROTECT), HostOp(Op.UNPROTECT)),)),
    Scenario(
        (Slot(512, Backing.PMD),),
        _vcpus("ww", "rx", page=1),
        ((HostOp(Op.LOG_ENABLE), HostOp(Op.LOG_DISABLE)),),
        options=_TEARDOWN,
    ),
    Scenario(
        (Slot(512, Backing.PMD, logging=True),),
        ((Access(_W, 0), Access(_R, 1)), (Access(_X, 511), Access(_W, 511))),
        ((HostOp(Op.LOG_DISABLE), HostOp(Op.MOVE, 0, 512)),),
        options=_TEARDOWN,
    ),
    Scenario((Slot(1 << 18, Backing.PUD),), _vcpus("w", "x", page=513), ((HostOp(Op.MOVE, 513),),)),
    Scenario(
        (Slot(512, Backing.PMD),),
        _vcpus("w", "rw", page=1),
        ((HostOp(Op.LOG_ENABLE),),),
        options=Options(ipa_bits=48, teardown=True),
    ),
    Scenario((Slot(4),), _vcpus("w", "r"), ((HostOp(Op.SLOT_DELETE),),), options=_TEARDOWN),
    Scenario((Slot(4),), _vcpus("wr", "x"), ((HostOp(Op.AGE), HostOp(Op.AGE)),)),
    Scenario((Slot(4, Backing.DEVICE),), _vcpus("w", "r")),
    Scenario((Slot(4),), _vcpus("rw", "x"), host_pages=(HostPage(0, Host.LAZY),)),
    Scenario((Slot(4),), _vcpus("rw", "wr"), options=_STICKY),
    Scenario((Slot(4),), _vcpus("ww", "r"), ((HostOp(Op.LOG_ENABLE),),), options=_STICKY),
    Scenario(
        (Slot(2),),
        ((Access(_W, 0), Access(_R, 1)), (Access(_W, 1),)),
        ((HostOp(Op.MOVE, 0, 2),), (HostOp(Op.MOVE, 1),)),
        options=Options(fwb=True, teardown=True),
    ),
    Scenario((Slot(1, logging=True),), _vcpus("rw"), ((HostOp(Op.MOVE),),)),
    Scenario(
        (Slot(4),),
        (*_vcpus("wr", page=3), *_vcpus("rw", page=2)),
        ((HostOp(Op.INVALIDATE, 0, 4),),),
        options=Options(tlb=Tlb.STICKY, fwb=True),
    ),
    Scenario(
        (Slot(8 * GIB + 512, Backing.PMD),),
        (*_vcpus("wr"), *_vcpus("ww", page=8 * GIB)),
        ((HostOp(Op.LOG_ENABLE),),),
        options=Options(tlb=Tlb.STICKY, fwb=True),
    ),
    Scenario(
        (Slot(4),), _vcpus("ww", "r"), ((HostOp(Op.MOVE), HostOp(Op.LOG_ENABLE)),), options=_VHE
    ),
    Scenario(
        (Slot(512, Backing.PMD),),
        _vcpus("w", "r", page=1),
        ((HostOp(Op.INVALIDATE, 0, 512), HostOp(Op.LOG_ENABLE)),),
        options=Options(tlb=Tlb.STICKY, fwb=True, vhe=True, teardown=True),
    ),
    Scenario(
        (Slot(4, readonly=True),),
        (_guest("walk 0", "walk-update 0", "dc-zva 0"), _guest("fetch-walk 1", "walk 1")),
    ),
    Scenario(
        (Slot(4),),
        (
            _guest("walk 511", "dc-cvac 511", "write 511", "read-beyond 0"),
            _guest("ls64 0", "atomic 1", "sea 0", "ldp 511"),
        ),
    ),
    Scenario(
        (Slot(512, Backing.PMD),),
        _vcpus("w"),
        ((HostOp(Op.LOG_ENABLE),),),
        options=Options(ipa_bits=48, teardown=True, failing_alloc=3),
    ),
    Scenario((Slot(1024, Backing.PMD, first=256),), (_guest("read 256"), _guest("write 300"))),
    Scenario(
        (Slot(4, logging=True),),
        (_guest("write 0", "write 1", "write 1"),),
        ((HostOp(Op.LOG_GET),),),
    ),
    Scenario((Slot(8 * GIB),), _vcpus("w", page=1), ((HostOp(Op.SLOT_DELETE),),)),
    Scenario(
        (Slot(512, Backing.PMD, logging=True),),
        (_guest("read 0", "read 1"),),
        ((HostOp(Op.AGE, 0, 512), HostOp(Op.TEST_YOUNG)),),
    ),
    Scenario((Slot(4),), _vcpus("rr", "rr"), ((HostOp(Op.AGE), HostOp(Op.MOVE)),)),
    Scenario((Slot(4),), _vcpus("w"), ((HostOp(Op.TEARDOWN),), (HostOp(Op.MOVE), HostOp(Op.AGE)))),
    Scenario(
        (Slot(512, Backing.PMD),),
        _vcpus("w"),
        ((HostOp(Op.LOG_ENABLE),),),
        options=Options(ipa_bits=48, failing_topup=2),
    ),
    Scenario(
        (Slot(512, Backing.PMD),),
        (_guest("write 1", "read 1"), _guest("read 2")),
        ((HostOp(Op.THP_SPLIT), HostOp(Op.MOVE, 1), HostOp(Op.THP_COLLAPSE)),),
    ),
    Scenario(
        (Slot(700, Backing.PMD, first=256, hugetlb=True),), (_guest("read 256", "write 300"),)
    ),
    Scenario((Slot(1024, Backing.PMD, contiguous=True),), (_guest("write 513"), _guest("read 0"))),
    Scenario((Slot(4, contiguous=True),), (_guest("write 1", "read 2"),)),
    Scenario(
        (Slot(4),),
        (_guest("write 0", f"read {GIB}"), _guest(f"write {GIB + 1}")),
        ((HostOp(Op.SLOT_MOVE), HostOp(Op.SLOT_MOVE)),),
        options=_STICKY,
    ),
    Scenario(
        (Slot(GIB + 512, Backing.PMD),),
        (_guest(f"write {GIB - 1}", f"write {GIB + 1}"),),
        ((HostOp(Op.INVALIDATE, GIB - 513, 1024),), (HostOp(Op.TEARDOWN),)),
    ),
    Scenario(
        (Slot(4),),
        _vcpus("ww", "r"),
        ((HostOp(Op.LOG_ENABLE), HostOp(Op.LOG_CLEAR, 0, 4)),),
        options=Options(manual_protect=True),
    ),
    Scenario((Slot(4),), (*_vcpus("ww", page=3), *_vcpus("r")), ((HostOp(Op.VCPU_INIT),),)),
    Scenario((Slot(4),), _vcpus("wr", "rw"), ((HostOp(Op.MOVE),),), options=_LATE),
    Scenario(
        (Slot(512, Backing.PMD),),
        _vcpus("w", "r", page=1),
        ((HostOp(Op.LOG_ENABLE),),),
        options=replace(_LATE, ipa_bits=48),
    ),
    Scenario((Slot(1024),), (_guest("write 512"),), ((HostOp(Op.MOVE, 511, 2),),)),
    Scenario((Slot(512, Backing.PMD),), _vcpus("r", "r"), options=Options(mte=True)),
    Scenario((Slot(4),), _vcpus("rr", "r"), ((HostOp(Op.INVALIDATE),),), options=Options(mte=True)),
    Scenario(
        (Slot(1024, Backing.PMD), Slot(4)),
        (_guest("write 0", "write 513"), _guest(f"write {SLOT_STRIDE + 3}")),
        ((HostOp(Op.CACHES_OFF), HostOp(Op.CACHES_ON), HostOp(Op.CACHES_OFF)),),
    ),
    Scenario(
        (Slot(4, Backing.DEVICE),),
        _vcpus("w"),
        ((HostOp(Op.LOG_ENABLE), HostOp(Op.SLOT_LIMIT)),),
    ),
)
"""Every operation of the host, every size."""
