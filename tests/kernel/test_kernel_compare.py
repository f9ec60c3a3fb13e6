"""Model against kernel: the revision that models a tree means what the tree means."""

from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random

import pytest

from stage2fuzz import events as ev
from stage2fuzz.arch import PAGE_SIZE, PTE_ADDRESS, PTE_VALID
from stage2fuzz.case.codec import CHOICES_AT, decode, newest
from stage2fuzz.case.profile import PROFILES, profile_named
from stage2fuzz.case.scenario import IPA_BASE, TABLE_BASE, Op, Scenario, Tlb
from stage2fuzz.engine import engine_of
from stage2fuzz.events import Event
from stage2fuzz.kernel.opener import open_engine
from stage2fuzz.schedule.anchored import AnchoredWalk
from stage2fuzz.studies.anchored import first_difference

pytestmark = pytest.mark.kernel

SCHEDULES = 150
"""Random scenarios of each profile, one anchored schedule each."""
WORK = frozenset(
    (
        *(ev.STORE, ev.GET, ev.PUT, ev.ALLOC, ev.FREE, ev.FREE_DEFERRED, ev.TOPUP, ev.TLBI),
        *(ev.LOCK, ev.UNLOCK, ev.SEQ_READ, ev.RETRY, ev.PIN, ev.UNPIN, ev.CALL),
        *(ev.DCACHE_CLEAN, ev.ICACHE_INVALIDATE, ev.INVALIDATE_BEGIN, ev.INVALIDATE_END),
    )
)
"""What both do in the same order, though it means nothing to a guest."""
ELSEWHERE = (Op.HYP_MAP, Op.TEARDOWN)
"""A hyp root takes one of the kernel engine's table pages; newer trees destroy range by range."""


def revision_of(has: frozenset[str]) -> str | None:
    """The model of the tree's era, by what the probes found; None where there is none."""
    if "S2_HAS_SHARED_WALK" in has:
        if "S2_HAS_LOCAL_FLUSH" not in has:
            return None
        if "S2_HAS_SET_SPTE_GFN" in has:
            return "v6.6"
        return "v7.3" if "S2_HAS_TOPUP_WHILE_LOGGING" in has else "v6.12"
    if "S2_HAS_MM_OPS" in has:
        return "v6.1" if "S2_HAS_RWLOCK" in has else "v5.15"
    return "v5.12" if "S2_HAS_PERMISSION_ONLY_RULE" in has else "v5.10"


@pytest.fixture
def names(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The model of the tree's era, and the tree."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    revision = revision_of(open_engine(str(tree)).library.has)
    if revision is None:
        pytest.skip(f"no revision of the model is of the era of {tree.name}")
    return f"model:{revision}", f"kernel:{tree}"


@pytest.mark.parametrize("profile", PROFILES)
def test_the_model_means_what_the_tree_means(profile: str, names: tuple[str, str]) -> None:
    for seed in range(SCHEDULES):
        assert first_difference(*names, scenario_of(seed, profile), seed) is None


@pytest.mark.parametrize("profile", PROFILES)
def test_the_model_works_as_the_tree_works(profile: str, names: tuple[str, str]) -> None:
    for seed in range(SCHEDULES // 3):
        scenario = scenario_of(seed, profile)
        if any(each.op in ELSEWHERE for host in scenario.hosts for each in host):
            continue
        model, tree = (engine_of(name).run(scenario, AnchoredWalk(seed)).events for name in names)
        for thread in range(scenario.threads):
            assert work(model, thread) == work(tree, thread), scenario


@pytest.mark.parametrize("profile", ["notifier", "lifecycle"])
def test_what_the_host_learnt_last_means_the_same(profile: str, names: tuple[str, str]) -> None:
    for seed in range(SCHEDULES // 3):
        drawn = newest(Random(seed).randbytes(CHOICES_AT))
        assert first_difference(*names, scenario_of(seed, profile, drawn), seed) is None


def scenario_of(seed: int, profile: str, data: bytes = b"") -> Scenario:
    """A random scenario of a profile, on fresh walks of memory that is sequentially consistent."""
    data = data or Random(seed).randbytes(97)
    scenario = decode(data, "model:v5.10", profile_named(profile)).scenario
    return replace(scenario, options=replace(scenario.options, pending_stores=False, tlb=Tlb.FRESH))


def work(events: list[Event], thread: int) -> list[Event]:
    """What ``thread`` did, without what differs between trees of one revision: the bits of an
    invalid entry, and whether the entries of a table that goes are zeroed.

    A page of the tables is called by the order in which the thread met it: which one an allocator
    gives out, and whether it was used before, is its own affair.
    """
    done: list[Event] = []
    pages: dict[int, int] = {}
    names = count()

    def named(address: int) -> int:
        page = address & PTE_ADDRESS
        if not TABLE_BASE <= page < IPA_BASE:
            return address
        if page not in pages:
            pages[page] = next(names)
        return address - page + pages[page] * PAGE_SIZE

    for kind, who, where, old, new, aux in events:
        if kind == ev.QUIESCENT:
            break
        if kind == ev.ALLOC:
            pages.pop(where, None)
        if kind in WORK and who == thread and (kind != ev.STORE or new):
            if kind == ev.STORE:
                old, new = old * (old & PTE_VALID), new * (new & PTE_VALID)
            done.append((kind, who, named(where), named(old), named(new), aux))
    return done
