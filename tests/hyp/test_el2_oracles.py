"""The rules of ownership, each on a story that is right and on one that is wrong."""

import pytest

from stage2fuzz import events as ev
from stage2fuzz.case.el2 import HypOp
from stage2fuzz.events import Event
from stage2fuzz.oracles.judge import judge
from stage2fuzz.rules import Rules

HOST, SHARED, BORROWED, NONE = 0, 1, 2, 3
OWNED_BY_HOST = HOST | NONE << ev.STATE_HYP_SHIFT
DONATED = NONE | HOST << ev.STATE_HYP_SHIFT
SHARED_WITH_HYP = SHARED | BORROWED << ev.STATE_HYP_SHIFT
IN_A_GUEST = NONE | NONE << ev.STATE_HYP_SHIFT
ONE_GUEST = SHARED | NONE << ev.STATE_HYP_SHIFT | 1 << ev.STATE_COUNT_SHIFT
VALID, NOTED = ev.MAPPED_VALID, ev.MAPPED_NOTED
VM0, VM2 = ev.TREE_GUEST, ev.TREE_GUEST + 2
BOTH = 1 << ev.LOCK_HOST_STAGE2 | 1 << ev.LOCK_HYP_STAGE1
SETTLED: Event = (ev.SETTLED, 0, 0, 0, 0, 0)


def state(value: int, pfn: int = 0, before: int = -1, held: int = 0) -> Event:
    """EL2 notes this of a page."""
    return (ev.PAGE_STATE, 0, pfn, before, value, held)


def maps(tree: int, page: int, said: int, to: int = 0) -> Event:
    """An entry says this from now on."""
    return (ev.MAPPING, 0, page, to if said & VALID else -1, said, tree)


def call(op: HypOp, cpu: int = 0, page: int = 0, vm: int = 0, result: int = 0) -> list[Event]:
    """A call and its return."""
    return [
        (ev.HYPERCALL, cpu, page, 0, vm, int(op)),
        (ev.HYPERCALL_RETURN, cpu, page, 0, result, int(op)),
    ]


def stored(tree: int, *locks: int) -> Event:
    """An entry of a tree is written under these locks."""
    held = sum(1 << lock for lock in locks) << ev.HELD_SHIFT
    return (ev.TABLE_STORE, 0, 0x1000, 0, 1, tree | held)


def lock(name: int, kind: int = ev.LOCK) -> Event:
    """A lock is taken, or released."""
    return (kind, 0, name, 0, 0, 0)


def left(said: int, gfn: int = 1, to: int = 0) -> Event:
    """What a call left in VM 0's entry as it released its lock."""
    return (ev.ENTRY_LEFT, 0, gfn, to, said, VM0)


def during(op: HypOp, *events: Event, page: int = 0, result: int = 0) -> list[Event]:
    """A call, and what happened in it."""
    begun, over = call(op, page=page, result=result)
    return [begun, *events, over]


def back(said: int, dirty: int = 0, vm: int = 0) -> Event:
    """A page of a VM after the teardown."""
    return (ev.GIVEN_BACK, 0, -600, vm, said, dirty)


def said(events: list[Event]) -> set[str]:
    """Which oracles speak."""
    return {each.oracle for each in judge(events, Rules(ownership=True), 0, 4)}


GOOD = {
    "the host's page": [state(OWNED_BY_HOST), maps(ev.TREE_HOST, 0, VALID | 16), SETTLED],
    "a page that nobody has touched": [state(OWNED_BY_HOST), SETTLED],
    "a donation": [
        state(OWNED_BY_HOST),
        maps(ev.TREE_HOST, 0, VALID),
        state(DONATED, 0, OWNED_BY_HOST, BOTH),
        maps(ev.TREE_HOST, 0, NOTED),
        maps(ev.TREE_HYP, 0, VALID),
        SETTLED,
    ],
    "a page that a guest borrows": [state(ONE_GUEST), maps(VM0, 1, VALID | BORROWED), SETTLED],
    "a page that a guest owns": [
        state(IN_A_GUEST),
        maps(ev.TREE_HOST, 0, NOTED),
        maps(VM2, 1, VALID | HOST),
        SETTLED,
    ],
    "a guest that died with a page": [
        state(ONE_GUEST),
        maps(VM0, 1, VALID | BORROWED),
        maps(VM0 | ev.TREE_GONE, 1, 0),
        SETTLED,
    ],
    "a pin": [state(SHARED_WITH_HYP), maps(ev.TREE_HYP, 0, VALID), *call(HypOp.PIN), SETTLED],
    "an unpinned page": [
        state(SHARED_WITH_HYP),
        *call(HypOp.PIN),
        *call(HypOp.UNPIN),
        state(OWNED_BY_HOST, 0, SHARED_WITH_HYP, BOTH),
        SETTLED,
    ],
    "entries under their locks": [
        stored(ev.TREE_HOST, ev.LOCK_HOST_STAGE2),
        stored(ev.TREE_HYP, ev.LOCK_HYP_STAGE1),
        stored(VM2, ev.LOCK_GUEST + 2),
        stored(0),
    ],
    "locks in order": [
        lock(ev.LOCK_VM_TABLE),
        lock(ev.LOCK_HOST_STAGE2),
        lock(ev.LOCK_GUEST),
        lock(ev.LOCK_EL2_OTHER),
    ],
    "all back": [back(OWNED_BY_HOST)],
    "a page that a guest had shared": [(ev.PAGE_DATA, 0, 0, 0, 7, ev.TREE_HOST)],
    "two vCPUs": [
        *call(HypOp.LOAD, 0, page=0),
        *call(HypOp.LOAD, 1, page=1),
        *call(HypOp.PUT, 0),
        *call(HypOp.LOAD, 2, page=0),
    ],
    "a page that a call shares": during(
        HypOp.SHARE_HYP,
        state(HOST | BORROWED << ev.STATE_HYP_SHIFT, 0, OWNED_BY_HOST, BOTH),
        state(SHARED_WITH_HYP, 0, HOST | BORROWED << ev.STATE_HYP_SHIFT, BOTH),
    ),
    "an entry as a call was to leave it": [
        *during(HypOp.RELAX_GUEST, left(VALID | ev.MAPPED_WRITE | BORROWED), page=1),
        *during(HypOp.WRPROTECT_GUEST, left(VALID | BORROWED)),
        *during(HypOp.UNSHARE_GUEST, left(0)),
    ],
    "a call that says that it failed": [
        *during(HypOp.RELAX_GUEST, left(0), page=1, result=-ev.EAGAIN),
        *during(HypOp.SHARE_HYP, result=-ev.EPERM),
    ],
    "a load that is refused": [
        *call(HypOp.START_TEARDOWN, vm=1),
        *call(HypOp.LOAD, 1, vm=1, result=-ev.EINVAL),
    ],
}
BAD = {
    "two owners": ("H1", [state(HOST | HOST << 4), maps(ev.TREE_HYP, 0, VALID), SETTLED]),
    "no owner": ("H1", [state(IN_A_GUEST), maps(ev.TREE_HOST, 0, NOTED), SETTLED]),
    "a guest that nobody counts": (
        "H2",
        [
            state(ONE_GUEST),
            maps(VM0, 1, VALID | BORROWED),
            maps(VM0 + 1, 1, VALID | BORROWED),
            SETTLED,
        ],
    ),
    "a count of nobody": ("H2", [state(ONE_GUEST), SETTLED]),
    "a pinned page unshared": ("H2", [*call(HypOp.PIN), state(OWNED_BY_HOST), SETTLED]),
    "mapped and not the host's": (
        "H3",
        [state(DONATED), maps(ev.TREE_HOST, 0, VALID), maps(ev.TREE_HYP, 0, VALID), SETTLED],
    ),
    "EL2's and not mapped there": ("H3", [state(DONATED), maps(ev.TREE_HOST, 0, NOTED), SETTLED]),
    "borrowed from a host that has it alone": (
        "H3",
        [state(OWNED_BY_HOST), maps(VM0, 1, VALID | BORROWED), SETTLED],
    ),
    "a stale TLB": ("H4", [(ev.TLB_KEPT, 0, 1, 0, 2, VM0)]),
    "the host reaches EL2's own page": (
        "H5",
        [state(DONATED, -600), maps(ev.TREE_HOST, -600, VALID, -600), SETTLED],
    ),
    "a VM's page that does not come back": ("H6", [back(DONATED)]),
    "a guest's secret": ("H7", [(ev.PAGE_DATA, 0, 0, 0, 7, 0)]),
    "EL2's data": ("H7", [back(OWNED_BY_HOST, dirty=1)]),
    "an entry without its lock": ("H8", [stored(VM2, ev.LOCK_HOST_STAGE2)]),
    "a state without its lock": (
        "H8",
        [state(OWNED_BY_HOST), state(IN_A_GUEST, 0, OWNED_BY_HOST, 1 << ev.LOCK_HYP_STAGE1)],
    ),
    "locks out of order": ("H9", [lock(ev.LOCK_HYP_STAGE1), lock(ev.LOCK_HOST_STAGE2)]),
    "an access without a mapping": ("H10", [(ev.HYP_ACCESS, 0, -600, 0, 0, 1)]),
    "a dying VM's vCPU": (
        "H11",
        [*call(HypOp.START_TEARDOWN, vm=1), *call(HypOp.LOAD, 1, vm=1)],
    ),
    "a relaxation of nothing": ("H12", during(HypOp.RELAX_GUEST, left(0), page=1)),
    "a relaxation that grants no write": (
        "H12",
        during(HypOp.RELAX_GUEST, left(VALID | BORROWED), page=1),
    ),
    "an entry that stays writable": (
        "H12",
        during(HypOp.WRPROTECT_GUEST, left(VALID | ev.MAPPED_WRITE | BORROWED)),
    ),
    "an entry that stays": ("H12", during(HypOp.UNSHARE_GUEST, left(VALID | BORROWED))),
    "an entry of another page": (
        "H12",
        during(HypOp.SHARE_GUEST, left(VALID | BORROWED, to=3), page=1),
    ),
    "a page that nothing happens to": ("H12", during(HypOp.DONATE_HYP)),
    "a vCPU on two CPUs": ("H11", [*call(HypOp.LOAD, 0), *call(HypOp.LOAD, 1)]),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_right_breaks_no_rule(name: str) -> None:
    assert said(GOOD[name]) == set()


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_breaks_its_rule(name: str) -> None:
    oracle, events = BAD[name]
    assert oracle in said(events)


def test_oracles_know_the_calls_by_the_numbers_that_cases_have() -> None:
    known = {name[4:]: value for name, value in vars(ev).items() if name.startswith("HYP_")}
    known.pop("ACCESS")
    assert {"PIN", "LOAD", "RELAX_GUEST"} <= set(known)
    for name, value in known.items():
        assert value == HypOp[name]


def test_other_engines_are_not_asked_who_owns_a_page() -> None:
    assert judge([(ev.TLB_KEPT, 0, 1, 0, 2, VM0)], Rules(), 1, 1) == ()
