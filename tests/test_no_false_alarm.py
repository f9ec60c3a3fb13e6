"""A model without planted bugs: nothing is said of it but what docs/model.md explains."""

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from stage2fuzz.arch import WRITE
from stage2fuzz.case.case import Case
from stage2fuzz.case.profile import PROFILES
from stage2fuzz.case.scenario import Access, HostOp, Op, Scenario, Slot
from stage2fuzz.case.text import format_case, read_case
from stage2fuzz.fuzz.greybox import Greybox
from stage2fuzz.fuzz.harness import Harness
from stage2fuzz.run import Outcome, run, run_scheduled
from stage2fuzz.schedule import STRATEGIES, strategy
from stage2fuzz.schedule.base import FOREVER, Schedule
from tests.model.scenarios import any_scenario

ENGINE = "model:v5.12"
CASES = Path(__file__).parent / "cases"
REAL = (
    r"C2 current host page: with the sequence sampled after the mmap lock was dropped",
    r"C6 a fault never downgrades: .*, break-before-make of an aged leaf",
    r"C8 cache maintenance before visibility: executable without invalidation, block",
    r"C9 mapping size: relax at another level",
    r"C14 data cache maintenance: mapped without maintenance, block",
    r"D2 no spurious dirty page: (write|execute) permission fault ended with 0",
    r"E5 allocation fits the context: no top-up, execute permission fault",
    r"F5 bounded hold: kvm_pgtable_stage2_(?:unmap|wrprotect) of more than the largest block",
)
"""The real faults of v5.12, as docs/model.md has them; tests/cases/bad_v5_12_* show each."""
IN_V6_1 = tuple(real for real in REAL if not real.startswith(("C2", "C8", "C14", "F5")))
"""Those that v5.15 and v6.1 still have: there the walkers see to the caches, and the sequence is
sampled under the mmap lock."""
IN_V6_12 = tuple(real for real in IN_V6_1 if not real.startswith("D2"))
"""Those that v6.6 and v6.12 still have: there relax says that it found nothing."""
IN_V7_3 = IN_V6_12
"""v7.3 still has them: there any fault while logging fills its cache, but no other does."""
E5 = "E5 allocation fits the context: no top-up, "
BESIDE_E5 = "WARN no kernel warning: BUG()"
"""What an empty cache leads to where the system's reserve is empty, too."""
C9 = "C9 mapping size: relax at another level"
BESIDE_C9 = (
    "D1 no lost dirty page: write neither reported nor marked",
    "D3 writable implies dirty: block mapped",
)
"""What C9 leads to: the guest writes to the rest of the block, or could."""
LATE_MARK = r"D8 host page marked dirty: marked after the (?:lock was dropped|host took it), .*"
"""v6.2 to v6.12 mark the host's page after they dropped the lock."""
LOST_RELAX = r"G6 relax takes effect: .*"
"""v6.2 to v6.6: whoever loses the race to relax a leaf does not flush it."""
KNOWN = {
    ENGINE: REAL,
    "model:v5.15": IN_V6_1,
    "model:v6.1": IN_V6_1,
    "model:v6.6": (*IN_V6_12, LATE_MARK, LOST_RELAX),
    "model:v6.12": (*IN_V6_12, LATE_MARK),
    "model:v7.3": IN_V7_3,
}


class Listening(Harness):
    """A harness that looks at every outcome."""

    def one_input(self, data: bytes) -> list[Outcome]:
        """Run it and check it."""
        outcomes = super().one_input(data)
        for outcome in outcomes:
            assert_only_real_faults(outcome)
        return outcomes


def assert_only_real_faults(outcome: Outcome) -> None:
    """Only real faults; the failure shows the case that says otherwise."""
    shown = {violation.signature for violation in outcome.violations}
    for violation in outcome.violations:
        known = any(re.fullmatch(real, violation.signature) for real in KNOWN[outcome.case.engine])
        known |= violation.signature in BESIDE_C9 and C9 in shown
        known |= violation.signature == BESIDE_E5 and any(each.startswith(E5) for each in shown)
        assert known, f"{violation.signature}\n{violation.verdict}\n{format_case(outcome.case)}"


def outcomes(scenarios: int, seed: int, engine: str = ENGINE) -> Iterator[Outcome]:
    """Every strategy on any scenarios."""
    draw = Random(seed)
    for _ in range(scenarios):
        scenario = any_scenario(draw)
        for name in STRATEGIES:
            yield run_scheduled(engine, scenario, strategy(name, draw.randrange(1 << 30)))


def test_any_scenario_under_any_strategy_shows_only_real_faults() -> None:
    for outcome in outcomes(300, seed=1):
        assert_only_real_faults(outcome)


@pytest.mark.parametrize("engine", [name for name in KNOWN if name != ENGINE])
def test_a_later_kernel_shows_no_more(engine: str) -> None:
    for outcome in outcomes(60, 7, engine):
        assert_only_real_faults(outcome)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_many_scenarios_show_only_real_faults(seed: int) -> None:
    for outcome in outcomes(15_000, seed):
        assert_only_real_faults(outcome)


@pytest.mark.parametrize("target", PROFILES)
def test_a_target_finds_only_real_faults(target: str) -> None:
    harness = Listening(ENGINE, target)
    Greybox(harness, seed=1).fuzz([], 0, runs=500)
    assert harness.inputs == 500


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 4))
@pytest.mark.parametrize("target", PROFILES)
def test_a_long_campaign_finds_only_real_faults(target: str, seed: int) -> None:
    harness = Listening(ENGINE, target)
    Greybox(harness, seed).fuzz([], 0, runs=15_000)
    assert harness.inputs == 15_000


@pytest.mark.parametrize("engine", [ENGINE, "model:v6.1", "model:v6.12"])
def test_each_real_fault_has_a_case_and_a_paragraph(engine: str) -> None:
    shown: set[str] = set()
    document = (CASES.parents[1] / "docs" / "model.md").read_text()
    stem = engine.removeprefix("model:").replace(".", "_")
    for path in CASES.glob(f"bad_{stem}_*.case"):
        outcome = run(read_case(path))
        assert_only_real_faults(outcome)
        shown.update(each.signature for each in outcome.violations)
        assert path.name in document or path.name.replace(stem, "v5_12") in document
    for real in KNOWN[engine]:
        assert any(re.fullmatch(real, signature) for signature in shown), real


@pytest.mark.parametrize("path", sorted(CASES.glob("bad_v7_3_*.case")), ids=lambda path: path.stem)
def test_what_v7_3_shows_has_a_paragraph(path: Path) -> None:
    assert_only_real_faults(run(read_case(path)))
    assert path.name in (CASES.parents[1] / "docs" / "model.md").read_text()


@pytest.mark.parametrize("points", range(1, 40))
def test_switching_on_what_is_on_begins_nothing(points: int) -> None:
    scenario = Scenario(
        slots=(Slot(logging=True),),
        vcpus=((Access(WRITE, 0),),),
        hosts=((HostOp(Op.LOG_ENABLE),),),
    )
    schedule = Schedule(((0, points), (1, FOREVER), (0, FOREVER)))
    assert run(Case(ENGINE, scenario, schedule)).violations == ()
