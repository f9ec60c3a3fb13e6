"""The fuzz targets as scripts: each runs by its path, and what it finds lands in its outbox."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from stage2fuzz import places
from stage2fuzz.case.codec import CHOICES_AT, decode, encode, newest
from stage2fuzz.case.profile import PROFILES, profile_named
from stage2fuzz.case.scenario import RANGE_PAGES, SLOT_FIRSTS, SLOT_STRIDE, Backing, Op
from stage2fuzz.case.text import parse
from stage2fuzz.fuzz.greybox import Greybox
from stage2fuzz.fuzz.harness import Harness, features
from stage2fuzz.fuzz.mutate import cross, mutate
from stage2fuzz.fuzz_targets import CANARY, EL2_TARGETS, NESTED, TARGETS
from stage2fuzz.model.planted import MUST_CATCH
from stage2fuzz.run import run
from stage2fuzz.session.reproduce import signatures

needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="no Atheris on this platform"
)


def target(name: str, outbox: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a target by its path to its end."""
    command = [sys.executable, str(places.TARGETS / f"{name}.py"), f"--outbox={outbox}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def findings(outbox: Path) -> list[dict[str, str]]:
    return [json.loads(path.read_text()) for path in sorted(outbox.glob("*.finding.json"))]


@needs_atheris
@pytest.mark.parametrize("name", TARGETS)
def test_a_target_fuzzes_under_atheris_and_grows_a_corpus(name: str, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    done = target(name, tmp_path / "out", "-runs=150", "-seed=1", str(corpus))
    assert done.returncode == 0, done.stderr
    assert "Loaded 1 modules   (16384 inline 8-bit counters)" in done.stderr
    assert len(list(corpus.iterdir())) > 10


@needs_atheris
def test_libfuzzer_mutates_by_our_own_mutators(tmp_path: Path) -> None:
    done = target("map_race", tmp_path / "outbox", "-runs=300", "-seed=1")
    steps = re.findall(r" MS: \d+ (\S+)", done.stdout + done.stderr)
    ours = [step for step in steps if step.startswith("Custom")]
    assert len(ours) > 20
    assert 2 * len(ours) > len(steps)


def test_the_canary_finds_its_planted_bug_with_our_own_loop(tmp_path: Path) -> None:
    done = target("canary", tmp_path, "--own-loop", "-runs=300")
    assert done.returncode == 0, done.stderr
    found = findings(tmp_path)
    assert {"A2", "B1"} & {each["oracle"] for each in found}
    for each in found:
        assert each["signature"] in signatures(run(parse(each["case"], "finding")))


CANARIES = {
    "map_race": "missing-dsb-after-tlbi",
    "permission_mix": "relax-drops-a-bit",
    "dirty_logging": "no-dirty-mark",
    "notifier": "no-retry",
    "block_split": "block-while-logging",
    "lifecycle": "no-retry",
}
"""For each target a planted bug that it must find within 600 inputs of one seed, or it is blind."""


@pytest.mark.parametrize("name", TARGETS)
def test_each_target_finds_its_own_planted_bug(name: str, tmp_path: Path) -> None:
    bug = CANARIES[name]
    for seed in (1, 2, 3):
        Greybox(Harness(f"model:v5.12!{bug}", name, tmp_path), seed).fuzz((), 0, 600)
        found = {each["oracle"] for each in findings(tmp_path)}
        if found & set(MUST_CATCH[bug.replace("-", "_")]):
            return
    pytest.fail(f"{name} is blind to {bug}")


@needs_atheris
def test_the_canary_finds_its_planted_bug_under_atheris(tmp_path: Path) -> None:
    target("canary", tmp_path, "-runs=300", "-seed=3")
    assert {"A2", "B1"} & {each["oracle"] for each in findings(tmp_path)}


def test_without_seeds_a_target_starts_from_nothing(tmp_path: Path) -> None:
    corpora = {}
    for option in ("--own-loop", "--no-seeds"):
        folder = tmp_path / option
        arguments = {"--own-loop", option}
        target("map_race", tmp_path / "out", *sorted(arguments), "-runs=1", str(folder))
        corpora[option] = len(list(folder.iterdir()))
    assert corpora["--no-seeds"] == 1
    assert corpora["--own-loop"] > 3


def test_a_target_is_a_script_of_its_own() -> None:
    for name in (*TARGETS, NESTED, *EL2_TARGETS, CANARY):
        script = places.TARGETS / f"{name}.py"
        assert os.access(script, os.X_OK)
        assert script.read_text().startswith("#!/usr/bin/env python3\n")


def test_a_wrong_engine_is_one_line_and_exit_2(tmp_path: Path) -> None:
    done = target("map_race", tmp_path, "--engine=model:v9", "-runs=1")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "known: v5.10" in done.stderr


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_belongs_to_its_target(name: str) -> None:
    seeds = sorted((places.CORPUS / name).glob("*.case"))
    assert seeds
    profile = profile_named(name)
    for path in seeds:
        case = parse(path.read_text(), path.name)
        again = Harness(case.engine, name)
        first, _ = again.one_input(encode(case))
        assert first.case.scenario == case.scenario, f"{path.name} leaves {profile.name}"


def test_every_seed_of_nested_guests_belongs_to_their_target() -> None:
    profile, seeds = profile_named(NESTED), sorted((places.CORPUS / NESTED).glob("*.case"))
    cases = [parse(path.read_text(), path.name) for path in seeds]
    assert any(case.scenario.options.vncr for case in cases)
    for case in cases:
        assert case.scenario.options.nested
        assert decode(encode(case), case.engine, profile).scenario == case.scenario


def test_structured_mutation_keeps_its_size_and_its_determinism() -> None:
    profile = profile_named("map_race")
    data = b""
    for seed in range(300):
        changed = mutate(data, "model:v5.10", profile, seed, 400)
        assert changed == mutate(data, "model:v5.10", profile, seed, 400)
        assert len(changed) <= 400
        data = cross(changed, data, "model:v5.10", profile, seed, 400)
        assert len(data) <= 400


def test_features_do_not_depend_on_what_was_run_before() -> None:
    one = features(b"", "model:v5.10", "map_race")
    features(bytes(range(120)), "model:v5.10", "map_race")
    assert features(b"", "model:v5.10", "map_race") == one
    assert features(bytes(range(120)), "model:v5.10", "map_race") != one


def test_every_operation_backing_and_place_is_drawn_by_some_target() -> None:
    draw, names = Random(1), (*TARGETS, NESTED)
    operations, backings, places, ranges, firsts = (set[int]() for _ in range(5))
    for number in range(6000):
        profile = PROFILES[names[number % len(names)]]
        scenario = decode(newest(draw.randbytes(CHOICES_AT)), "", profile).scenario
        backings |= {slot.backing for slot in scenario.slots}
        firsts |= {slot.first for slot in scenario.slots}
        for operation in (each for host in scenario.hosts for each in host):
            operations.add(operation.op)
            ranges.add(operation.pages)
            places.add(operation.page % SLOT_STRIDE)
    assert operations == set(Op)
    assert backings == set(Backing)
    assert ranges == set(RANGE_PAGES)
    assert firsts == set(SLOT_FIRSTS)
    assert len(places) > 50
