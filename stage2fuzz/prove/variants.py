"""The choices that a scenario leaves to the hardware and to memory, as scenarios of their own."""

from collections.abc import Iterator
from dataclasses import replace

from stage2fuzz.case.scenario import Scenario, Tlb


def variants(
    scenario: Scenario, stale: bool, hardware_af: bool, failures: bool, late: bool = False
) -> Iterator[Scenario]:
    """The scenario as it is; with every stale translation, and every late store, as a choice; with
    access flags that the hardware sets; with the first, second ... top-up of a memory cache
    failing: each as asked."""
    if late:
        scenario = replace(scenario, options=replace(scenario.options, pending_stores=True))
    if stale:
        scenario = replace(scenario, options=replace(scenario.options, tlb=Tlb.SAMPLED))
    flags = (False, True) if hardware_af else (scenario.options.hardware_af,)
    work = sum(map(len, scenario.vcpus)) + sum(map(len, scenario.hosts))
    topups = range(work + 1) if failures else (scenario.options.failing_topup,)
    for flag in flags:
        for topup in topups:
            options = replace(scenario.options, hardware_af=flag, failing_topup=topup)
            yield replace(scenario, options=options)
