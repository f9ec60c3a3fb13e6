"""What is known of each row of the proof table, kept row by row: a table that was stopped goes on.

A file for each build of a tree and each text of the oracles, so that a row never speaks for
another code; a line of JSON for each row, written whole before the next row is begun.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from stage2fuzz.case.text import format_case
from stage2fuzz.errors import InputError
from stage2fuzz.prove.request import Knowledge, Proof
from stage2fuzz.prove.statement import why_bounded

SETTLED: Final = (Knowledge.PROVED, Knowledge.REFUTED)
"""What more time or memory would not change."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table, and what came of it."""

    name: str
    knowledge: Knowledge
    configs: int
    classes: int
    seconds: float
    """Of CPU time."""
    violations: dict[str, str]
    """Signature -> a case that shows it."""
    not_seen: list[str]
    """What was left out; empty where it is proved."""
    asked: float
    """The seconds that it was given."""
    memory: int
    """The bytes that it was given."""


def row_of(name: str, proof: Proof) -> Row:
    """A proof as a row."""
    figures = proof.best.figures if proof.best is not None else {}
    return Row(
        name,
        proof.knowledge,
        figures.get("configs", 0),
        figures.get("classes", 0),
        round(sum(each.seconds for each in proof.passes), 3),
        {signature: format_case(case) for signature, (_, case) in proof.found.items()},
        why_bounded(proof),
        proof.request.seconds,
        proof.request.memory,
    )


class Ledger:
    """The rows that are known of one build; InputError where they cannot be kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        text = _text(path)
        self._rows = {row.name: row for row in _rows(text)}
        self._begin = "\n" if text and not text.endswith("\n") else ""
        """Ends the line that a dying process left half, before the next."""

    def row(self, name: str, seconds: float, memory: int) -> Row | None:
        """What is known of a row, unless so many seconds or bytes may show more."""
        row = self._rows.get(name)
        if row is None or row.knowledge in SETTLED:
            return row
        return None if row.asked < seconds or row.memory < memory else row

    def keep(self, row: Row) -> None:
        """Write a row down, so that it outlives this process."""
        self._rows[row.name] = row
        line, self._begin = f"{self._begin}{json.dumps(asdict(row))}\n", ""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(
                str(self._path), f"cannot be written: {error.strerror}", "XDG_CACHE_HOME with room"
            ) from None


def ledger_path(build: str, bounds: tuple[int | None, int | None]) -> Path:
    """Where the rows of a build are kept, searched within these preemptions and faults."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    limits = "".join(f"-{'all' if bound is None else bound}" for bound in bounds)
    return Path(base) / "stage2fuzz" / "proofs" / f"{build}-{_judges()}{limits}.jsonl"


def _judges() -> str:
    """The text of the oracles and of what makes C of them, of what they know events by, and of
    what asks the search."""
    digest = hashlib.sha256()
    ours = Path(__file__).parents[1]
    texts = {ours / "kernel/search.py", ours / "kernel/adapter.py", *ours.glob("*.py")}
    for folder in ("oracles", "prove"):
        texts.update(path for path in (ours / folder).rglob("*") if path.suffix in (".py", ".h"))
    for path in sorted(texts):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _text(path: Path) -> str:
    """What was kept; empty where nothing was."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _rows(text: str) -> list[Row]:
    """The rows of a file, those that a dying process left half left out."""
    rows = []
    for line in text.splitlines():
        try:
            told = json.loads(line)
            rows.append(Row(**{**told, "knowledge": Knowledge(told["knowledge"])}))
        except (ValueError, TypeError, LookupError):
            continue
    return rows
