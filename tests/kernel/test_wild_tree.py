"""A tree whose code goes wild or ends in silence: every command says so and none exits 0.

The code goes wild where the host unmaps a page, which the smoke program of the build's proof never
does; one test lets it go wild in the proof, too.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stage2fuzz.kernel.mutants import copy_tree

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

WILD = {
    "exit 0": "extern void _exit(int); _exit(0);",
    "SIGKILL": "extern int raise(int); raise(9);",
    "sleep": "extern unsigned sleep(unsigned); for (;;) sleep(1000);",
    "blocked loop": (
        "unsigned long all[16]; __builtin_memset(all, 255, sizeof(all)); "
        "extern int sigprocmask(int, const void *, void *); sigprocmask(0, all, 0); for (;;) ;"
    ),
    "memory": (
        "extern void *malloc(unsigned long); "
        "for (;;) { volatile char *at = malloc(1 << 24); at[0] = 1; }"
    ),
    "parent": (
        "extern int getppid(void), kill(int, int), raise(int); kill(getppid(), 9); raise(9);"
    ),
    "closed pipes": (
        "extern int close(int); for (int i = 0; i < 64; i++) close(i); "
        "extern void _exit(int); _exit(0);"
    ),
}
UNMAP = ("bool kvm_unmap_gfn_range(", "int kvm_unmap_hva_range(")
ABORT = ("int kvm_handle_guest_abort(",)
CASE = """stage2fuzz case 1
engine kernel:{tree}
slot 0: pages 4
vcpu 0: write 0, write 1
vcpu 1: read 0
host 0: move 0
end
"""


def plant(tree: Path, to: Path, code: str, functions: tuple[str, ...]) -> Path:
    """A copy of ``tree`` whose function begins with ``code``."""
    copy_tree(tree, to)
    file = to / "arch/arm64/kvm/mmu.c"
    text = file.read_text()
    at = next(text.index(each) for each in functions if each in text)
    head = text.index("{", at) + 1
    file.write_text(f"{text[:head]} {{ {code} }} {text[head:]}")
    return to


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "XDG_CACHE_HOME": str(folder / "cache"),
        "STAGE2FUZZ_DATABASE": f"sqlite:///{folder}/found.db",
    }
    return subprocess.run(
        [sys.executable, "-m", "stage2fuzz", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment,
        timeout=600,
    )


@pytest.mark.parametrize("wild", ["exit 0", "SIGKILL", "parent", "memory"])
def test_a_tree_that_is_wild_from_the_first_fault_is_refused(
    tree: Path, tmp_path: Path, wild: str
) -> None:
    copy = plant(tree, tmp_path / "tree", WILD[wild], ABORT)
    for words in (("build", str(copy)), ("explore", str(copy), "--seconds", "2")):
        done = command(tmp_path, "kernel", *words)
        assert done.returncode == 2, done
        assert "build and proof: the process" in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("wild", WILD)
def test_each_command_says_that_the_tree_ended_it(tree: Path, tmp_path: Path, wild: str) -> None:
    copy = plant(tree, tmp_path / "tree", WILD[wild], UNMAP)
    built = command(tmp_path, "kernel", "build", str(copy))
    assert built.returncode == 0, built.stderr
    (tmp_path / "my.case").write_text(CASE.format(tree=copy))
    engine = f"--engine=kernel:{copy}"
    quick = wild not in ("sleep", "blocked loop")
    for words in (
        ("run", "my.case"),
        ("replay", "my.case"),
        ("minimise", "my.case"),
        ("explore", "my.case"),
        ("compare", "my.case", engine, f"--engine=kernel:{tree}"),
    )[: None if quick else 1]:
        done = command(tmp_path, *words)
        assert done.returncode in ((3, 1) if words[0] == "run" else (3, 1, 2)), (words, done)
        assert done.returncode != 0
        if done.returncode == 3:
            assert "inconclusive" in done.stderr + done.stdout, (words, done)


@pytest.mark.parametrize("wild", WILD)
def test_a_session_names_the_input_or_says_what_is_missing(
    tree: Path, tmp_path: Path, wild: str
) -> None:
    copy = plant(tree, tmp_path / "tree", WILD[wild], UNMAP)
    words = ("--engine", f"kernel:{copy}", "--target", "notifier", "--seconds", "15", "--jobs", "1")
    done = command(tmp_path, "fuzz", *words)
    assert done.returncode in (1, 3), done
    assert "process" in done.stdout or "inconclusive" in done.stdout, done.stdout
    explored = command(tmp_path, "kernel", "explore", str(copy), "--seconds", "8")
    assert explored.returncode in (1, 3), explored
