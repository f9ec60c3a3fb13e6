"""What the documents name exists: tests, files, links, commands and their options."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from stage2fuzz.cli.app import app
from tests.docs.documents import DOCUMENTS, ROOT, commands, lines, links, spans

EACH = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
HOMES = ("stage2fuzz/", "tests/", "docs/", "worker/", "coordinator/", "fuzz_targets/", "corpus/")
ALWAYS = {"--help", "-h", "--version", "--install-completion", "--show-completion"}
PLACEHOLDER = re.compile(r"[A-Z<>*{}]|\.\.\.")


def names_of_tests() -> set[str]:
    """The name of every test of the suite."""
    sources = (path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    return {name for source in sources for name in re.findall(r"def (test_\w+)", source)}


@EACH
def test_every_test_that_a_document_cites_exists(document: Path) -> None:
    cited = set(re.findall(r"\btest_\w+\b(?!\.py)", document.read_text()))
    files = {path.stem for path in (ROOT / "tests").rglob("*.py")}
    folders = {path.name for path in (ROOT / "tests").iterdir()}
    known = names_of_tests() | files | folders
    begun = {each for each in cited if each.endswith("_")}  # one whose end is left out
    assert {each for each in begun if not any(name.startswith(each) for name in known)} == set()
    assert cited - begun - known == set()


@EACH
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    named = {span.partition("::")[0] for span in spans(document) if span.startswith(HOMES)}
    paths = {each.split()[0] for each in named if not PLACEHOLDER.search(each)}
    assert {each for each in paths if not (ROOT / each).exists()} == set()


@EACH
def test_every_link_leads_somewhere(document: Path) -> None:
    broken = [each for each in links(document) if not (document.parent / each).exists()]
    assert broken == []


@EACH
def test_no_line_is_wider_than_120_columns(document: Path) -> None:
    """A row of a table cannot be broken."""
    wide = [n for n, line, _ in lines(document) if len(line) > 120 and not line.startswith("|")]
    assert wide == [], f"lines {wide}"


def options(words: list[str]) -> set[str]:
    """The options of the command that ``words`` begin with; ValueError if there is none."""
    found: Any = get_command(app)
    for word in words:
        if word.startswith("-") or not hasattr(found, "get_command"):
            break
        inner = found.get_command(typer.Context(found), word)
        if inner is None:
            raise ValueError(f"no command {word!r}")
        entry = getattr(inner, "_entry", None)
        found = inner if entry is None else entry.load(word)
        if entry is not None and entry.passes_on:
            return {word.partition("=")[0] for word in words}
    return {name for each in found.params for name in (*each.opts, *each.secondary_opts)}


def unknown(text: str) -> list[str]:
    """What of a ``stage2fuzz`` command does not exist: its name, or options of it."""
    words = shlex.split(text.replace(r"\|", "|"))[1:]
    if not words or PLACEHOLDER.search(words[0]) or words[0] in ("test", "bench"):
        return []
    try:
        known = options(words) | ALWAYS
    except ValueError as error:
        return [f"{text}: {error}"]
    given = (word.partition("=")[0] for word in words if word.startswith("-") and word != "-")
    return [f"{text}: {each}" for each in given if each not in known]


@EACH
def test_every_command_that_a_document_names_has_these_options(document: Path) -> None:
    inline = [span for span in spans(document) if re.match(r"(stage2fuzz|\./run) [a-z]", span)]
    fenced = [each.text for each in commands(document)]
    named = [each for each in (*inline, *fenced) if each.startswith(("stage2fuzz ", "./run "))]
    assert [each for text in named for each in unknown(text)] == []
