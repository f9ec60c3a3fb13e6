"""Every step of a replayed run on a tree names the function and the line that made it."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from stage2fuzz import events as ev
from stage2fuzz.kernel import compiled
from stage2fuzz.kernel.adapter import SMOKE, KernelEngine
from stage2fuzz.kernel.build import KERNEL_FILES, build
from stage2fuzz.kernel.lines import TOOLS, load_lines
from stage2fuzz.report import text
from stage2fuzz.run import Outcome, outcome_of, with_sources
from stage2fuzz.schedule.base import Schedule
from stage2fuzz.source import SourceLine

pytestmark = pytest.mark.kernel

MADE_BY_THE_TREE = (ev.STORE, ev.LOCK, ev.UNLOCK, ev.TLBI, ev.CALL, ev.MARK_DIRTY, ev.TOPUP)
NEEDED = pytest.mark.skipif(not all(map(shutil.which, TOOLS)), reason="needs binutils")


@pytest.fixture
def sourced(kernel: KernelEngine, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """The smoke program's run with its places."""
    return _sourced(kernel, monkeypatch)


def _sourced(kernel: KernelEngine, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    monkeypatch.setattr("stage2fuzz.run.engine_of", lambda _name: kernel)
    trace = kernel.run(SMOKE, Schedule())
    return with_sources(outcome_of(f"kernel:{kernel.library.tree}", kernel, SMOKE, trace))


@NEEDED
def test_each_step_of_the_tree_names_its_place(sourced: Outcome) -> None:
    for event, stack in zip(sourced.events, sourced.stacks, strict=True):
        if event[0] in MADE_BY_THE_TREE and event[1] >= 0:
            assert stack, ev.KINDS[event[0]].name
            assert stack[-1].file.startswith("arch/arm64/kvm/")


@NEEDED
def test_a_place_is_in_the_function_that_it_names(tree: Path, sourced: Outcome) -> None:
    known = {str(name): (tree / name).read_text().splitlines() for name in KERNEL_FILES}
    places = {line for stack in sourced.stacks for line in stack if line.file in known}
    assert len(places) > 30
    wrong = [place for place in places if place.line and not _inside(known[place.file], place)]
    assert not wrong


def _inside(lines: list[str], place: SourceLine) -> bool:
    """Whether the last line before ``place`` that begins a function begins that function."""
    for line in reversed(lines[: place.line]):
        if re.match(r"[a-z].*\(", line) and not line.rstrip().endswith(";"):
            return re.search(rf"\b{place.function}\(", line) is not None
    return False


@NEEDED
def test_inlined_functions_and_their_callers_are_told_apart(sourced: Outcome) -> None:
    stores = [
        stack
        for event, stack in zip(sourced.events, sourced.stacks, strict=True)
        if event[0] == ev.STORE and event[5] & ev.ORDER_CAS
    ]
    names = {tuple(line.function for line in stack) for stack in stores}
    assert all("kvm_handle_guest_abort" in each or "user_mem_abort" in each for each in names)


@NEEDED
def test_columns_show_the_line_of_the_call(sourced: Outcome) -> None:
    shown = text(sourced.case, sourced.events, (), 120, stacks=sourced.stacks)
    assert re.search(r"mmu\.c:\d+ \w+", shown)
    assert re.search(r"pgtable\.c:\d+ \w+", shown)


@NEEDED
def test_noting_places_changes_no_event(kernel: KernelEngine) -> None:
    before = kernel.run(SMOKE, Schedule())
    kernel.stacks(SMOKE, before.schedule)
    assert kernel.run(SMOKE, before.schedule) == before


@NEEDED
@pytest.mark.slow
@pytest.mark.parametrize("command", ["clang", "gcc"])
def test_both_compilers_name_places(
    command: str, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which(command) is None:
        pytest.skip(f"needs {command}")
    real = shutil.which
    hidden = {"clang", "gcc", "cc"} - {command}
    monkeypatch.setattr(shutil, "which", lambda name: None if name in hidden else real(name))
    engine = KernelEngine(build(tree, tmp_path))
    assert command in engine.library.compiler or command == "gcc"
    sourced = _sourced(engine, monkeypatch)
    test_each_step_of_the_tree_names_its_place(sourced)
    test_a_place_is_in_the_function_that_it_names(tree, sourced)


def test_a_build_without_its_table_replays_without_places(
    kernel: KernelEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = KernelEngine(replace(kernel.library))
    monkeypatch.setattr(compiled, "load_lines", lambda _folder: None)
    assert blind.stacks(SMOKE, Schedule()) == []


@pytest.mark.parametrize(
    "table",
    [
        "",
        "[]",
        '{"starts": [2, 1], "ranges": [0, 0], "stacks": [[]]}',
        '{"starts": [1], "ranges": [7], "stacks": [[]]}',
        '{"starts": [1], "ranges": [0], "stacks": [[["f"]]]}',
    ],
)
def test_a_table_that_makes_no_sense_is_none(table: str, tmp_path: Path) -> None:
    (tmp_path / "lines.json").write_text(table)
    assert load_lines(tmp_path) is None
