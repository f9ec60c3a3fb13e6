"""Wild kernel code: a finding with its case, in a session and in a campaign, and nothing dies."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stage2fuzz.case.text import parse
from stage2fuzz.errors import InputError
from stage2fuzz.findings.models import Finding
from stage2fuzz.findings.store import Store
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import build
from stage2fuzz.kernel.faults import FAULTS, PlantedFault
from stage2fuzz.kernel.mutants import copy_tree, plant
from stage2fuzz.run import run
from stage2fuzz.session.reproduce import signatures

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parents[2]
WILD = {
    "SIGSEGV": ("*(volatile int *)8;", 11),
    "SIGABRT": ("{ extern void abort(void); abort(); }", 6),
    "stack overflow": (
        "{ volatile char pad[4096]; *pad = 1; handle_access_fault(vcpu, fault_ipa); *pad = 2; }",
        11,
    ),
    "endless loop": ("for (;;) barrier();", 26),
    "wild stores": ("for (volatile long *at = (void *)&fault_ipa;;) *at++ = -1;", 11),
}
"""What the handler of an access flag fault does instead, and the signal that ends it. The smoke
program takes no such fault, and few random scenarios do."""


def planted(tree: Path, to: Path, wild: str) -> Path:
    """A copy of the tree whose access fault handler goes wild."""
    copy_tree(tree, to)
    (model,) = (each for each in FAULTS if each.name == "null-dereference")
    ways = tuple(
        tuple(replace(edit, replacement=rf"{WILD[wild][0]} \g<0>") for edit in way)
        for way in model.ways
    )
    assert plant(to, PlantedFault("wild", wild, ways))
    return to


def found(database: Path) -> list[Finding]:
    store = Store.open(str(database))
    findings = store.list()
    store.close()
    return findings


def expect_crash(findings: list[Finding], signal: int) -> None:
    """The crash is there with a case that shows it; what else was found stands apart from it."""
    (crash,) = (each for each in findings if each.oracle == "CRASH")
    assert crash.signature == f"CRASH no crash: signal {signal}"
    assert crash.confirmations == crash.attempts >= 1
    outcome = run(parse(crash.reproducer, "crash"))
    assert crash.signature in signatures(outcome)
    assert outcome.diverged == ""
    assert not [each.signature for each in findings if each.oracle == "process"]


def stage2fuzz(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command with a database in ``folder``."""
    command = [sys.executable, "-m", "stage2fuzz", *words, "--json"]
    environment = os.environ | {"STAGE2FUZZ_DATABASE": f"sqlite:///{folder}/found.db"}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )


@pytest.mark.parametrize(
    ("wild", "loop"),
    [
        *((wild, ()) for wild in WILD if wild != "endless loop"),
        ("SIGSEGV", ("--own-loop",)),
        pytest.param("endless loop", (), marks=pytest.mark.slow),
    ],
)
def test_a_session_goes_on_and_records_it(
    tree: Path, tmp_path: Path, wild: str, loop: tuple[str, ...]
) -> None:
    copy = planted(tree, tmp_path / "tree", wild)
    words = ["fuzz", "--engine", f"kernel:{copy}", "--target", "notifier", "--jobs", "1", *loop]
    done = stage2fuzz(tmp_path, *words, "--seconds", "12")
    assert done.returncode == 1, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["inconclusive"] == []
    assert told["schedules"] > (20 if wild == "endless loop" else 500)
    expect_crash(found(tmp_path / "found.db"), WILD[wild][1])


@pytest.mark.slow
@pytest.mark.parametrize("wild", WILD)
def test_a_campaign_goes_on_and_records_it(tree: Path, tmp_path: Path, wild: str) -> None:
    copy = planted(tree, tmp_path / "tree", wild)
    words = ["--local", "--engine", f"kernel:{copy}", "--target", "notifier", "--seconds", "20"]
    done = stage2fuzz(tmp_path, "campaign", "start", "wild", *words)
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["campaign"]["state"] == "done", done.stderr
    assert told["schedules"] > (20 if wild == "endless loop" else 500)
    expect_crash(found(tmp_path / "found.db"), WILD[wild][1])


def test_a_tree_that_crashes_in_the_smoke_program_is_refused(tree: Path, tmp_path: Path) -> None:
    copy_tree(tree, tmp_path / "tree")
    file = tmp_path / "tree/arch/arm64/kvm/mmu.c"
    text = file.read_text()
    head = text.index("{", text.index("int kvm_init_stage2_mmu(")) + 1
    file.write_text(text[:head] + " *(volatile int *)8; " + text[head:])
    engine = KernelEngine(build(tmp_path / "tree", tmp_path / "cache"))
    with pytest.raises(InputError, match="progress: 0 of 5 accesses finished, the run crash"):
        engine.prove()
