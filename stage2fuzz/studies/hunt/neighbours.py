"""Small random scenarios whose threads meet: few places, close together, at the edges.

Bytes drawn at random make large scenarios: eight vCPUs, pages all over the slots, operations that
undo one another before anybody looks. Faults of geometry, of neighbours in one word of the dirty
log or of a lock that one more waiter would show need few threads, and pages that have something to
do with each other: next to one another, in one block, on either side of a slot's or block's edge.
"""

from random import Random
from typing import Final

from stage2fuzz.arch import EXECUTE, INSTRUCTIONS, READ, WRITE
from stage2fuzz.case.scenario import (
    GIB,
    INITIALLY_SET_PAGES,
    MAX_HOST_OPS,
    PLACES,
    RANGE_PAGES,
    SKEWS,
    SLOT_FIRSTS,
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

SIZES: Final = (1, 2, 4, 4, 5, 512, 512, 513, 1024, 1023, 700, GIB, GIB + 512, 8 * GIB + 512)
BACKINGS: Final = (
    *(Backing.PAGE, Backing.PAGE, Backing.PMD, Backing.PMD, Backing.PMD),
    *(Backing.PUD, Backing.DEVICE),
)
KINDS: Final = (READ, READ, WRITE, WRITE, WRITE, EXECUTE)
SPECIAL: Final = tuple(INSTRUCTIONS.values())
WAYS: Final = (
    (Op.LOG_ENABLE, Op.LOG_GET),
    (Op.LOG_ENABLE, Op.LOG_DISABLE),
    (Op.LOG_DISABLE, Op.LOG_ENABLE),
    (Op.LOG_GET, Op.LOG_CLEAR),
    (Op.LOG_CLEAR, Op.LOG_GET),
    (Op.LOG_ENABLE, Op.MOVE),
    (Op.PROTECT, Op.UNPROTECT),
    (Op.MUNMAP, Op.MMAP),
    (Op.SLOT_DELETE, Op.SLOT_CREATE),
    (Op.SLOT_MOVE, Op.SLOT_MOVE),
    (Op.THP_SPLIT, Op.MOVE),
    (Op.THP_SPLIT, Op.THP_COLLAPSE),
    (Op.SHARE, Op.CHANGE_PTE),
    (Op.AGE, Op.TEST_YOUNG),
    (Op.INVALIDATE, Op.INVALIDATE_NONBLOCK),
    (Op.CACHES_OFF, Op.CACHES_ON),
)
"""Operations that say more one after the other."""
SINGLE: Final = tuple(
    op
    for op in Op
    if not Op.GUEST_UNMAP <= op <= Op.GUEST_TLBI_ALL and op not in (Op.HYP_MAP, Op.TEARDOWN)
)
"""All but the rare ones, and those of a guest hypervisor, which is not there."""
NEAR: Final = (0, 0, 1, 1, 2, 63, 64, 511, 512)
"""How far a second place is from the first."""


def neighbours(seed: int, number: int) -> Scenario:
    """Scenario ``number`` of a campaign; the same for the same numbers."""
    chance = Random(f"neighbours {seed} {number}")
    slots = tuple(_slot(chance) for _ in range(chance.choice((1, 1, 1, 2))))
    places = _places(chance, slots)
    hosts = chance.choice((0, 1, 1, 1, 1, 2))
    return Scenario(
        slots,
        tuple(_program(chance, places) for _ in range(chance.choice((1, 2, 2, 2, 3)))),
        tuple(_operations(chance, slots, places) for _ in range(hosts)),
        _grants(chance, slots, places),
        _options(chance, slots),
    )


def _slot(chance: Random) -> Slot:
    return Slot(
        chance.choice(SIZES),
        chance.choice(BACKINGS),
        readonly=chance.random() < 0.08,
        logging=chance.random() < 0.35,
        skewed=chance.choice(SKEWS) if chance.random() < 0.12 else 0,
        first=chance.choice(SLOT_FIRSTS) if chance.random() < 0.4 else 0,
        hugetlb=chance.random() < 0.1,
        contiguous=chance.random() < 0.06,
    )


def _places(chance: Random, slots: tuple[Slot, ...]) -> tuple[int, ...]:
    """One to three pages in slots, the later ones near the first."""
    number = chance.randrange(len(slots))
    slot = slots[number]
    inside = [at for at in PLACES if slot.first <= at < slot.first + slot.pages]
    first = chance.choice((inside[0], inside[-1], chance.choice(inside)))
    found = [first]
    for _ in range(chance.choice((0, 1, 1, 2))):
        at = first + chance.choice(NEAR) * chance.choice((1, -1))
        found.append(at if at in inside else chance.choice(inside))
    pages = [number * SLOT_STRIDE + at for at in found]
    if len(slots) > 1 and chance.random() < 0.5:
        pages.append((1 - number) * SLOT_STRIDE + slots[1 - number].first)
    return tuple(page for page in pages if page % SLOT_STRIDE in PLACES)


def _program(chance: Random, places: tuple[int, ...]) -> tuple[Access, ...]:
    program = []
    for _ in range(chance.choice((1, 2, 2, 3))):
        kind = chance.choice(SPECIAL if chance.random() < 0.06 else KINDS)
        page = chance.choice(places)
        if chance.random() < 0.04:  # maybe beyond its slot
            page = page // SLOT_STRIDE * SLOT_STRIDE + chance.choice(PLACES)
        elif page + GIB in PLACES and chance.random() < 0.06:  # where its slot may move
            page += GIB
        program.append(Access(kind, page))
    return tuple(program)


def _operations(
    chance: Random, slots: tuple[Slot, ...], places: tuple[int, ...]
) -> tuple[HostOp, ...]:
    found: list[Op] = []
    for _ in range(chance.choice((1, 1, 2))):
        found += chance.choice(WAYS) if chance.random() < 0.5 else (chance.choice(SINGLE),)
    if chance.random() < 0.05:
        found.append(chance.choice((Op.TEARDOWN, Op.HYP_MAP)))
    return tuple(_operation(chance, op, slots, places) for op in found[:MAX_HOST_OPS])


def _operation(chance: Random, op: Op, slots: tuple[Slot, ...], places: tuple[int, ...]) -> HostOp:
    """Of a page of the places, or of a range that holds several of them, or of its whole slot."""
    page = chance.choice(places)
    slot = page // SLOT_STRIDE
    way = chance.random()
    if way < 0.4:
        return HostOp(op, page)
    mine = sorted(each for each in places if each // SLOT_STRIDE == slot)
    if way < 0.75:
        first = mine[0]
        if chance.random() < 0.2 and first - 1 > slot * SLOT_STRIDE + slots[slot].first:
            first -= (first - 1) % SLOT_STRIDE in PLACES  # maybe in a hole
        needed = mine[-1] - first + 1
        fitting = [pages for pages in RANGE_PAGES if pages >= needed]
        return HostOp(op, first, min(fitting)) if fitting else HostOp(op, page, 512)
    if way < 0.9:
        return HostOp(op, slot * SLOT_STRIDE + slots[slot].first, max(RANGE_PAGES))
    return HostOp(op, page, chance.choice(RANGE_PAGES))


def _grants(
    chance: Random, slots: tuple[Slot, ...], places: tuple[int, ...]
) -> tuple[HostPage, ...]:
    if chance.random() < 0.75:
        return ()
    kinds = (Host.R, Host.ABSENT, Host.POISON, Host.LAZY, Host.LAZY, Host.COW, Host.COW)
    return (HostPage(chance.choice(places), chance.choice(kinds)),)


def _options(chance: Random, slots: tuple[Slot, ...]) -> Options:
    """What can fail fails early, and blocks that may be split eagerly often are."""
    splits = max(slot.pages for slot in slots) <= INITIALLY_SET_PAGES

    def rarely(share: float) -> bool:
        return chance.random() < share

    return Options(
        ipa_bits=48 if rarely(0.6 if splits else 0.2) else 40,
        tlb=Tlb.STICKY if rarely(0.4) else Tlb.FRESH,
        hardware_af=rarely(0.1),
        dic=rarely(0.1),
        fwb=rarely(0.3),
        cache_pages=chance.randint(1, 3) if rarely(0.2) else 0,
        failing_topup=chance.randint(1, 5) if rarely(0.1) else 0,
        teardown=rarely(0.15),
        failing_atomic=rarely(0.05),
        vhe=rarely(0.2),
        manual_protect=rarely(0.1),
        initially_set=rarely(0.1),
        failing_alloc=chance.randint(1, 6) if rarely(0.1) else 0,
        dirty_ring=rarely(0.03),
        pending_stores=rarely(0.1),
        mte=rarely(0.1),
    )
