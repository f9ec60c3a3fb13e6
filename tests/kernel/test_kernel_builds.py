"""A case and the build that made it: replayed by the same build, and by another."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stage2fuzz.arch import READ, WRITE
from stage2fuzz.case.scenario import Access, HostOp, Op, Scenario
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.engine import engine_of
from stage2fuzz.findings.states import State
from stage2fuzz.findings.store import Store
from stage2fuzz.kernel import opener
from stage2fuzz.kernel.faults import FAULTS
from stage2fuzz.kernel.faults.edit import MMU
from stage2fuzz.kernel.mutants import copy_tree, plant
from stage2fuzz.kernel.units import ARCH
from stage2fuzz.report import event_log
from stage2fuzz.run import Outcome, run, run_scheduled
from stage2fuzz.schedule import strategy
from tests.cli.terminal import command

pytestmark = pytest.mark.kernel

SCENARIO = Scenario(
    vcpus=((Access(WRITE, 0),), (Access(READ, 0),)), hosts=((HostOp(Op.MOVE), HostOp(Op.AGE)),)
)
SCHEDULES = 400


def forget() -> None:
    """Let the next run build the tree again, as another process would."""
    engine_of.cache_clear()
    opener.open_engine.cache_clear()


class Lab:
    """A copy of the tree with a fault in it, what its build found, and a database that says so."""

    def __init__(self, tree: Path, folder: Path) -> None:
        self.tree, self.database = folder / "tree", str(folder / "findings.db")
        copy_tree(tree, self.tree)
        self.file = self.tree / ARCH / "kvm" / MMU
        self.clean = self.file.read_text()
        (fault,) = (each for each in FAULTS if each.name == "no-retry-check")
        assert plant(self.tree, fault)
        self.faulty = self.file.read_text()
        self.outcome = self.find()
        self.build = self.outcome.case.build
        store = Store.open(self.database)
        log = event_log(self.outcome.events)
        self.number = store.record(self.outcome.case, self.outcome.violations[0], log).number
        store.close()

    def find(self) -> Outcome:
        """A run that shows the fault."""
        for seed in range(SCHEDULES):
            outcome = run_scheduled(f"kernel:{self.tree}", SCENARIO, strategy("random", seed))
            if any(each.oracle in {"B4", "C2"} for each in outcome.violations):
                return outcome
        raise AssertionError("the planted fault does not show")

    def mend(self) -> str:
        """Take the fault out again; the key of the build that is then at hand."""
        self.file.write_text(self.clean)
        forget()
        return engine_of(f"kernel:{self.tree}").build

    def break_again(self) -> None:
        """As it was."""
        self.file.write_text(self.faulty)
        forget()


@pytest.fixture(scope="module")
def lab(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One for the module; each test leaves it broken."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("builds-cache")))
        forget()
        yield Lab(tree, tmp_path_factory.mktemp("builds"))
        forget()


def test_its_own_build_replays_a_finding_without_a_word(lab: Lab) -> None:
    said = command("replay", lab.number, "--database", lab.database)
    assert (said.code, said.err) == (1, "")
    assert run(lab.outcome.case).events == lab.outcome.events
    assert command("findings", "show", lab.number, "--database", lab.database).out.count(lab.build)


def test_another_build_is_named_with_the_first_thing_that_differs(lab: Lab) -> None:
    mended = lab.mend()
    said = command("replay", lab.number, "--database", lab.database, "--log")
    lab.break_again()
    head, *rest = said.err.splitlines()
    begin = f"stage2fuzz: warning: finding {lab.number}: "
    assert head == f"{begin}build {lab.build} made this case, build {mended} runs it"
    assert all(line.startswith(begin) for line in rest)
    assert rest[-1] == f"{begin}not seen with build {mended}"
    before, after = event_log(lab.outcome.events).splitlines(), said.out.splitlines()
    pairs = zip(before, after, strict=False)
    was, now = next((one.strip(), other.strip()) for one, other in pairs if one != other)
    assert f"the first event that differs was '{was}', is '{now}'" in said.err
    assert said.code == 0


def test_a_case_that_its_own_build_cannot_follow_is_our_own_bug(lab: Lab, tmp_path: Path) -> None:
    text = format_case(lab.outcome.case)
    line = next(line for line in text.splitlines() if line.startswith("build"))
    wrong = text.replace(line, line.rpartition(" ")[0]).replace("schedule ", "schedule 2*9999 ")
    (tmp_path / "wrong.case").write_text(wrong)
    said = command("replay", tmp_path / "wrong.case")
    assert said.code == 70
    assert f"build {lab.build} does not repeat itself: its schedule was left at run" in said.err


def test_a_case_that_was_edited_belongs_to_no_build(lab: Lab, tmp_path: Path) -> None:
    text = format_case(lab.outcome.case)
    (tmp_path / "edited.case").write_text(text.replace("schedule ", "schedule 2*9999 "))
    assert command("replay", tmp_path / "edited.case").err == ""


def test_the_minimised_case_is_one_that_the_build_follows(lab: Lab) -> None:
    assert command("minimise", lab.number, "--database", lab.database).code == 0
    store = Store.open(lab.database)
    finding = store.get(lab.number)
    store.close()
    assert finding.state == State.MINIMISED
    case = parse(finding.minimised, "minimised")
    outcome = run(case)
    assert (case.build, outcome.diverged) == (lab.build, "")
    assert command("replay", lab.number, "--database", lab.database).err == ""
