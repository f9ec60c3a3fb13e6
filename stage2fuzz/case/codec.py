"""Bytes <-> Case: every byte string is a case, and every case has a byte string.

libFuzzer changes bytes without knowing what they mean, so the layout keeps a change local: each
part of the scenario has its place, unused parts keep theirs, and scenario, choices and schedule
are streams of their own that never shift one another. Missing bytes are zero. The engine's name is
not in the bytes: the same input can be run by every engine.

Layout: 192 bytes of scenario (counts and options, slots, host pages, vCPU programs, host programs,
and what came later; version 1 has the first 73, versions 2 and 3 the first 128), 24 choices, then
pairs (thread, points) until the end. A pair whose first byte is 0xF0 or more appends its second
byte to the choices instead, so that a run with more choices still has bytes.

An input of a later version than 1 begins with ``MAGIC`` and its version, four bytes that are no
part of the layout; each version keeps its menus, so old inputs mean for ever what they meant. A
byte that a version does not know is ignored in it.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Final, TypeVar

from stage2fuzz.arch import ACCESS_NAMES
from stage2fuzz.case import menus
from stage2fuzz.case.case import Case
from stage2fuzz.case.el2 import MAX_HYP_CALLS, HypCall, HypOp, plain_hyp_call
from stage2fuzz.case.limits import IPA_BITS, MAX_CHOICES, MAX_RUNS, check_case, schedulable
from stage2fuzz.case.menus import Menus, VersionedMenu, menus_of, page_group, page_half, pages_of
from stage2fuzz.case.profile import ANY, HYPERCALLS, Profile
from stage2fuzz.case.scenario import (
    GIB,
    MAX_ACCESSES,
    MAX_HOST_OPS,
    MAX_HOST_PAGES,
    MAX_HOST_THREADS,
    MAX_SLOTS,
    MAX_VCPUS,
    RANGE_PAGES,
    Access,
    HostOp,
    HostPage,
    Options,
    Scenario,
    Slot,
)
from stage2fuzz.schedule.base import FOREVER, Run, Schedule

VCPU_COUNT_AT: Final = 0
HOST_COUNT_AT: Final = 1
SLOT_COUNT_AT: Final = 2
HOST_PAGE_COUNT_AT: Final = 3
OPTIONS_AT: Final = 4
CACHE_AT: Final = 5
TOPUP_AT: Final = 6
SLOTS_AT: Final = 7
SLOT_BYTES: Final = 2
HOST_PAGES_AT: Final = SLOTS_AT + SLOT_BYTES * MAX_SLOTS
VCPUS_AT: Final = HOST_PAGES_AT + MAX_HOST_PAGES
VCPU_BYTES: Final = 1 + MAX_ACCESSES
HOSTS_AT: Final = VCPUS_AT + VCPU_BYTES * MAX_VCPUS
HOST_BYTES: Final = 1 + 2 * MAX_HOST_OPS
RARE_AT: Final = HOSTS_AT + HOST_BYTES * MAX_HOST_THREADS
FIRSTS_AT: Final = RARE_AT + 1
RANGES_AT: Final = FIRSTS_AT + MAX_SLOTS
FAR_AT: Final = RANGES_AT + MAX_HOST_OPS * MAX_HOST_THREADS
FAR_PAGES_AT: Final = FAR_AT + MAX_ACCESSES * MAX_VCPUS
CPUS_AT: Final = SLOTS_AT
HYP_CALL_BYTES: Final = 3
CPU_BYTES: Final = 1 + HYP_CALL_BYTES * MAX_HYP_CALLS
"""Under a profile of host CPUs their programs stand where slots and vCPUs do otherwise."""
INSTRUCTIONS_AT: Final = 128
LOGS_AT: Final = INSTRUCTIONS_AT + MAX_ACCESSES * MAX_VCPUS
ALLOC_AT: Final = LOGS_AT + 1
NESTED_AT: Final = ALLOC_AT + 1
SKEWS_AT: Final = NESTED_AT + 1
CHOICES_AT: Final = 192
SCENARIO_BYTES: Final = {1: RARE_AT, 2: 128, 3: 128}
"""Bytes of the scenario in the versions that have fewer."""
CHOICES: Final = 24
SCHEDULE_AT: Final = CHOICES_AT + CHOICES
MORE_CHOICES: Final = 0xF0

MAGIC: Final = b"\xf5S2"
"""Before the version's byte; an input of version 1 has neither, and none is known to begin so."""
HEADER_BYTES: Final = len(MAGIC) + 1

POINTS: Final = (*range(1, 241), *(1 << i for i in range(8, 23)), FOREVER)
"""Points of a run by its byte, ascending: small numbers, powers of two, no limit."""

T = TypeVar("T")
_access = lru_cache(maxsize=1024)(Access)
_host_op = lru_cache(maxsize=1024)(HostOp)


def decode(data: bytes, engine: str, profile: Profile = ANY) -> Case:
    """The case of any byte string; ``engine`` is taken as it is."""
    version, data = _opened(data)
    first = SCENARIO_BYTES.get(version, CHOICES_AT)
    if first < CHOICES_AT:
        data = data[:first].ljust(CHOICES_AT, b"\0") + data[first:]
    scenario = _scenario(data[:CHOICES_AT], profile, version)
    choices = list(data[CHOICES_AT:SCHEDULE_AT])
    runs: list[Run] = []
    last = -1
    threads = data[SCHEDULE_AT::2].translate(_threads(schedulable(scenario)))
    for thread, byte in zip(threads, data[SCHEDULE_AT + 1 :: 2], strict=False):
        if thread == last:
            runs[-1] = (thread, min(runs[-1][1] + POINTS[byte], FOREVER))
        elif thread < MORE_CHOICES:
            runs.append((thread, POINTS[byte]))
            last = thread
        else:
            choices.append(byte)
    del runs[MAX_RUNS:], choices[MAX_CHOICES:]
    while choices and not choices[-1]:
        choices.pop()
    return Case(engine, scenario, Schedule(tuple(runs), tuple(choices)))


def encode(case: Case) -> bytes:
    """Bytes that ``decode`` to this case in normal form; InputError where it breaks a limit."""
    check_case(case, "case")
    data = bytearray(SCHEDULE_AT)
    if case.scenario.cpus:
        _encode_cpus(data, case.scenario)
    else:
        _encode_machine(data, case.scenario)
        _encode_programs(data, case.scenario)
    choices = bytes(case.schedule.choices)
    data[CHOICES_AT:SCHEDULE_AT] = choices[:CHOICES].ljust(CHOICES, b"\0")
    for thread, points in case.schedule.runs:
        while points:
            byte = _largest(points)
            data += bytes((thread, byte))
            points -= POINTS[byte]
    for choice in choices[CHOICES:]:
        data += bytes((MORE_CHOICES, choice))
    return newest(bytes(data))


def newest(body: bytes) -> bytes:
    """The input that has this body in the newest version; for bodies drawn at random, too."""
    return body if menus.NEWEST == 1 else MAGIC + bytes((menus.NEWEST,)) + body


def change_body(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """``data`` with its body changed by whoever does not know what bytes mean; same version."""
    body = _opened(data)[1]
    return data[: len(data) - len(body)] + change(body)


def _opened(data: bytes) -> tuple[int, bytes]:
    """The version of an input, and its body; one newer than we know is read as the newest."""
    if len(data) < HEADER_BYTES or not data.startswith(MAGIC):
        return 1, data
    return min(max(1, data[len(MAGIC)]), menus.NEWEST), data[HEADER_BYTES:]


@lru_cache(maxsize=4096)
def _scenario(data: bytes, profile: Profile, version: int) -> Scenario:
    """The scenario of its bytes; cached, as most mutations touch the schedule alone."""
    data = data.ljust(CHOICES_AT, b"\0")
    if profile.cpus:
        return _cpus(data, profile)
    if version < menus.GEOMETRY:
        data = data[:FIRSTS_AT].ljust(CHOICES_AT, b"\0")
    elif version < menus.FARTHEST:
        data = data[:SKEWS_AT].ljust(CHOICES_AT, b"\0")
    menu = menus_of(profile, version)
    count = menu.slots[data[SLOT_COUNT_AT]]
    slots = tuple(_slot(data, number, menu) for number in range(count))
    if version < menus.FARTHEST:
        slots = (*(_small(slot) for slot in slots[:-1]), slots[-1])
    backed = pages_of(slots, profile, False, version)
    pages = pages_of(slots, profile, True, version) if profile.outside else backed
    return Scenario(
        slots,
        tuple(
            _vcpu(data, number, menu, pages) for number in range(menu.vcpus[data[VCPU_COUNT_AT]])
        ),
        tuple(
            _host(data, number, menu, backed) for number in range(menu.hosts[data[HOST_COUNT_AT]])
        ),
        _host_pages(data, menu, backed),
        _options(data, menu),
    )


def _small(slot: Slot) -> Slot:
    """What versions before the newest made of a slot that reaches into the next one of theirs."""
    return replace(slot, pages=GIB) if slot.first + slot.pages > 4 * GIB else slot


def _cpus(data: bytes, profile: Profile) -> Scenario:
    """The calls of host CPUs: how many, then two bytes each."""
    flags = menus_of(profile, menus.NEWEST).option_flags[data[OPTIONS_AT]]
    count = profile.cpus[data[VCPU_COUNT_AT] % len(profile.cpus)]
    firsts = range(CPUS_AT, CPUS_AT + CPU_BYTES * count, CPU_BYTES)
    cpus = tuple(_cpu(data[at : at + CPU_BYTES]) for at in firsts)
    options = Options(fwb=flags[3], teardown=flags[4])
    return Scenario(vcpus=(), options=options, cpus=cpus)


def _cpu(data: bytes) -> tuple[HypCall, ...]:
    """One host CPU's calls: how many, then for each its name, its pages, its VM and flag."""
    calls: list[HypCall] = []
    loaded = False
    for at in range(1, 1 + HYP_CALL_BYTES * (1 + data[0] % MAX_HYP_CALLS), HYP_CALL_BYTES):
        op, pages, more = data[at : at + HYP_CALL_BYTES]
        kind = menus.CALLS[loaded][op % 64]
        page, gfn = menus.EL2_PLACES[pages & 15], menus.EL2_PLACES[pages >> 4]
        vm = menus.EL2_VMS[more & 7]
        calls.append(plain_hyp_call(HypCall(kind, page, gfn, vm, more >> 7)))
        loaded = _is_loaded(kind, loaded)
    return tuple(calls)


def _is_loaded(kind: HypOp, before: bool) -> bool:
    """Whether a vCPU is loaded after a call, as far as bytes tell."""
    return kind is HypOp.LOAD or (before and kind is not HypOp.PUT)


def _slot(data: bytes, number: int, menu: Menus) -> Slot:
    """One memslot."""
    size, flags = data[SLOTS_AT + SLOT_BYTES * number : SLOTS_AT + SLOT_BYTES * (number + 1)]
    first = menu.firsts[data[FIRSTS_AT + number]]
    readonly, logging, skewed, hugetlb, contiguous = (*menu.slot_flags[flags], False, False)[:5]
    return Slot(
        pages=menu.sizes[size],
        backing=menu.backings[flags],
        readonly=readonly,
        logging=logging,
        skewed=menus.SKEW[data[SKEWS_AT + number]] if skewed else 0,
        first=first,
        hugetlb=hugetlb,
        contiguous=contiguous,
    )


def _vcpu(data: bytes, number: int, menu: Menus, pages: tuple[int, ...]) -> tuple[Access, ...]:
    """One vCPU's program: how many accesses, then each."""
    at = VCPUS_AT + VCPU_BYTES * number
    near = data[at + 1 : at + 2 + data[at] % MAX_ACCESSES]
    far = FAR_AT + MAX_ACCESSES * number
    special = INSTRUCTIONS_AT + MAX_ACCESSES * number
    kinds = menu.kinds[number & 1]
    return tuple(
        _access(
            menu.special[data[special + i]] or kinds[byte], pages[_far_half(byte, data[far + i])]
        )
        for i, byte in enumerate(near)
    )


def _host(data: bytes, number: int, menu: Menus, pages: tuple[int, ...]) -> tuple[HostOp, ...]:
    """One host thread's program: how many operations, then for each its name and its range."""
    at = HOSTS_AT + HOST_BYTES * number
    operations = []
    for i in range(1 + data[at] % MAX_HOST_OPS):
        where = data[at + 2 + 2 * i]
        more = data[RANGES_AT + MAX_HOST_OPS * number + i]
        more = more if more >= menus.RANGED else 0
        page = pages[where & 15 | (more & 7 | more >> 2 & 8) << 4]
        length = menu.ranges[where >> 4 & 3 | more >> 1 & 12 | more >> 2 & 16]
        operations.append(_host_op(menu.operations[data[at + 1 + 2 * i]], page, length))
    return tuple(operations)


def _far_half(byte: int, far: int) -> int:
    """The index of a page: the half of its byte, and the group that a byte of places names."""
    return byte & 15 | (far & 15) << 4 if far >= menus.FAR else byte & 15


def _host_pages(data: bytes, menu: Menus, pages: tuple[int, ...]) -> tuple[HostPage, ...]:
    """What the host grants on single pages; a page named again keeps its first meaning."""
    count = menu.host_pages[data[HOST_PAGE_COUNT_AT]]
    first: dict[int, HostPage] = {}
    for i, byte in enumerate(data[HOST_PAGES_AT : HOST_PAGES_AT + count]):
        page = pages[_far_half(byte, data[FAR_PAGES_AT + i])]
        first.setdefault(page, HostPage(page, menu.host_kinds[byte]))
    return tuple(first.values())


def _options(data: bytes, menu: Menus) -> Options:
    """The machine around the engine."""
    byte = data[OPTIONS_AT]
    pending_stores, hardware_af, dic, fwb, teardown, deep = menu.option_flags[byte]
    rare = (*menu.rare_flags[data[RARE_AT]], False, False, False, False)[:4]
    failing_atomic, vhe, vncr, mte = rare
    logs = (*menu.log_flags[data[LOGS_AT]], False, False, False)[:3]
    manual_protect, initially_set, dirty_ring = logs
    return Options(
        ipa_bits=IPA_BITS[deep],
        tlb=menu.tlbs[byte],
        pending_stores=pending_stores,
        hardware_af=hardware_af,
        dic=dic,
        fwb=fwb,
        cache_pages=menu.cache[data[CACHE_AT]],
        failing_topup=menu.topup[data[TOPUP_AT]],
        teardown=teardown,
        failing_atomic=failing_atomic,
        vhe=vhe,
        manual_protect=manual_protect,
        initially_set=initially_set,
        failing_alloc=menu.alloc[data[ALLOC_AT]],
        dirty_ring=dirty_ring,
        mte=mte,
        nested=menu.nested[data[NESTED_AT]],
        vncr=vncr,
    )


def _encode_machine(data: bytearray, scenario: Scenario) -> None:
    """Write the counts, the options, the slots and the host pages."""
    options = scenario.options
    flags = (
        options.pending_stores,
        options.hardware_af,
        options.dic,
        options.fwb,
        options.teardown,
        options.ipa_bits != IPA_BITS[0],
    )
    data[VCPU_COUNT_AT] = _byte(menus.VCPUS, len(scenario.vcpus))
    data[HOST_COUNT_AT] = _byte(menus.HOSTS, len(scenario.hosts))
    data[SLOT_COUNT_AT] = _byte(menus.SLOTS, len(scenario.slots))
    data[HOST_PAGE_COUNT_AT] = _byte(menus.HOST_PAGES, len(scenario.host_pages))
    data[OPTIONS_AT] = menus.flag_bits(flags, 0) | _byte(menus.TLBS, options.tlb) << 6
    rare = (options.failing_atomic, options.vhe, options.vncr, options.mte)
    data[RARE_AT] = menus.rare_bits(rare)
    logs = (options.manual_protect, options.initially_set, options.dirty_ring)
    data[LOGS_AT] = menus.rare_bits(logs)
    data[ALLOC_AT] = menus.ALLOC.index(options.failing_alloc)
    data[NESTED_AT] = menus.NESTED.index(options.nested)
    data[CACHE_AT] = menus.CACHE.index(options.cache_pages)
    data[TOPUP_AT] = menus.TOPUP.index(options.failing_topup)
    for at, slot in zip(range(SLOTS_AT, HOST_PAGES_AT, SLOT_BYTES), scenario.slots, strict=False):
        slot_flags = tuple(
            bool(getattr(slot, each)) for each in menus.SLOT_FLAGS.values(menus.NEWEST)
        )
        data[at] = _byte(menus.SIZES, slot.pages)
        data[at + 1] = _byte(menus.BACKINGS, slot.backing) | menus.flag_bits(slot_flags, 2)
    for number, slot in enumerate(scenario.slots):
        data[FIRSTS_AT + number] = menus.FIRSTS.index(slot.first)
        data[SKEWS_AT + number] = menus.SKEW.index(slot.skewed or 1)
    for at, exception in enumerate(scenario.host_pages, HOST_PAGES_AT):
        data[at - HOST_PAGES_AT + FAR_PAGES_AT] = _far_byte(exception.page)
        data[at] = page_half(exception.page) | _byte(menus.HOST_KINDS, exception.host) << 4


def _encode_cpus(data: bytearray, scenario: Scenario) -> None:
    """Write the calls of host CPUs, as ``HYPERCALLS`` reads them."""
    data[VCPU_COUNT_AT] = HYPERCALLS.cpus.index(len(scenario.cpus))
    options = scenario.options
    data[OPTIONS_AT] = menus.flag_bits((False, False, False, options.fwb, options.teardown), 0)
    for number, calls in enumerate(scenario.cpus):
        at = CPUS_AT + CPU_BYTES * number
        data[at] = len(calls) - 1
        loaded = False
        for first, call in zip(range(at + 1, at + CPU_BYTES, HYP_CALL_BYTES), calls, strict=False):
            places = menus.EL2_PLACES.index(call.page) | menus.EL2_PLACES.index(call.gfn) << 4
            more = menus.EL2_VMS.index(call.vm) | call.flag << 7
            number = menus.CALLS[loaded].index(call.op)
            data[first : first + HYP_CALL_BYTES] = bytes((number, places, more))
            loaded = _is_loaded(call.op, loaded)


def _encode_programs(data: bytearray, scenario: Scenario) -> None:
    """Write what the vCPUs and the host threads do."""
    for number, program in enumerate(scenario.vcpus):
        at = VCPUS_AT + VCPU_BYTES * number
        data[at] = len(program) - 1
        for i, access in enumerate(program, at + 1):
            offset = MAX_ACCESSES * number + i - at - 1
            data[i] = page_half(access.page)
            if access.kind in ACCESS_NAMES:
                data[i] |= _byte(menus.KINDS[number & 1], access.kind) << 4
            else:
                special = _byte(menus.SPECIAL, access.kind)
                data[INSTRUCTIONS_AT + offset] = menus.INSTRUCTION + special
            data[FAR_AT + offset] = _far_byte(access.page)
    for number, operations in enumerate(scenario.hosts):
        at = HOSTS_AT + HOST_BYTES * number
        data[at] = len(operations) - 1
        for i, operation in enumerate(operations):
            pages = RANGE_PAGES.index(operation.pages)
            group = page_group(operation.page)
            more = group & 7 | (pages >> 2 & 3) << 3 | (group & 8) << 2 | (pages & 16) << 2
            data[RANGES_AT + MAX_HOST_OPS * number + i] = menus.RANGED | more if more else 0
            data[at + 1 + 2 * i] = _byte(menus.OPERATIONS, operation.op)
            data[at + 2 + 2 * i] = page_half(operation.page) | (pages & 3) << 4


def _far_byte(page: int) -> int:
    """The byte of places that names the group of a page."""
    group = page_group(page)
    return menus.FAR | group if group else 0


def _byte(menu: VersionedMenu[T], value: T) -> int:
    """The byte that stands for a value of a menu in the newest version."""
    return _bytes_of(menu, menus.NEWEST)[value]


@lru_cache(maxsize=64)
def _bytes_of(menu: VersionedMenu[T], version: int) -> dict[T, int]:
    """The byte of each value of a menu."""
    return {value: byte for byte, value in enumerate(menu.values(version))}


@lru_cache(maxsize=64)
def _threads(count: int) -> bytes:
    """The thread of each first byte of a pair, or ``MORE_CHOICES``."""
    return bytes(byte % count if byte < MORE_CHOICES else MORE_CHOICES for byte in range(256))


def _largest(points: int) -> int:
    """The byte of the most points that are not more than ``points``."""
    return bisect_right(POINTS, points) - 1
