"""Small random scenarios of a guest hypervisor: L2 faults against what L1 and the host do.

``neighbours`` for trees with nested virtualisation: a few pages of one slot, one to three vCPUs,
and operations that undo an L2 mapping from either side, mostly as L1 must do it, a change of its
table and then a TLBI that covers it.
"""

from random import Random
from typing import Final

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.scenario import (
    MAX_HOST_OPS,
    MAX_NESTED,
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

SLOTS: Final = ((4, Backing.PAGE), (4, Backing.PAGE), (512, Backing.PMD), (1024, Backing.PMD))
"""Pages, and what the host backs them by."""
FAR: Final = (511, 512)
"""Pages at the edge of a block, where the slot has them."""
CHANGES: Final = (Op.GUEST_UNMAP, Op.GUEST_PROTECT, Op.GUEST_MOVE, Op.GUEST_MAP)
TLBIS: Final = (Op.GUEST_TLBI_IPA, Op.GUEST_TLBI_RANGE, Op.GUEST_TLBI_VMID, Op.GUEST_TLBI_ALL)
HOST: Final = (
    *((Op.MOVE,), (Op.MOVE, Op.MOVE), (Op.INVALIDATE,), (Op.PROTECT, Op.UNPROTECT), (Op.AGE,)),
    *((Op.LOG_ENABLE, Op.LOG_GET), (Op.LOG_GET, Op.LOG_GET), (Op.LOG_DISABLE,), (Op.LOG_CLEAR,)),
    *((Op.SLOT_DELETE,), (Op.SLOT_DELETE, Op.SLOT_CREATE), (Op.TEARDOWN,), (Op.THP_SPLIT,)),
)
KINDS: Final = (READ, READ, WRITE, WRITE, WRITE, EXECUTE)


def nested_neighbours(seed: int, number: int) -> Scenario:
    """Scenario ``number`` of a campaign; the same for the same numbers."""
    chance = Random(f"nested neighbours {seed} {number}")
    pages, backing = chance.choice(SLOTS)
    near = range(min(pages, 4))
    places = [chance.choice(near) for _ in range(chance.choice((1, 2, 2, 3)))]
    places += [at for at in FAR if at < pages and chance.random() < 0.3]
    programs = tuple(
        tuple(
            Access(chance.choice(KINDS), chance.choice(places))
            for _ in range(chance.choice((1, 2, 2, 3)))
        )
        for _ in range(chance.choice((1, 1, 2, 2, 3)))
    )
    hosts = tuple(_operations(chance, places) for _ in range(chance.choice((0, 1, 1, 1, 2))))
    grants = (HostPage(places[0], chance.choice((Host.LAZY, Host.COW, Host.R))),)
    return Scenario(
        (Slot(pages, backing, logging=chance.random() < 0.3),),
        programs,
        hosts,
        grants if chance.random() < 0.2 else (),
        _options(chance),
    )


def _operations(chance: Random, places: list[int]) -> tuple[HostOp, ...]:
    """Of L1, a change and the TLBI that it needs; of the host; or any of L1's in any order."""
    found: list[Op] = []
    for _ in range(chance.choice((1, 1, 2))):
        way = chance.random()
        if way < 0.5:
            found += (chance.choice(CHANGES), chance.choice(TLBIS))
        elif way < 0.8:
            found += chance.choice(HOST)
        else:
            found.append(chance.choice(CHANGES + TLBIS))
    return tuple(HostOp(op, chance.choice(places)) for op in found[:MAX_HOST_OPS])


def _options(chance: Random) -> Options:
    """More guests than MMUs have to recycle them; few of either meet more often."""

    def rarely(share: float) -> bool:
        return chance.random() < share

    return Options(
        tlb=Tlb.STICKY if rarely(0.4) else Tlb.FRESH,
        hardware_af=rarely(0.1),
        fwb=rarely(0.2),
        cache_pages=chance.randint(1, 3) if rarely(0.1) else 0,
        failing_topup=chance.randint(1, 5) if rarely(0.1) else 0,
        teardown=rarely(0.3),
        failing_alloc=chance.randint(1, 6) if rarely(0.1) else 0,
        nested=chance.choice((1, 1, 1, 2, 3, MAX_NESTED)),
        vncr=rarely(0.3),
    )
