"""A tree whose code goes wild or ends in silence: every command says so and none exits 0.

The code goes wild where the host unmaps a page, which the smoke program of the build's proof never
does; one test lets it go wild in the proof, too. How it goes wild a file says that it reads then,
so that one build serves for all kinds: to build takes longer than most commands.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from stage2fuzz.kernel import registers
from stage2fuzz.kernel.mutants import copy_tree
from stage2fuzz.process import life

pytestmark = pytest.mark.kernel

SILENT = {
    "exit 0": "extern void _exit(int); _exit(0);",
    "exit 1": "extern void _exit(int); _exit(1);",
    "SIGKILL": "extern int raise(int); raise(9);",
    "sleep": "extern unsigned sleep(unsigned); for (;;) sleep(1000);",
    "blocked loop": (
        "unsigned long all[16]; __builtin_memset(all, 255, sizeof(all)); "
        "extern int sigprocmask(int, const void *, void *); sigprocmask(0, all, 0); for (;;) ;"
    ),
    "parent": (
        "extern int getppid(void), kill(int, int), raise(int); kill(getppid(), 9); raise(9);"
    ),
    "closed pipes": (
        "extern int close(int); for (int i = 0; i < 64; i++) close(i); "
        "extern void _exit(int); _exit(0);"
    ),
    "garbage": (
        "extern long write(int, const void *, unsigned long); extern void _exit(int); "
        'for (int i = 0; i < 64; i++) write(i, "\\33[31mred\\n{\\"code\\": \\"0\\"}\\n", 23); '
        "_exit(0);"
    ),
}
"""What ends the process without a word, or never, and so leaves a run without a result."""
CAUGHT = {
    "busy loop": "for (;;) barrier();",
    "memory": (
        "extern void *malloc(unsigned long); "
        "for (;;) { volatile char *at = malloc(1 << 24); at[0] = 1; }"
    ),
}
"""What the engine itself catches: the run ends as a crash, which an oracle objects to."""
WILD = SILENT | CAUGHT
FEW = ("exit 0", "garbage")
"""Those of the ordinary run; the others take minutes."""
EACH = [pytest.param(wild, marks=() if wild in FEW else pytest.mark.slow, id=wild) for wild in WILD]
LONG = [pytest.param(wild, marks=pytest.mark.slow, id=wild) for wild in WILD]
UNMAP = ("bool kvm_unmap_gfn_range(", "int kvm_unmap_hva_range(")
ABORT = ("int kvm_handle_guest_abort(",)
HANGING = ("sleep", "blocked loop")
SILENCE = "20"
"""Seconds that a process of those may be silent; a busy machine needs half of them to start one."""
CASE = """stage2fuzz case 1
engine kernel:{tree}
slot 0: pages 4
vcpu 0: write 0, write 1
vcpu 1: read 0
host 0: move 0
end
"""


CHOICE = """
extern int openat(int, const char *, int, ...), close(int);
extern long read(int, void *, unsigned long);
char kind = 0;
int file = openat(-100, "{file}", 0);

read(file, &kind, 1);
close(file);
switch (kind) {{
{kinds}
}}
"""


def choose(folder: Path, wild: str) -> None:
    """Have the tree of ``folder`` go wild in this way from now on."""
    (folder / "kind").write_text(chr(ord("A") + list(WILD).index(wild)))


def chosen(folder: Path) -> str:
    """The letter of that way; each has a database of its own."""
    return (folder / "kind").read_text() if (folder / "kind").exists() else "none"


def choice(folder: Path) -> str:
    """C that goes wild in the way that was chosen; in none where nothing was."""
    kinds = (f"case {ord('A') + at}: {{ {code} }} break;" for at, code in enumerate(WILD.values()))
    return CHOICE.format(file=folder / "kind", kinds="\n".join(kinds))


def plant(tree: Path, to: Path, code: str, functions: tuple[str, ...]) -> Path:
    """A copy of ``tree`` whose function begins with ``code``."""
    copy_tree(tree, to)
    file = to / "arch/arm64/kvm/mmu.c"
    text = file.read_text()
    at = next(text.index(each) for each in functions if each in text)
    head = text.index("{", at) + 1
    file.write_text(f"{text[:head]} {{ {code} }} {text[head:]}")
    return to


def command(
    folder: Path, *words: str, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    environment = (
        os.environ
        | (more or {})
        | {
            "XDG_CACHE_HOME": str(folder / "cache"),
            "STAGE2FUZZ_DATABASE": f"sqlite:///{folder}/{chosen(folder)}.db",
        }
    )
    done = subprocess.run(
        [sys.executable, "-m", "stage2fuzz", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment,
        timeout=300,
    )
    assert done.returncode in (0, 1, 2, 3), done
    assert "\33" not in done.stdout + done.stderr, done
    return done


def wild_command(folder: Path, wild: str, *words: str) -> subprocess.CompletedProcess[str]:
    """``command`` without much patience for what hangs."""
    return command(folder, *words, more={life.VARIABLE: SILENCE} if wild in HANGING else None)


Wild = Callable[[str], Path]


def planted(tree: Path, folder: Path, functions: tuple[str, ...]) -> Wild:
    """A tree in ``folder``, and the choice of how it is wild; the folder comes back."""
    plant(tree, folder / "tree", choice(folder), functions)

    def wild_in(wild: str) -> Path:
        choose(folder, wild)
        return folder

    return wild_in


@pytest.fixture(scope="module")
def wild_tree(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Wild:
    """A tree that is wild where a page is unmapped, built, with a case that does it."""
    folder = tmp_path_factory.mktemp("wild")
    made = planted(tree, folder, UNMAP)
    (folder / "my.case").write_text(CASE.format(tree=folder / "tree"))
    assert command(folder, "kernel", "build", str(folder / "tree")).returncode == 0
    return made


@pytest.fixture(scope="module")
def wild_proof(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Wild:
    """A tree that is wild from the first fault."""
    return planted(tree, tmp_path_factory.mktemp("proof"), ABORT)


@pytest.mark.parametrize("wild", EACH)
def test_a_tree_that_is_wild_from_the_first_fault_is_refused(wild_proof: Wild, wild: str) -> None:
    folder = wild_proof(wild)
    done = wild_command(folder, wild, "kernel", "build", str(folder / "tree"))
    assert done.returncode == 2, done
    assert len(done.stderr.splitlines()) == 1
    assert "no progress" in done.stderr or "build and proof: the process" in done.stderr, done


@pytest.mark.parametrize("wild", EACH)
@pytest.mark.parametrize("verb", ["run", "replay", "minimise", "explore", "compare"])
def test_a_command_whose_run_has_no_result_says_what_ended_it(
    wild_tree: Wild, wild: str, verb: str
) -> None:
    folder = wild_tree(wild)
    pair = (f"--engine=kernel:{folder / 'tree'}", "--engine=model:v5.12")
    done = wild_command(folder, wild, verb, "my.case", *(pair if verb == "compare" else ()))
    if wild in CAUGHT:
        assert done.returncode == (0 if verb == "minimise" else 1), done
        return
    assert done.returncode == 3, done
    (line,) = [each for each in done.stderr.splitlines() if "inconclusive" in each]
    asked = "run" if verb == "replay" else verb
    assert line.startswith(f"stage2fuzz: inconclusive: {asked}: the process "), done


SPY = """
#define OPEN(path) openat(-100, path, 0101, 0600)
extern char *getenv(const char *); extern int openat(int, const char *, int, ...);
extern long read(int, void *, unsigned long); extern int getppid(void);
extern int sprintf(char *, const char *, ...); extern unsigned sleep(unsigned);
static void __attribute__((constructor)) spy(void)
{{
	char name[64];
	int parent;

	OPEN("{folder}/ran");
	sprintf(name, "/proc/%d/environ", getppid());
	parent = openat(-100, name, 0);
	if (getenv("SECRET") || (parent >= 0 && read(parent, name, 8) > 0))
		OPEN("{folder}/leaked");
	{more}
}}
"""
"""A constructor, which runs whenever the library is loaded."""


@pytest.mark.parametrize("more", ["", pytest.param("for (;;) ;", marks=pytest.mark.slow)])
def test_what_runs_as_a_library_is_loaded_is_confined_and_has_its_time(
    tree: Path, tmp_path: Path, more: str
) -> None:
    copy = tmp_path / "tree"
    copy_tree(tree, copy)
    with (copy / "arch/arm64/kvm/mmu.c").open("a") as file:
        file.write(SPY.format(folder=tmp_path, more=more))
    environment = {"SECRET": "hunter2", life.VARIABLE: SILENCE}
    done = command(tmp_path, "kernel", "build", str(copy), more=environment)
    assert done.returncode == (2 if more else 0), done
    assert (tmp_path / "ran").exists()
    assert not (tmp_path / "leaked").exists()
    if more:
        assert "build and proof: the process did not end in its time" in done.stderr


AWK = {
    "loop": "BEGIN {{ while (1) n++ }}",
    "leak": """BEGIN {{ system("echo $SECRET > {folder}/leaked"); exit 1 }}""",
}


@pytest.mark.parametrize("script", [pytest.param("loop", marks=pytest.mark.slow), "leak"])
def test_the_tree_s_own_script_is_confined_and_has_its_time(
    tree: Path, tmp_path: Path, script: str
) -> None:
    if not registers.sources(tree):
        pytest.skip("the tree has no script of its own for this")
    copy = tmp_path / "tree"
    copy_tree(tree, copy)
    (copy / registers.GENERATOR).write_text(AWK[script].format(folder=tmp_path))
    environment = {"SECRET": "hunter2", life.VARIABLE: SILENCE}
    done = command(tmp_path, "kernel", "build", str(copy), more=environment)
    assert done.returncode == 2, done
    assert len(done.stderr.splitlines()) == 1
    if script == "leak":
        assert (tmp_path / "leaked").read_text() == "\n"


@pytest.mark.parametrize("wild", LONG)
def test_a_session_names_the_input_or_says_what_is_missing(wild_tree: Wild, wild: str) -> None:
    folder = wild_tree(wild)
    words = ("--target", "notifier", "--seconds", "12", "--jobs", "1", "--json")
    done = wild_command(folder, wild, "fuzz", f"--engine=kernel:{folder / 'tree'}", *words)
    told: dict[str, Any] = json.loads(done.stdout)
    expect_honest(told, done.returncode)


@pytest.mark.parametrize("wild", LONG)
def test_an_exploration_of_a_tree_names_what_its_processes_died_of(
    wild_tree: Wild, wild: str
) -> None:
    folder = wild_tree(wild)
    done = wild_command(
        folder, wild, "kernel", "explore", str(folder / "tree"), "--seconds", "5", "--json"
    )
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode in (1, 3), done
    ends = {each["oracle"] for each in told["signatures"]}
    assert "CRASH" in ends or "died" in done.stderr or "no schedule" in done.stderr, done


@pytest.mark.parametrize("wild", LONG)
def test_a_campaign_names_the_input_or_says_what_is_missing(wild_tree: Wild, wild: str) -> None:
    folder = wild_tree(wild)
    name = wild.replace(" ", "-")
    seconds = "40" if wild in HANGING else "15"
    words = ("--engine", f"kernel:{folder / 'tree'}", "--target", "notifier", "--seconds", seconds)
    more = ("--workers", "1", "--regress", "model:v5.12", "--json")
    done = wild_command(folder, wild, "campaign", "start", name, "--local", *words, *more)
    told: dict[str, Any] = json.loads(done.stdout)
    expect_honest(told, done.returncode)
    status = json.loads(command(folder, "campaign", "status", name, "--json").stdout)
    assert status["killers"] or status["findings"] or status["orders_cut_short"] or status["note"]


def expect_honest(told: dict[str, Any], code: int) -> None:
    """The end of a process is a finding of its own, or said to be what is missing."""
    named = [each for each in told["findings"] if each["oracle"] in ("process", "CRASH")]
    assert named or told["inconclusive"], told
    assert code == (1 if told["findings"] else 3), told
