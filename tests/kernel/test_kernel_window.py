"""The C side's TLB uses what the window TLB of the oracles says that it may still hold."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from stage2fuzz.case.codec import decode
from stage2fuzz.case.profile import PROFILES, profile_named
from stage2fuzz.case.scenario import Scenario, Tlb
from stage2fuzz.events import HIT
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.oracles.judge import Judge
from stage2fuzz.oracles.world import World

pytestmark = pytest.mark.kernel

RUNS = 60


def scenarios() -> Iterator[Scenario]:
    for profile in PROFILES:
        for seed in range(6):
            drawn = decode(Random(seed).randbytes(97), "", profile_named(profile)).scenario
            for tlb in (Tlb.STICKY, Tlb.SAMPLED):
                yield replace(drawn, options=replace(drawn.options, tlb=tlb))


def may_hold(world: World, pe: int, ipa: int, value: int, level: int) -> bool:
    return any(
        record.level == level and record.ipa <= ipa < record.end and value in record.stale(pe)
        for record in world.window
    )


def test_what_the_tlb_gives_is_something_that_it_may_still_hold(kernel: KernelEngine) -> None:
    native, hits = kernel.native, {Tlb.STICKY: 0, Tlb.SAMPLED: 0}
    judge = Judge(kernel.rules, names=())
    world = judge.world
    for scenario in scenarios():
        native.load(scenario)
        for seed in range(1, RUNS + 1):
            native.run_seed(seed)
            events = native.events()
            world.begin(events, kernel.rules, len(scenario.vcpus), scenario.threads)
            for index, (kind, *rest) in enumerate(events):
                if kind == HIT:
                    hits[scenario.options.tlb] += 1
                    thread, ipa, _, value, level = rest
                    assert may_hold(world, thread, ipa, value, level)
                tell = judge.table[kind]
                if tell is not None:
                    tell(index, *rest)
    assert min(hits.values()) > 100
