"""Profile: the part of all cases that one fuzz target explores.

Without it every target would search the same space and spend most of its inputs on scenarios that
cannot show its fault. A profile only restricts: the same bytes mean the same case under every
profile that allows it, so a seed or a finding moves between targets unchanged.
"""

from dataclasses import dataclass
from typing import Final

from stage2fuzz.case.scenario import (
    ACCESS_KINDS,
    GIB,
    MAX_HOST_PAGES,
    MAX_HOST_THREADS,
    MAX_NESTED,
    MAX_SLOTS,
    MAX_VCPUS,
    PLACES,
    SLOT_FIRSTS,
    SLOT_PAGES,
    Backing,
    Host,
    Op,
)
from stage2fuzz.errors import InputError

OPTION_NAMES: Final = (
    "pending_stores",
    "hardware_af",
    "dic",
    "fwb",
    "teardown",
    "ipa_bits",
    "tlb",
    "cache_pages",
    "failing_topup",
    "failing_atomic",
    "vhe",
    "manual_protect",
    "initially_set",
    "failing_alloc",
    "dirty_ring",
    "mte",
    "nested",
    "vncr",
)


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Which values each part of a scenario may have; compared by identity, as a key of caches.

    What a byte asks for and the profile forbids becomes one of the allowed values, so the first
    value of each tuple is what an empty input gets.
    """

    name: str
    vcpus: tuple[int, ...] = (2, *range(1, MAX_VCPUS + 1))
    hosts: tuple[int, ...] = tuple(range(MAX_HOST_THREADS + 1))
    slots: tuple[int, ...] = tuple(range(1, MAX_SLOTS + 1))
    host_pages: tuple[int, ...] = tuple(range(MAX_HOST_PAGES + 1))
    accesses: tuple[int, ...] = ACCESS_KINDS
    """Access kinds: READ, WRITE, EXECUTE."""
    places: tuple[int, ...] = PLACES
    slot_pages: tuple[int, ...] = SLOT_PAGES
    slot_firsts: tuple[int, ...] = SLOT_FIRSTS
    backings: tuple[Backing, ...] = tuple(Backing)
    slot_flags: tuple[str, ...] = ("readonly", "logging", "skewed", "hugetlb", "contiguous")
    """The slot flags that may be set."""
    logging_on: bool = False
    """Every slot has its dirty log on from the start."""
    outside: bool = True
    """Accesses to pages of no slot."""
    host_kinds: tuple[Host, ...] = (Host.R, Host.ABSENT, Host.POISON, Host.LAZY, Host.COW)
    operations: tuple[Op, ...] = tuple(Op)
    options: tuple[str, ...] = OPTION_NAMES
    """The options that may leave their default."""
    cpus: tuple[int, ...] = ()
    """How many host CPUs call EL2, for the engine of pKVM; then nothing else is drawn."""
    nested: tuple[int, ...] = (0,)
    """Guests of a guest hypervisor."""


_ODD_PLACES = (3, 63, 64, 65, 256, 300, 510, 514, 767, 768, 1000, 1022, 1023, 1024)
"""Inside blocks and words of the dirty bitmap, and at their edges."""
_ODD_SIZES = (3, 511, 513, 700, 1023)
_LOG = (Op.LOG_GET, Op.LOG_CLEAR, Op.LOG_ENABLE, Op.LOG_DISABLE)
_CLEARING = ("manual_protect", "initially_set")
_FAILING = ("failing_topup", "failing_atomic", "failing_alloc")
_MACHINE = ("pending_stores", "dic", "ipa_bits", "tlb", "vhe")

ANY: Final = Profile("any", nested=tuple(range(MAX_NESTED + 1)))
MAP_RACE: Final = Profile(
    "map_race",
    vcpus=(2, 3, 4),
    hosts=(0,),
    slots=(1,),
    host_pages=(0, 1),
    places=(0, 1),
    slot_pages=(4, 2, 1),
    slot_firsts=(0,),
    backings=(Backing.PAGE,),
    slot_flags=(),
    outside=False,
    host_kinds=(Host.LAZY, Host.COW),
    options=(*_MACHINE, "teardown", "cache_pages"),
)
PERMISSION_MIX: Final = Profile(
    "permission_mix",
    vcpus=(2, 1, 3, 4),
    hosts=(0, 1),
    slots=(1,),
    places=(0, 1, 2, 511, 512),
    slot_pages=(4, 1, 2, 512, 1024),
    slot_firsts=(0,),
    backings=(Backing.PAGE, Backing.PMD, Backing.DEVICE),
    slot_flags=("readonly",),
    outside=False,
    operations=(Op.PROTECT, Op.UNPROTECT, Op.CHANGE_PTE, Op.SHARE),
    options=(*_MACHINE, "hardware_af", "fwb"),
)
DIRTY_LOGGING: Final = Profile(
    "dirty_logging",
    vcpus=(2, 1, 3, 4),
    hosts=(1, 0),
    slots=(1,),
    host_pages=(0, 1, 2),
    places=(0, 1, 2, 511, 512, *_ODD_PLACES),
    slot_pages=(4, 1, 2, 512, 1024, *_ODD_SIZES),
    slot_firsts=(0,),
    backings=(Backing.PAGE, Backing.PMD),
    slot_flags=("logging", "readonly"),
    logging_on=True,
    outside=False,
    operations=_LOG,
    options=(*_MACHINE, "cache_pages", *_FAILING, *_CLEARING, "mte"),
)
NOTIFIER: Final = Profile(
    "notifier",
    vcpus=(2, 1, 3, 4),
    hosts=(1, 2),
    slots=(1,),
    host_pages=(0, 1),
    places=(0, 1, 2, 511, 512, *_ODD_PLACES),
    slot_pages=(4, 512, 1024, *_ODD_SIZES),
    backings=(Backing.PAGE, Backing.PMD),
    slot_flags=("logging",),
    outside=False,
    operations=(
        Op.MOVE,
        Op.PROTECT,
        Op.UNPROTECT,
        Op.CHANGE_PTE,
        Op.AGE,
        Op.TEST_YOUNG,
        Op.SLOT_DELETE,
        Op.INVALIDATE,
        Op.INVALIDATE_NONBLOCK,
        Op.MUNMAP,
        Op.MMAP,
        Op.SHARE,
        Op.THP_SPLIT,
        Op.THP_COLLAPSE,
    ),
    options=(*_MACHINE, "hardware_af", "teardown"),
)
BLOCK_SPLIT: Final = Profile(
    "block_split",
    vcpus=(2, 1, 3, 4),
    hosts=(1, 0),
    slots=(1,),
    host_pages=(0, 1),
    slot_pages=(1024, 512, GIB, GIB + 512, *_ODD_SIZES, GIB - 1, GIB + 1, 8 * GIB, 8 * GIB + 512),
    backings=(Backing.PMD, Backing.PUD),
    slot_flags=("logging", "skewed", "hugetlb", "contiguous"),
    outside=False,
    operations=(*_LOG, Op.MOVE, Op.INVALIDATE, Op.THP_SPLIT, Op.THP_COLLAPSE),
    options=(*_MACHINE, "cache_pages", *_FAILING, "teardown", *_CLEARING, "mte"),
)
LIFECYCLE: Final = Profile(
    "lifecycle",
    vcpus=(2, 1, 3),
    hosts=(1, 2),
    places=(0, 1, 2, 511, 512, *_ODD_PLACES, GIB, GIB + 1, GIB + 511, GIB + 512),
    slot_pages=(4, 512, 1024, *_ODD_SIZES),
    backings=(Backing.PAGE, Backing.PMD),
    slot_flags=("logging", "readonly"),
    host_pages=(0, 1),
    operations=(
        Op.SLOT_DELETE,
        Op.SLOT_CREATE,
        Op.SLOT_MOVE,
        Op.VCPU_INIT,
        Op.CACHES_OFF,
        Op.CACHES_ON,
        Op.SLOT_LIMIT,
        Op.MOVE,
        Op.INVALIDATE,
        Op.INVALIDATE_NONBLOCK,
        Op.CHANGE_PTE,
        Op.LOG_ENABLE,
        Op.LOG_DISABLE,
        Op.LOG_GET,
        Op.TEARDOWN,
        Op.HYP_MAP,
    ),
    options=(*_MACHINE, "hardware_af", "teardown", "failing_alloc", "mte"),
)

NESTED: Final = Profile(
    "nested",
    vcpus=(2, 1, 3),
    hosts=(1, 2, 0),
    slots=(1,),
    host_pages=(0, 1),
    places=(0, 1, 2, 3, 512),
    slot_pages=(4, 2, 512, 1024),
    slot_firsts=(0,),
    backings=(Backing.PAGE, Backing.PMD),
    slot_flags=("logging",),
    outside=False,
    host_kinds=(Host.LAZY, Host.COW),
    operations=(
        *(op for op in Op if Op.GUEST_UNMAP <= op <= Op.GUEST_TLBI_ALL),
        *(Op.MOVE, Op.INVALIDATE, Op.LOG_GET, Op.LOG_ENABLE),
    ),
    options=(*_MACHINE, "hardware_af", "fwb", "teardown", "vncr"),
    nested=tuple(range(1, MAX_NESTED + 1)),
)

PROFILES: Final = {
    profile.name: profile
    for profile in (
        MAP_RACE,
        PERMISSION_MIX,
        DIRTY_LOGGING,
        NOTIFIER,
        BLOCK_SPLIT,
        LIFECYCLE,
        NESTED,
        ANY,
    )
}


HYPERCALLS: Final = Profile("hypercalls", cpus=(2, 3, 4, 1), options=("fwb", "teardown"))
"""The cases of EL2; no other engine runs them, so whoever draws from ``PROFILES`` gets none."""


def profile_named(name: str) -> Profile:
    """The profile of a fuzz target."""
    if name == HYPERCALLS.name:
        return HYPERCALLS
    if name not in PROFILES:
        raise InputError(
            f"profile {name[:80]!r}", "no such profile", "one of " + ", ".join(PROFILES)
        )
    return PROFILES[name]
