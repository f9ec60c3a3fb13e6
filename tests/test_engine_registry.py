"""The registry's promise: a new engine costs one package and one entry of ``ENGINES``."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from stage2fuzz.arch import READ, WRITE
from stage2fuzz.case.case import Case
from stage2fuzz.case.codec import decode, encode
from stage2fuzz.case.scenario import Access, Scenario, ipa_of
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.cli.explore import unreduced
from stage2fuzz.engine import ENGINES, Engine, Kind, Trace, engine_of, kind_of, native_coverage
from stage2fuzz.errors import InputError
from stage2fuzz.events import ACCESS, LOAD, QUIESCENT, Event
from stage2fuzz.fuzz.greybox import Greybox
from stage2fuzz.fuzz.harness import Harness
from stage2fuzz.places import PACKAGE
from stage2fuzz.rules import Rules
from stage2fuzz.run import run
from stage2fuzz.schedule.base import Run, Schedule, Scheduler, View

TOY = "toy:any"
RACE = Scenario(vcpus=((Access(WRITE, 0),), (Access(READ, 0),)))


class ToyEngine:
    """Each thread makes its accesses, one a point, and no page table ever changes."""

    rules = Rules()
    build = ""

    def run(self, scenario: Scenario, scheduler: Scheduler) -> Trace:
        """Ask the scheduler at every access."""
        left = [list(program) for program in scenario.vcpus] + [[] for _ in scenario.hosts]
        view, events, runs = View(scenario.threads), list[Event](), list[Run]()
        view.pending = [(LOAD, 0)] * scenario.threads
        scheduler.begin(scenario.threads)
        while any(left):
            view.enabled = tuple(thread for thread, program in enumerate(left) if program)
            thread, points = scheduler.next(view)
            taken = [left[thread].pop(0) for _ in range(min(points, len(left[thread])))]
            events += [self.event(thread, access) for access in taken]
            runs.append((thread, len(taken)))
            view.current = thread
        events.append((QUIESCENT, 0, 0, 0, 0, 0))
        return Trace(
            events, Schedule(tuple(runs)), max(0, len(runs) - scenario.threads), "finished"
        )

    @staticmethod
    def event(thread: int, access: Access) -> Event:
        """An access that met no fault."""
        return (ACCESS, thread, ipa_of(access.page), access.kind, 0, 0)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The one package and the one entry."""
    package = ModuleType("toy_engine")

    def open_engine(operand: str) -> Engine:
        if operand != "any":
            raise InputError(f"toy:{operand}", "no such toy", TOY)
        return ToyEngine()

    package.__dict__["open_engine"] = open_engine
    monkeypatch.setitem(sys.modules, "toy_engine", package)
    monkeypatch.setitem(ENGINES, "toy", Kind("toy_engine", "WORD", "a toy"))
    yield
    engine_of.cache_clear()


@pytest.mark.usefixtures("toy")
def test_a_registered_engine_runs_a_case_and_its_replay_is_the_same() -> None:
    case = parse(format_case(Case(TOY, RACE, Schedule(((1, 1), (0, 1))))), "toy.case")
    outcome = run(case)
    assert [event[1] for event in outcome.events[:2]] == [1, 0]
    assert outcome.ended == "finished"
    assert run(outcome.case).events == outcome.events
    assert decode(encode(case), TOY) == case


@pytest.mark.usefixtures("toy")
def test_a_registered_engine_is_fuzzed(tmp_path: Path) -> None:
    harness = Harness(TOY, "map_race", tmp_path)
    loop = Greybox(harness, 5)
    loop.fuzz((), 0, 20)
    assert harness.inputs == 20
    assert harness.schedules == 2 * 20
    assert loop.corpus


@pytest.mark.usefixtures("toy")
def test_what_an_engine_cannot_do_is_not_asked_of_it() -> None:
    assert native_coverage(TOY) is None
    assert "not known" in unreduced(TOY, RACE, None)
    assert not kind_of(TOY).isolated


@pytest.mark.usefixtures("toy")
def test_an_unknown_operand_and_an_unknown_kind_are_refused() -> None:
    with pytest.raises(InputError, match="no such toy; toy:any"):
        engine_of("toy:other")
    right = (
        "model:REVISION or kernel:TREE or kernel16k:TREE or kernel64k:TREE or hyp:TREE or toy:WORD"
    )
    for name in ("qemu:1", "toy", ""):
        with pytest.raises(InputError, match=f"unknown engine; {right}"):
            engine_of(name)


PARSING = {"startswith", "removeprefix", "split", "rsplit", "partition", "rpartition"}
SPLITS = {
    f"stage2fuzz/{name}.py"
    for name in ("engine", "case/reader", "findings/examples", "service/settings", "web/guard")
}
"""Take something apart at a colon: an engine's name, a line of a case, an address of a host."""


def test_nobody_else_takes_an_engine_name_apart() -> None:
    """Neither at a colon, nor by a kind's word with its colon, be that a constant with a name."""
    folders = (PACKAGE, *(PACKAGE / name for name in ("worker", "coordinator", "fuzz_targets")))
    words = {f"{word}:" for word in ENGINES}
    for path in (path for folder in folders for path in sorted(folder.resolve().rglob("*.py"))):
        tree = ast.parse(path.read_text())
        named = {
            name.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign | ast.AnnAssign)
            and isinstance(node.value, ast.Constant)
            and node.value.value in words
            for name in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(name, ast.Name)
        }
        assert not named, (path, named)
        for call in (each for each in ast.walk(tree) if isinstance(each, ast.Call)):
            if not (isinstance(call.func, ast.Attribute) and call.func.attr in PARSING):
                continue
            given = {each.value for each in call.args if isinstance(each, ast.Constant)}
            assert not given & words, (path, call.lineno)
            at_a_colon = ":" in given and str(path.relative_to(PACKAGE.parent)) not in SPLITS
            assert not at_a_colon, (path, call.lineno)
