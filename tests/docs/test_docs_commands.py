"""Every command that a document shows in a fenced block is typed here, as it stands there.

The commands of one document run in one folder, in their order, so that a document reads like a
session. Times are cut short; what cannot be run here is listed with its reason.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from stage2fuzz.case.text import read_case
from stage2fuzz.findings.store import Store
from stage2fuzz.hyp.build import missing
from stage2fuzz.kernel.mutants import copy_tree
from stage2fuzz.places import CORPUS
from stage2fuzz.report import event_log
from stage2fuzz.run import run
from tests.docs.documents import DOCUMENTS, ROOT, Command, commands

NOT_RUN: Final = {
    r"docker ": "needs a container engine: tests/service/compose_check.py types these",
    r"kubectl ": "needs a cluster: tests/service/test_kubernetes.py, test_docs_operations.py",
    r"\./run test|\.ci/run|pytest|python -m pytest|ruff|mypy": "this very suite",
    r"stage2fuzz (confirm|compare .*--real)": "needs QEMU and a kernel image: tests/confirm",
    r"(stage2fuzz|\./run) serve": "ends only when it is told to: tests/web/test_serve.py",
    r"stage2fuzz notify": "sends to other people: tests/web/test_notify.py",
    r"cp \.env\.example": "writes beside docker-compose.yml: compose_check.py does it",
    r"git |pip |pipx |apt-get |curl |openssl ": "fetches or installs something from elsewhere",
}
"""Begins so -> why it is not run."""
SLOW: Final = (
    r"(kernel|hyp) (explore|bench|mutants)",
    r"check model",
    r"campaign ",
    r"\bseries\b",
    r"confirm",
    r"prove",
)
NEEDS_A_TREE: Final = re.compile(r"\blinux\b|\bTREE\b|\bBEFORE\b|linux-[0-9]|kernel:")
NEEDS_EL2: Final = re.compile(r"\bhyp[: ]")
WORDS: Final = {"ID": "1", "FILE": "race.case", "FOLDER": "out", "TREE": "tree"}
WORDS.update({"BEFORE": "tree", "AFTER": "tree", "NAME": "night"})
CASES: Final = sorted((ROOT / "tests" / "cases").glob("bad_situation_*.case"))
"""Their faults are the findings that every session has from the start."""
TREE: Final = os.environ.get("STAGE2FUZZ_KERNEL_TREE", "")


COMMIT: Final = """\
git init --quiet --initial-branch=main
git config user.name A; git config user.email a@example.org
git add --all --force; git commit --quiet -m released; git tag v6.12
git checkout --quiet -b my-branch
echo '# words' >> arch/arm64/kvm/Kconfig; git commit --quiet --all -m words
git format-patch --stdout -1 > ../series.mbx
"""


def why_not(command: Command) -> str:
    """Why a command is not run; empty where it is."""
    text = command.text
    return next((why for begin, why in NOT_RUN.items() if re.match(begin, text)), "")


def marked(command: Command) -> object:
    """The command as a parameter, slow where it is."""
    slow = any(re.search(each, command.text) for each in SLOW)
    return pytest.param(command, marks=pytest.mark.slow if slow else (), id=str(command))


SHOWN: Final = [each for document in DOCUMENTS for each in commands(document)]
RUN: Final = [marked(each) for each in SHOWN if not why_not(each)]


@pytest.fixture(scope="session")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Path]:
    """The folders of the documents' sessions, made when first needed."""
    return {}


@pytest.fixture
def folder(
    request: pytest.FixtureRequest,
    sessions: dict[Path, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The folder of the document whose command is run."""
    document: Path = request.getfixturevalue("command").document
    if document not in sessions:
        sessions[document] = prepared(tmp_path_factory.mktemp(document.stem))
    return sessions[document]


def prepared(folder: Path) -> Path:
    """What a reader has at hand: a checkout, a case, some findings, a tree."""
    (folder / "run").write_text(
        f'#!/bin/sh\nexec "{Path(sys.executable).parent}/stage2fuzz" "$@"\n'
    )
    (folder / "run").chmod(0o755)
    (folder / "corpus").symlink_to(CORPUS.resolve())
    (folder / "tests").symlink_to(ROOT / "tests")
    (folder / "fuzz_targets").symlink_to(ROOT / "fuzz_targets")
    (folder / "docs").symlink_to(ROOT / "docs")
    shutil.copy(CASES[0], folder / "race.case")
    with Store.open(f"sqlite:///{folder}/stage2fuzz.db") as store:
        for path in (*CASES, *CASES[0].parent.glob("bad_*.case")):
            if len(store.list()) >= 5:
                break
            outcome = run(read_case(path))
            for violation in outcome.violations:
                store.record(outcome.case, violation, event_log(outcome.events))
        assert len(store.list()) >= 5
    if TREE:
        committed(folder)
        for name in ("tree", *(f"linux-{each}" for each in ("5.10", "6.1", "6.12", "7.2", "7.3"))):
            (folder / name).symlink_to(Path(TREE).resolve())
    return folder


def committed(folder: Path) -> None:
    """A git repository of the tree, with a branch of one commit and that commit as a mail."""
    repository = folder / "linux"
    copy_tree(Path(TREE), repository)
    (folder / "commit").write_text(COMMIT)
    subprocess.run(["sh", "-e", "../commit"], cwd=repository, check=True, capture_output=True)


def shortened(text: str) -> str:
    """The command with its placeholders filled in and its time cut to a few seconds."""
    for word, instead in WORDS.items():
        text = re.sub(rf"\b{word}\b", instead, text)
    text = re.sub(r"(--seconds[ =]|-max_total_time=)\d+", r"\g<1>3", text)
    text = re.sub(r"(--schedules[ =])\d+", r"\g<1>20000", text)
    text = re.sub(r"(--executions[ =])\d+", r"\g<1>300", text)
    if re.search(r"(\./run|stage2fuzz) fuzz\b|kernel explore", text) and "--seconds" not in text:
        text += " --seconds 3"
    return text


@pytest.mark.parametrize("command", RUN)
def test_a_command_of_a_document_does_what_it_says(command: Command, folder: Path) -> None:
    if NEEDS_A_TREE.search(command.text) and not TREE:
        pytest.skip("needs a Linux tree: set STAGE2FUZZ_KERNEL_TREE to its path")
    if NEEDS_EL2.search(command.text) and missing(Path(TREE)):
        pytest.skip("the tree has no EL2 with guests: one of v6.14 or later has")
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        shortened(command.text),
        shell=True,
        cwd=folder,
        env={**os.environ, "PATH": programs, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode in (0, 1, 3), f"{command}\n{done.stdout}{done.stderr}"


def test_the_documents_show_commands() -> None:
    assert len(RUN) > 10


def test_every_reason_not_to_run_a_command_is_needed() -> None:
    for begin in NOT_RUN:
        assert any(re.match(begin, each.text) for each in SHOWN), begin
