"""Menus: what each byte of a scenario stands for, under a profile.

A menu is a table of 256 values, one for each byte, so that decoding is indexing. Under a profile
the bytes that stand for an allowed value keep it, and the others are shared out among the allowed
ones: a profile never changes the meaning of bytes that it need not change.

One value more would change the meaning of nearly every byte (``byte % len(values)``), so the byte
format has versions and each value says which one added it. An input is read with the menus of its
own version for ever: a corpus survives the next operation. **To add a value**: append a group to
its menu under ``NEWEST + 1`` and raise ``NEWEST``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Generic, TypeVar

from stage2fuzz.arch import ACCESS_NAMES, EXECUTE, INSTRUCTIONS, READ, WRITE
from stage2fuzz.case.el2 import HypOp
from stage2fuzz.case.limits import MAX_CACHE_PAGES, MAX_FAILING_ALLOC, MAX_FAILING_TOPUP
from stage2fuzz.case.profile import Profile
from stage2fuzz.case.scenario import (
    GIB,
    MAX_NESTED,
    MAX_SLOTS,
    PLACES,
    RANGE_PAGES,
    SKEWS,
    SLOT_FIRSTS,
    SLOT_STRIDE,
    Backing,
    Host,
    Op,
    Slot,
    Tlb,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class VersionedMenu(Generic[T]):
    """The values of one menu by the version of the byte format that added them."""

    groups: Mapping[int, tuple[T, ...]]

    def values(self, version: int) -> tuple[T, ...]:
        """Those of a version, in the order of their bytes."""
        return tuple(
            value for since, group in self.groups.items() if since <= version for value in group
        )


NEWEST: Final[int] = 13
"""The version of the byte format that ``encode`` writes."""

_EVERY_CALL: Final = tuple(HypOp)
_SPARE: Final = 64 - len(_EVERY_CALL)
CALLS: Final = tuple(
    (*_EVERY_CALL, *(often[i % len(often)] for i in range(_SPARE)))
    for often in (
        (HypOp.LOAD, HypOp.LOAD, HypOp.HOST_WRITE, HypOp.FINALIZE_TEARDOWN, HypOp.UNSHARE_GUEST),
        (HypOp.GUEST_WRITE, HypOp.GUEST_SHARE, HypOp.GUEST_WRITE, HypOp.GUEST_UNSHARE, HypOp.PUT),
    )
)
"""The calls of a host CPU by the low bits of their byte: without a vCPU loaded, and with one. What
makes sense there comes often. A call that comes later takes a place of a frequent one."""
EL2_PLACES: Final = (0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3)
"""Pages by half a byte: most calls must meet."""
EL2_VMS: Final = (0, 0, 0, 1, 2, 2, 2, 3)

# What the bytes 0, 1, 2 ... stand for where a profile allows it, by the version that added it.
VCPUS: Final = VersionedMenu({1: (2, 1, 3, 4, 5, 6, 7, 8)})
HOSTS: Final = VersionedMenu({1: (0, 1, 2)})
SLOTS: Final = VersionedMenu({1: (1, 2)})
HOST_PAGES: Final = VersionedMenu({1: (0, 1, 2, 3, 4)})
SIZES: Final = VersionedMenu(
    {
        1: (4, 1, 2, 512, 1024, GIB, GIB + 512, 1 << 19),
        3: (3, 5, 100, 511, 513, 700, 1023, GIB - 1, GIB + 1),
        4: (8 * GIB,),
        13: (8 * GIB + 512,),
    }
)
BACKINGS: Final = VersionedMenu({1: (Backing.PAGE, Backing.PMD, Backing.PUD, Backing.DEVICE)})
HOST_KINDS: Final = VersionedMenu(
    {1: (Host.R, Host.ABSENT, Host.POISON, Host.LAZY), 5: (Host.COW,)}
)
OPERATIONS: Final = VersionedMenu(
    {
        1: (
            Op.LOG_ENABLE,
            Op.LOG_DISABLE,
            Op.LOG_GET,
            Op.LOG_CLEAR,
            Op.MOVE,
            Op.PROTECT,
            Op.UNPROTECT,
            Op.AGE,
            Op.TEST_YOUNG,
            Op.CHANGE_PTE,
            Op.SLOT_DELETE,
            Op.TEARDOWN,
            Op.HYP_MAP,
        ),
        3: (Op.INVALIDATE, Op.INVALIDATE_NONBLOCK, Op.SLOT_CREATE),
        5: (Op.MUNMAP, Op.MMAP, Op.SHARE),
        8: (
            Op.GUEST_UNMAP,
            Op.GUEST_TLBI_IPA,
            Op.GUEST_MAP,
            Op.GUEST_TLBI_VMID,
            Op.GUEST_PROTECT,
            Op.GUEST_TLBI_RANGE,
            Op.GUEST_MOVE,
            Op.GUEST_TLBI_ALL,
        ),
        10: (Op.SLOT_MOVE, Op.THP_SPLIT, Op.THP_COLLAPSE),
        11: (Op.VCPU_INIT,),
        13: (Op.CACHES_OFF, Op.CACHES_ON, Op.SLOT_LIMIT),
    }
)
KINDS: Final = (
    VersionedMenu({1: (WRITE, READ, EXECUTE)}),
    VersionedMenu({1: (READ, WRITE, EXECUTE)}),
)
"""By the vCPU's parity, so that an empty input is a write and a read of one page."""
INSTRUCTION: Final = 192
"""A byte of an access's instruction up to here leaves it a plain read, write or fetch."""
SPECIAL: Final = VersionedMenu(
    {4: tuple(kind for kind in INSTRUCTIONS.values() if kind not in ACCESS_NAMES)}
)
"""Instructions whose fault says more than which right was missing, from ``INSTRUCTION`` on."""
TLBS: Final = VersionedMenu({1: (Tlb.FRESH, Tlb.STICKY, Tlb.SAMPLED)})
CACHE: Final = (*[0] * 128, *(1 + i % MAX_CACHE_PAGES for i in range(128)))
TOPUP: Final = (*[0] * (256 - MAX_FAILING_TOPUP), *range(1, MAX_FAILING_TOPUP + 1))
"""Rare values from the end of the range: most inputs must not fail for want of memory."""
ALLOC: Final = (*[0] * 160, *range(1, MAX_FAILING_ALLOC + 1), *range(1, 34))
"""The request for memory that fails, mostly an early one: few runs make many."""
ALLOC_SINCE: Final = 7
"""The version that brought it."""
NESTED: Final = (*[0] * 192, *(1 + i % MAX_NESTED for i in range(64)))
"""Guests of a guest hypervisor; in most inputs there is none."""
NESTED_SINCE: Final = 8
"""The version that brought them."""

FIRSTS: Final = (*[0] * 192, *(SLOT_FIRSTS[1 + i % (len(SLOT_FIRSTS) - 1)] for i in range(64)))
"""Most slots begin at a multiple of 4 GiB."""
GEOMETRY: Final = 3
"""The version that brought odd geometry: 64 places for 8, 16 ranges for 4, first pages of slots."""
FARTHEST: Final = 13
"""The version that brought a ninth eight of places, the longest range, and more skews."""
FAR: Final = 192
"""A byte of places up to here names the first eight, as most accesses must meet."""
RANGED: Final = 128
"""A byte of an operation's range up to here names the first places and ranges."""
SKEW: Final = (*[1] * 128, *(SKEWS[i % len(SKEWS)] for i in range(128)))
"""Pages by which a slot is skewed, if it is."""


_SHORT: Final = RANGE_PAGES[:16]


def place_groups(version: int) -> int:
    """How many eights of places a version knows."""
    if version >= FARTHEST:
        return len(PLACES) // 8
    return 8 if version >= GEOMETRY else 1


SLOT_FLAGS: Final = VersionedMenu(
    {1: ("readonly", "logging", "skewed"), 10: ("hugetlb", "contiguous")}
)
"""Bits 2 to 6 of a slot's second byte; bits 0 and 1 are its backing."""
OPTION_FLAGS: Final = ("pending_stores", "hardware_af", "dic", "fwb", "teardown", "ipa_bits")
"""Bits 0 to 5 of the option byte; bits 6 and 7 are the TLB."""
RARE_FLAGS: Final = VersionedMenu(
    {2: ("failing_atomic",), 4: ("vhe",), 10: ("vncr",), 12: ("mte",)}
)
"""Options of the byte of rare options, each set where two bits are: a quarter of all bytes."""


LOG_FLAGS: Final = VersionedMenu({6: ("manual_protect", "initially_set"), 9: ("dirty_ring",)})
"""Options of the byte of dirty logs, in the same way."""


@dataclass(frozen=True, slots=True, eq=False)
class Menus:
    """The menus of one profile; each tuple has 256 values."""

    vcpus: tuple[int, ...]
    hosts: tuple[int, ...]
    slots: tuple[int, ...]
    host_pages: tuple[int, ...]
    sizes: tuple[int, ...]
    firsts: tuple[int, ...]
    backings: tuple[Backing, ...]
    slot_flags: tuple[tuple[bool, ...], ...]
    host_kinds: tuple[Host, ...]
    operations: tuple[Op, ...]
    kinds: tuple[tuple[int, ...], tuple[int, ...]]
    """By the vCPU's parity."""
    special: tuple[int, ...]
    """0 where the kind is a plain one."""
    tlbs: tuple[Tlb, ...]
    cache: tuple[int, ...]
    topup: tuple[int, ...]
    alloc: tuple[int, ...]
    nested: tuple[int, ...]
    option_flags: tuple[tuple[bool, ...], ...]
    rare_flags: tuple[tuple[bool, ...], ...]
    log_flags: tuple[tuple[bool, ...], ...]
    ranges: tuple[int, ...]
    """Pages of a host operation, by five bits."""


@lru_cache(maxsize=64)
def menus_of(profile: Profile, version: int) -> Menus:
    """The menus of a profile in a version of the byte format."""
    options = profile.options

    def menu(each: VersionedMenu[T], allowed: Sequence[T], shift: int = 0) -> tuple[T, ...]:
        return _menu(each.values(version), allowed, shift)

    plain = [kind for kind in profile.accesses if kind in ACCESS_NAMES]
    forced = ("logging",) if profile.logging_on else ()
    nested = _menu(NESTED, profile.nested, 0)
    return Menus(
        vcpus=menu(VCPUS, profile.vcpus),
        hosts=menu(HOSTS, profile.hosts),
        slots=menu(SLOTS, profile.slots),
        host_pages=menu(HOST_PAGES, profile.host_pages),
        sizes=menu(SIZES, profile.slot_pages),
        firsts=tuple(first if first in profile.slot_firsts else 0 for first in FIRSTS),
        backings=menu(BACKINGS, profile.backings),
        slot_flags=_flags(SLOT_FLAGS.values(version), profile.slot_flags, 2, forced),
        host_kinds=menu(HOST_KINDS, profile.host_kinds, 4),
        operations=menu(OPERATIONS, profile.operations),
        kinds=(menu(KINDS[0], plain, 4), menu(KINDS[1], plain, 4)),
        special=_special(version, profile.accesses),
        tlbs=menu(TLBS, tuple(Tlb) if "tlb" in options else (Tlb.FRESH,), 6),
        cache=CACHE if "cache_pages" in options else (0,) * 256,
        topup=TOPUP if "failing_topup" in options else (0,) * 256,
        alloc=ALLOC if version >= ALLOC_SINCE and "failing_alloc" in options else (0,) * 256,
        nested=nested if version >= NESTED_SINCE else nested[:1] * 256,
        option_flags=_flags(OPTION_FLAGS, options, 0, ()),
        rare_flags=_rare_flags(RARE_FLAGS.values(version), options),
        log_flags=_rare_flags(LOG_FLAGS.values(version), options),
        ranges=(*_SHORT, *(RANGE_PAGES[16:] * 16 if version >= FARTHEST else _SHORT)),
    )


@lru_cache(maxsize=1024)
def pages_of(
    slots: tuple[Slot, ...], profile: Profile, outside: bool, version: int
) -> tuple[int, ...]:
    """The pages that the low half of a byte and a place group (times 16, of 16) stand for.

    ``outside`` says whether pages of no slot are among them.
    """
    groups = place_groups(version)
    known = PLACES[: 8 * groups]
    allowed = [
        slot * SLOT_STRIDE + place
        for slot in range(MAX_SLOTS if outside else len(slots))
        for place in profile.places
        if place in known and (outside or _holds(slots[slot], place))
    ] or [slots[0].first]
    every = [
        SLOT_STRIDE * (half >> 3) + PLACES[8 * group + (half & 7)]
        for group in (number % groups for number in range(16))
        for half in range(16)
    ]
    return tuple(
        page if page in allowed else allowed[i % len(allowed)] for i, page in enumerate(every)
    )


def _holds(slot: Slot, place: int) -> bool:
    return slot.first <= place < slot.first + slot.pages


def page_half(page: int) -> int:
    """The low half of a byte that stands for a page."""
    slot, place = divmod(page, SLOT_STRIDE)
    return slot << 3 | PLACES.index(place) & 7


def page_group(page: int) -> int:
    """Which eight of the places a page is among."""
    return PLACES.index(page % SLOT_STRIDE) >> 3


def flag_bits(flags: Sequence[bool], shift: int) -> int:
    """The bits of flags that are set, the first at bit ``shift``."""
    return sum(1 << shift + bit for bit, is_set in enumerate(flags) if is_set)


def _menu(values: Sequence[T], allowed: Sequence[T], shift: int) -> tuple[T, ...]:
    """The value of each byte; ``shift`` drops low bits that say something else.

    What a profile allows beyond the values of this version counts only if it allows none of them.
    """
    mine = [value for value in allowed if value in values] or allowed
    menu = []
    for byte in range(256):
        value = values[(byte >> shift) % len(values)]
        menu.append(value if value in mine else mine[(byte >> shift) % len(mine)])
    return tuple(menu)


def _flags(
    names: Sequence[str], allowed: Sequence[str], shift: int, forced: Sequence[str]
) -> tuple[tuple[bool, ...], ...]:
    """For each byte, whether each named flag is set."""
    return tuple(
        tuple(
            name in forced or (name in allowed and bool(byte >> shift + bit & 1))
            for bit, name in enumerate(names)
        )
        for byte in range(256)
    )


def _special(version: int, allowed: Sequence[int]) -> tuple[int, ...]:
    """The special instruction of each byte, 0 where it leaves the plain kind."""
    known = SPECIAL.values(version)
    mine = [kind for kind in known if kind in allowed]
    if not mine:
        return (0,) * 256
    every = [kind if kind in mine else mine[at % len(mine)] for at, kind in enumerate(known)]
    return (0,) * INSTRUCTION + tuple(every[i % len(every)] for i in range(256 - INSTRUCTION))


def _rare_flags(names: Sequence[str], allowed: Sequence[str]) -> tuple[tuple[bool, ...], ...]:
    """For each byte, whether each named flag is set; at most one a pair of bits."""
    return tuple(
        tuple(name in allowed and byte >> 2 * at & 3 == 3 for at, name in enumerate(names))
        for byte in range(256)
    )


def rare_bits(flags: Sequence[bool]) -> int:
    """The byte of rare options that are set."""
    return sum(3 << 2 * at for at, is_set in enumerate(flags) if is_set)
