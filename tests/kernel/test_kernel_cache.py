"""The cache of libraries: what is cut short or foreign is built anew, what can't be is one line."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from stage2fuzz.errors import InputError
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import KERNEL_FILES, Library, build
from stage2fuzz.kernel.cache import BuildReport, load, store
from stage2fuzz.kernel.mutants import copy_tree

REPORT = BuildReport({"S2_HAS_SPLIT": True}, {})


def whole(folder: Path) -> Path:
    """A folder as ``store`` leaves it."""
    work = folder / "work" / "new"
    work.mkdir(parents=True)
    (work / "engine.so").write_bytes(b"library" * 1000)
    store(work, folder / "key", REPORT)
    return folder / "key"


def test_a_whole_library_is_taken(tmp_path: Path) -> None:
    assert load(whole(tmp_path)) == REPORT


@pytest.mark.parametrize("size", [0, 1, 6999, 7001])
def test_a_library_that_was_cut_short_is_none(tmp_path: Path, size: int) -> None:
    folder = whole(tmp_path)
    os.truncate(folder / "engine.so", size)
    assert load(folder) is None


def test_a_foreign_library_of_the_same_size_is_none(tmp_path: Path) -> None:
    folder = whole(tmp_path)
    (folder / "engine.so").write_bytes(b"foreign" * 1000)
    assert load(folder) is None


@pytest.mark.parametrize(
    "report",
    [
        *("", "{", "[]", "null", "7", "\x00", "[" * 100_000, '{"probes": {}}'),
        *('{"probes": [], "size": 7000, "sha256": ""}', '{"S2_HAS_SPLIT": true}'),
    ],
)
def test_a_broken_report_is_none(tmp_path: Path, report: str) -> None:
    folder = whole(tmp_path)
    (folder / "report.json").write_text(report)
    assert load(folder) is None


def test_storing_replaces_what_is_not_whole_and_leaves_what_is(tmp_path: Path) -> None:
    folder = whole(tmp_path / "one")
    os.truncate(folder / "engine.so", 10)
    work = tmp_path / "two" / "new"
    work.mkdir(parents=True)
    (work / "engine.so").write_bytes(b"another" * 1000)
    store(work, folder, REPORT)
    assert load(folder) == REPORT
    late = tmp_path / "three" / "new"
    late.mkdir(parents=True)
    (late / "engine.so").write_bytes(b"too late" * 1000)
    store(late, folder, REPORT)
    assert (folder / "engine.so").read_bytes() == b"another" * 1000


@pytest.mark.kernel
def test_a_truncated_library_is_built_anew_and_never_loaded(
    kernel: KernelEngine, cache: Path
) -> None:
    library = kernel.library
    os.truncate(library.path, library.path.stat().st_size // 2)
    again = build(library.tree, cache)
    assert not again.cached
    assert again.path == library.path
    # In a process of its own: a library that is not whole ends it with a bus error.
    code = "import sys; from pathlib import Path; from stage2fuzz.kernel.native import Native; "
    code += "print(Native(Path(sys.argv[1])).announced_loads())"
    done = subprocess.run(
        [sys.executable, "-c", code, str(again.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def refusal(tree: Path, cache: Path) -> str:
    """The one line."""
    with pytest.raises(InputError) as refused:
        build(tree, cache)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.kernel
def test_a_cache_that_can_not_be_made_is_one_line(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refusal(tree, tmp_path / "file").startswith(f"{tmp_path / 'file'}: File exists; ")
    assert "Not a directory" in refusal(tree, tmp_path / "file" / "below")
    assert "No such file" in refusal(tree, Path("/proc/none"))


@pytest.mark.kernel
def test_a_cache_without_room_is_one_line(tree: Path, tmp_path: Path) -> None:
    """A limit on file sizes stands for the full disk: the system call fails in the same place."""
    code = (
        "import sys, signal, resource\nfrom pathlib import Path\n"
        "from stage2fuzz.kernel.build import build\nfrom stage2fuzz.errors import InputError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try:\n    build(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "except InputError as error:\n    print(error)\n"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tree), str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert "File too large" in done.stdout
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.kernel
def test_a_file_that_can_not_be_read_is_named(tree: Path, tmp_path: Path) -> None:
    copy_tree(tree, tmp_path / "tree")
    file = tmp_path / "tree" / KERNEL_FILES[1]
    file.unlink()
    file.symlink_to("/proc/self/mem")  # a regular file that nobody can read from its start
    assert refusal(tmp_path / "tree", tmp_path / "cache").startswith(f"{file}: Input/output error")


def test_a_loop_of_links_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    assert str(tmp_path / "one") in refusal(tmp_path / "one", tmp_path / "cache")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "arch").symlink_to("arch")
    assert "no arch/arm64/kvm/hyp/pgtable.c" in refusal(tmp_path / "tree", tmp_path / "cache")


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["a b", "a#b", "ü 日本", "a'b\"c", "a=b"])
def test_a_tree_may_lie_anywhere(tree: Path, tmp_path: Path, name: str) -> None:
    copy_tree(tree, tmp_path / name)
    library: Library = build(tmp_path / name, tmp_path / f"cache {name}")
    report = json.loads((library.path.parent / "report.json").read_text())
    assert report["size"] == library.path.stat().st_size
