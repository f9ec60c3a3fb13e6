"""What is observed becomes a verdict: each rule speaks where it must and is silent elsewhere."""

import pytest

from stage2fuzz.arch import PERMISSION, READ, TRANSLATION, WRITE
from stage2fuzz.case.scenario import Access, HostOp, Op, Scenario, ipa_of
from stage2fuzz.confirm.observe import Observation, observe
from stage2fuzz.confirm.rules import RULES, TLB_ORACLES, why_unseen
from stage2fuzz.oracles.catalogue import CATALOGUE

LOGGED = Scenario(
    vcpus=((Access(WRITE, 0), Access(WRITE, 0)), (Access(READ, 0),)),
    hosts=((HostOp(Op.LOG_GET, 0),),),
)
PERMISSION_FAULT = 0x93D6804F
TRANSLATION_FAULT = 0x93D68047
BASE = ipa_of(0)


def seen(*lines: str) -> Observation:
    return observe(lines)


def test_pages_that_changed_without_a_bit_are_lost_until_the_next_harvest_shows_them() -> None:
    lost = seen("rewritten probe 0 512 512 511 0", "rewritten again 0 512 512 0 0")
    assert RULES["D1"](LOGGED, lost).startswith("511 of 512 pages")
    assert RULES["D3"](LOGGED, lost)
    assert not RULES["D1"](LOGGED, seen("rewritten probe 0 512 512 0 0"))


def test_a_page_that_nobody_wrote_is_spurious_in_the_log() -> None:
    written = ("item 0 0 10 20 0 7", "item 0 1 20 30 0 8")
    assert RULES["D2"](LOGGED, seen(*written, "dirty end 0 2 0 3")).startswith("page 3")
    assert not RULES["D2"](LOGGED, seen(*written, "dirty end 0 1 0"))


def test_a_harvest_that_reports_a_page_before_its_write_ended_is_spurious() -> None:
    harvest = ("item 2 0 12 15 0 0", "bits 0 2 0 1 0")
    late = seen("item 0 0 10 20 0 7", "item 0 1 20 30 0 8", *harvest)
    assert "not written by then" in RULES["D2"](LOGGED, late)
    early = seen("item 0 0 1 5 0 7", "item 0 1 20 30 0 8", *harvest)
    assert not RULES["D2"](LOGGED, early)


@pytest.mark.parametrize("rule", ["C6", "G2", "G3"])
def test_a_fault_for_what_was_granted_is_needless(rule: str) -> None:
    items = ("item 0 0 10 20 0 7", "item 0 1 30 40 0 8")
    granted = f"fault race 1 12 {BASE:x} {TRANSLATION_FAULT:x}"
    again = f"fault race 1 32 {BASE:x} {PERMISSION_FAULT:x}"
    assert RULES[rule](LOGGED, seen(*items, granted, again))
    assert not RULES[rule](LOGGED, seen(*items, granted))


def test_an_access_that_tries_again_counts_only_where_the_engines_run_did_so() -> None:
    lines = (
        "item 0 0 10 40 0 7",
        f"fault race 1 12 {BASE:x} {TRANSLATION_FAULT:x}",
        f"fault race 1 32 {BASE:x} {PERMISSION_FAULT:x}",
    )
    by_design = seen(*lines)
    assert not RULES["C6"](LOGGED, by_design)
    as_found = seen(*lines)
    as_found.expected = {0: [(WRITE, TRANSLATION), (WRITE, PERMISSION)]}
    assert RULES["C6"](LOGGED, as_found)
    another = seen(*lines)
    another.expected = {0: [(WRITE, TRANSLATION)]}
    assert not RULES["C6"](LOGGED, another)


def test_a_fault_after_a_harvest_took_the_permission_back_is_due() -> None:
    lines = (
        "item 0 0 10 20 0 7",
        "item 0 1 30 40 0 8",
        "item 2 0 24 26 0 0",
        f"fault race 1 12 {BASE:x} {TRANSLATION_FAULT:x}",
        f"fault race 1 32 {BASE:x} {PERMISSION_FAULT:x}",
    )
    assert not RULES["C6"](LOGGED, seen(*lines))


def test_a_read_granted_does_not_make_a_write_needless() -> None:
    lines = (
        "item 1 0 1 5 0 7",
        f"fault race 2 2 {BASE:x} 93c28007",
        "item 0 0 10 20 0 7",
        f"fault race 1 12 {BASE:x} {PERMISSION_FAULT:x}",
    )
    assert not RULES["C6"](LOGGED, seen(*lines))


def test_a_warning_in_the_kernels_log_is_one() -> None:
    warned = seen(
        "log race WARNING: CPU: 1 PID: 1 at kvm_main.c:392 kvm_mmu_memory_cache_alloc+0x1"
    )
    assert "kvm_mmu_memory_cache_alloc" in RULES["E5"](LOGGED, warned)
    assert RULES["WARN"](LOGGED, warned)
    assert not RULES["WARN"](LOGGED, seen("log race random: crng init done"))


def test_a_failed_run_is_told_but_an_exit_for_mmio_is_none() -> None:
    assert "errno 12" in RULES["G5"](LOGGED, seen("item 0 0 1 2 -12 0"))
    assert not RULES["G5"](LOGGED, seen("item 0 0 1 2 -5 0"))


def test_every_oracle_has_a_rule_or_a_reason_why_a_machine_cannot_answer() -> None:
    for oracle in {row[0] for row in CATALOGUE}:
        shown = oracle in RULES
        assert shown or oracle in TLB_ORACLES or why_unseen(oracle), oracle
    assert "hugetlb" in why_unseen("C2")
    assert "lock" in why_unseen("F1")


def test_a_crash_of_the_kernel_is_an_alarm_and_ordinary_lines_are_none() -> None:
    assert RULES["CRASH"](LOGGED, seen("log race Internal error: Oops: 96000004 [#1] SMP"))
    assert not RULES["CRASH"](LOGGED, seen("log race clocksource: timekeeping watchdog"))
