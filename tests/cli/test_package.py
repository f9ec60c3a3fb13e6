"""What is installed works: the wheel, the wheel of the source archive, targets run by path."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from stage2fuzz.fuzz_targets import CANARY, TARGETS
from tests.cli.terminal import CORPUS

ROOT = CORPUS.parent
MAPPED = ("worker", "coordinator", "fuzz_targets", "corpus")
pytestmark = pytest.mark.slow


def build(source: Path, kind: str, folder: Path) -> Path:
    """A distribution of the tree in ``source``, built as pip would, without the network."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of a fresh environment that holds the wheel, and our own libraries by a path."""
    home = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    python = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    libraries = next((home / "lib").glob("python*/site-packages"))
    (libraries / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin"


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def clean() -> dict[str, str]:
    """The environment of a person who has never seen the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {name: value for name, value in kept.items() if not name.startswith("STAGE2FUZZ")}


def typed(where: Path, *command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), cwd=where, env=clean(), capture_output=True, text=True, check=False
    )


def test_a_wheel_brings_no_general_name_and_holds_what_a_checkout_has(wheel: Path) -> None:
    held = names(wheel)
    assert {name.split("/")[0].partition("-")[0] for name in held} == {"stage2fuzz"}
    for folder in MAPPED:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".case"):
                assert f"stage2fuzz/{path.relative_to(ROOT)}" in held
    assert "stage2fuzz/py.typed" in held
    assert {Path(name).name for name in held if "/licenses/" in name} == {
        "GPL-2.0-only.txt",
        "Apache-2.0.txt",
    }


def test_the_wheel_of_the_source_archive_is_the_same(wheel: Path, tmp_path: Path) -> None:
    archive = build(ROOT, "sdist", tmp_path / "source")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    again = build(unpacked, "wheel", tmp_path / "wheel")
    assert names(again) == names(wheel)


def test_a_copied_tree_makes_the_same_wheel_as_the_image_s_does(
    wheel: Path, tmp_path: Path
) -> None:
    listed = (ROOT / ".dockerignore").read_text().splitlines()
    for name in (line[1:] for line in listed if line.startswith("!")):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / "tree" / name, symlinks=True)
        else:
            (tmp_path / "tree").mkdir(exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / "tree")
    assert names(build(tmp_path / "tree", "wheel", tmp_path / "wheel")) == names(wheel)


def test_an_installed_program_fuzzes_replays_and_runs_a_campaign(
    installed: Path, tmp_path: Path
) -> None:
    program = installed / "stage2fuzz"
    where = typed(tmp_path, installed / "python", "-c", "import stage2fuzz as s; print(s.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(installed.parent)
    fuzzed = typed(tmp_path, program, "fuzz", "--seconds", "2", "--target", "map_race", "--json")
    assert fuzzed.returncode == 1, fuzzed
    said = json.loads(fuzzed.stdout)
    assert said["schedules"] > 0
    number = said["findings"][0]["id"]
    replayed = typed(tmp_path, program, "replay", number)
    assert replayed.returncode == 1, replayed
    assert replayed.stdout.startswith(f"finding {number}: ")
    options = ("--local", "--seconds", "10", "--workers", "1", "--target", "map_race", "--json")
    campaign = typed(tmp_path, program, "campaign", "start", "night", *options)
    told = json.loads(campaign.stdout)
    assert told["schedules"] > 0, campaign


@pytest.mark.parametrize("name", [*TARGETS, CANARY])
def test_a_target_runs_by_path_and_by_name(installed: Path, tmp_path: Path, name: str) -> None:
    for command in (
        (sys.executable, ROOT / "fuzz_targets" / f"{name}.py"),
        (installed / "stage2fuzz", "target", name),
    ):
        done = typed(tmp_path, *command, "--own-loop", "-runs=50", "-seed=1")
        assert done.returncode == 0, done
        assert "schedules" in done.stdout


def test_a_target_run_by_path_says_what_to_type_where_python_knows_nothing(
    tmp_path: Path,
) -> None:
    copy = tmp_path / "checkout"
    for name in ("stage2fuzz", "fuzz_targets", "worker", "coordinator", "corpus"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True)
    shutil.copy(ROOT / "run", copy)
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    done = typed(copy, bare / "bin" / "python", "fuzz_targets/map_race.py", "-runs=1")
    assert done.returncode == 2
    assert done.stderr.endswith("type: ./run target map_race\n"), done
    assert len(done.stderr.splitlines()) == 1
    (copy / ".venv" / "bin").mkdir(parents=True)
    (copy / ".venv" / "bin" / "python").symlink_to(sys.executable)
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", copy / ".venv")
    (copy / ".venv" / "lib").symlink_to(Path(sys.prefix) / "lib")
    done = typed(copy, bare / "bin" / "python", "fuzz_targets/map_race.py", "--own-loop", "-runs=9")
    assert done.returncode == 0, done


def test_run_works_on_paths_of_the_folder_it_was_called_from(tmp_path: Path) -> None:
    if not (ROOT / ".venv" / "stage2fuzz-installed").exists():
        pytest.skip("needs the environment that ./run makes")
    shutil.copy(CORPUS / "map_race" / "situation-1-late-loser.case", tmp_path / "my.case")
    run = os.path.relpath(ROOT / "run", tmp_path)
    assert typed(tmp_path, run, "run", "my.case").returncode == 1
    assert f"{run} run my.case" in typed(tmp_path, run, "run", "--help").stdout
