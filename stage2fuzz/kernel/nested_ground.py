"""The proving ground of nested guests: the scenarios in which faults of that unit must show."""

from typing import Final

from stage2fuzz.arch import READ, WRITE
from stage2fuzz.case.scenario import (
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
from stage2fuzz.kernel.faults import PlantedFault
from stage2fuzz.kernel.proving_ground import PROVING_GROUND
from stage2fuzz.kernel.units import NESTED


def _writes(*pages: int) -> tuple[Access, ...]:
    return tuple(Access(WRITE, page) for page in pages)


def _reads(*pages: int) -> tuple[Access, ...]:
    return tuple(Access(READ, page) for page in pages)


def _ops(*ops: Op) -> tuple[HostOp, ...]:
    return tuple(HostOp(op) for op in ops)


_ONE: Final = Options(nested=1)
_VNCR: Final = Options(nested=1, vncr=True, teardown=True)
_ENDS: Final = Options(nested=1, teardown=True)

NESTED_GROUND: Final = (
    Scenario((Slot(4),), (_writes(0, 1, 2, 0),), options=Options(nested=3, teardown=True)),
    Scenario(
        (Slot(5),),
        (_writes(0, 1, 2, 3), _writes(4, 3, 0, 1)),
        options=Options(nested=5, teardown=True),
    ),
    Scenario((Slot(4),), (_writes(0, 0), _reads(0)), (_ops(Op.MOVE),), options=_ONE),
    Scenario((Slot(4),), (_writes(0),), (_ops(Op.SLOT_DELETE),), options=_ONE),
    Scenario((Slot(4),), (_writes(0),), (_ops(Op.TEARDOWN), _ops(Op.INVALIDATE)), options=_ENDS),
    Scenario((Slot(4),), (_writes(0, 0),), (_ops(Op.LOG_ENABLE, Op.LOG_GET),), options=_ONE),
    Scenario(
        (Slot(4, logging=True),), (_writes(0, 0),), (_ops(Op.LOG_GET, Op.LOG_GET),), options=_ONE
    ),
    Scenario((Slot(512, Backing.PMD),), (_writes(1, 2),), (_ops(Op.INVALIDATE),), options=_ENDS),
    Scenario(
        (Slot(4),), (_writes(0, 0),), (_ops(Op.GUEST_PROTECT, Op.GUEST_TLBI_IPA),), options=_ONE
    ),
    Scenario(
        (Slot(4),), (_reads(0, 0, 0),), (_ops(Op.GUEST_PROTECT, Op.GUEST_TLBI_IPA),), options=_ONE
    ),
    Scenario(
        (Slot(4),),
        (_writes(0, 0),),
        (_ops(Op.GUEST_UNMAP, Op.GUEST_TLBI_IPA, Op.GUEST_MOVE),),
        options=Options(nested=1, tlb=Tlb.STICKY),
    ),
    Scenario(
        (Slot(4),), (_writes(0, 0),), (_ops(Op.GUEST_UNMAP, Op.GUEST_TLBI_VMID),), options=_ONE
    ),
    Scenario(
        (Slot(4),), (_writes(0, 0),), (_ops(Op.GUEST_UNMAP, Op.GUEST_TLBI_RANGE),), options=_ONE
    ),
    Scenario(
        (Slot(4),), (_writes(0, 0),), (_ops(Op.GUEST_UNMAP, Op.GUEST_TLBI_ALL),), options=_ONE
    ),
    Scenario((Slot(4),), (_writes(0, 0), _reads(0, 1)), (_ops(Op.MOVE, Op.MOVE),), options=_VNCR),
    Scenario(
        (Slot(4, logging=True),),
        ((*_reads(0), *_writes(1)),),
        (_ops(Op.LOG_GET),),
        options=_VNCR,
    ),
    Scenario(
        (Slot(4),),
        ((*_reads(0), *_writes(0)),),
        (_ops(Op.INVALIDATE),),
        host_pages=(HostPage(0, Host.LAZY),),
        options=_VNCR,
    ),
)
"""Every operation of the guest hypervisor, recycling, and each way the host reaches shadows."""


def ground_of(fault: PlantedFault) -> tuple[Scenario, ...]:
    """The scenarios that a fault is looked for in."""
    return NESTED_GROUND if fault.unit == NESTED.name else PROVING_GROUND
