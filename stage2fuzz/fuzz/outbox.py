"""The outbox: how a fuzzing process tells what it finds, and how that is read without trust.

The writer and the reader of each file stand side by side. What a fuzzing process runs may have
taken it over, so each thing is checked once, here at the door: no links, no pipes, no giants, no
numbers out of range, and never more files than ``MOST_FILES``.
"""

import json
import os
import signal
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.errors import InputError
from stage2fuzz.fuzz.current_input import left_running
from stage2fuzz.fuzz.feature_map import NAME
from stage2fuzz.fuzz.features import COUNTERS
from stage2fuzz.oracles.violation import Category, Violation
from stage2fuzz.source import read_stack

FINDING_FORMAT: Final = 1
FINDING: Final = ".finding.json"
STATISTICS: Final = "stats.json"
CLAIMS: Final = "claims"
MAX_CLAIMS: Final = 16 << 20
ARTIFACTS: Final = {"crash": "crash", "timeout": "timeout", "oom": "memory"}
"""libFuzzer's name of an input that its process died of, and ours."""
MAX_FINDING: Final = 1 << 20
"""Bytes of a finding's file."""
MAX_FINDINGS: Final = 1000
MAX_INPUT: Final = 1 << 16
"""Bytes of an artifact."""
MOST_FILES: Final = 4096
"""Files of one folder that are looked at; a target writes a few hundred."""
MAX_COUNT: Final = 1 << 62
MAX_SECONDS: Final = 1e7


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a fuzzing process did so far, over all its restarts."""

    schedules: int = 0
    judged: int = 0
    """Schedules that went to the oracles; of the others it is known what they would say."""
    seconds: float = 0.0
    features: int = 0
    """Different features that its inputs showed."""
    findings: int = 0
    kept: int = 0
    """Inputs that showed a feature that none showed before."""


class Outbox:
    """The folder of one fuzzing process, as its reader sees it."""

    def __init__(self, folder: Path, engine: str) -> None:
        """What is found in ``folder`` must be about ``engine``."""
        self.folder, self._engine = folder, engine
        self._seen: set[str] = set()
        self._written = self._done = 0
        self._heard: float | None = None

    def findings(self, refused: Callable[[str], None]) -> Iterator[tuple[Case, Violation]]:
        """What was found since the last call; each file is read once, a bad one told ``refused``.

        A file that ``InputError`` or the system refuses costs nothing but itself.
        """
        names = {path.name for path in files(self.folder) if path.name.endswith(FINDING)}
        for name in sorted(names - self._seen)[: MAX_FINDINGS - len(self._seen)]:
            self._seen.add(name)
            try:
                found = read_finding(self.folder / name, self._engine)
            except InputError as error:
                refused(str(error))
            else:
                yield found

    def statistics(self) -> Statistics:
        """The last ones written; all zero where there are none, or none that can be true."""
        return read_statistics(self.folder)

    def silence(self) -> float:
        """Seconds since the process last told of one more schedule, to whoever asks again and
        again; where it has told of none, since the first question: who never speaks is silent, too.
        """
        now = time.monotonic()
        if self._heard is None:
            self._heard = now
        with suppress(OSError):
            written = os.lstat(self.folder / STATISTICS).st_mtime_ns
            if written != self._written:
                self._written, done = written, self.statistics().schedules
                if done != self._done:
                    self._done, self._heard = done, now
        return now - self._heard

    @property
    def has_spoken(self) -> bool:
        """Whether the process had told of a schedule when ``silence`` was last asked."""
        return self._done > 0

    def features(self) -> int:
        """The features seen so far, a bit each: their union is ``|``."""
        return int.from_bytes(read_bounded(self.folder / NAME, COUNTERS) or b"", "little")

    def claims(self) -> dict[str, frozenset[int]] | None:
        """Digest of each input that showed something new -> what of it was new in that process.

        None where the process tells no such thing. It is no more than what it says: whoever
        believes an input's features measures them.
        """
        data = read_bounded(self.folder / CLAIMS, MAX_CLAIMS)
        if data is None:
            return None
        claims: dict[str, frozenset[int]] = {}
        for line in data.splitlines():
            digest, _, packed = line.partition(b" ")
            with suppress(ValueError):
                claims[digest.decode()] = frozenset(map(int, packed.split(b",")))
        return claims

    def running(self) -> bytes | None:
        """The input that the process is at, or was at when it ended; None where it was at none."""
        return left_running(self.folder)

    def killers(self, artifacts: Path, code: int) -> list[tuple[str, bytes]]:
        """(how, input) that the process died of: libFuzzer's artifacts, else what was running.

        ``code`` is its exit code. Of one that died of SIGKILL it is not known who sent it: ask
        another process whether ``running`` kills it.
        """
        found = []
        for path in files(artifacts):
            how = ARTIFACTS.get(path.name.partition("-")[0])
            if how and (data := read_bounded(path, MAX_INPUT)) is not None:
                found.append((how, data))
        last = self.running() if code != -signal.SIGKILL else None
        return found if found or last is None else [("crash", last)]


def files(folder: Path) -> list[Path]:
    """Regular files of a folder, in the order of their names; of too many, some."""
    found = []
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in islice(entries, MOST_FILES):
            with suppress(OSError):
                if entry.is_file(follow_symlinks=False):
                    found.append(Path(entry.path))
    return sorted(found)


def read_bounded(path: Path, most: int) -> bytes | None:
    """A regular file of at most ``most`` bytes; None for anything else, without waiting for it."""
    try:
        source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(source, "rb") as file:
        if not stat.S_ISREG(os.fstat(source).st_mode):
            return None
        data = file.read(most + 1)
    return data if len(data) <= most else None


def write_finding(folder: Path, case: Case, violation: Violation) -> None:
    """Tell of a finding; another one of the same signature takes its place."""
    name = f"{crc32(violation.signature.encode()):08x}{crc32(case.engine.encode()):08x}{FINDING}"
    write_whole(folder / name, json.dumps(finding_record(case, violation), indent=1))


def read_finding(path: Path, engine: str) -> tuple[Case, Violation]:
    """One file of an outbox, distrusted; it must be about ``engine``. Raises InputError."""
    data = read_bounded(path, MAX_FINDING)
    if data is None:
        raise InputError(path.name, "is no finding", f"a file of at most {MAX_FINDING} bytes")
    try:
        raw: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(path.name, f"is no finding ({type(error).__name__})") from None
    return parse_finding(raw, engine, path.name)


def reported_signatures(folder: Path) -> set[str]:
    """The signatures of all findings in an outbox that is our own."""
    paths = [path for path in files(folder) if path.name.endswith(FINDING)]
    return {json.loads(path.read_text())["signature"] for path in paths}


def finding_record(case: Case, violation: Violation) -> dict[str, object]:
    """A finding as it crosses a process boundary."""
    about = {"format": FINDING_FORMAT, "engine": case.engine, "build": case.build}
    return about | violation_record(violation) | {"case": format_case(case)}


def parse_finding(raw: Any, engine: str, where: str) -> tuple[Case, Violation]:
    """A ``finding_record`` that came from another process, distrusted. Raises InputError."""
    violation = parse_violation(raw, where)
    text = raw.get("case")
    if not isinstance(text, str):
        raise InputError(where, "is no finding (its case is no text)")
    case = parse(text, where)
    if case.engine != engine:
        raise InputError(where, f"is about {case.engine}", engine)
    return case, violation


def violation_record(violation: Violation) -> dict[str, object]:
    """A violation as it crosses a process boundary, without the events that prove it."""
    return {
        "oracle": violation.oracle,
        "rule": violation.rule,
        "category": str(violation.category),
        "signature": violation.signature,
        "verdict": violation.verdict,
        "cause": violation.cause,
        "source": violation.source,
    }


def parse_violation(raw: Any, where: str) -> Violation:
    """A violation from another process, as text that is safe to print. Raises InputError."""
    if not isinstance(raw, Mapping):
        raise InputError(where, "is no finding (no object)")
    texts = {}
    for name, most in (("oracle", 16), ("rule", 120), ("verdict", 4000), ("signature", 1000)):
        text = raw.get(name)
        if not isinstance(text, str):
            raise InputError(where, f"is no finding ({name} is no text)")
        texts[name] = printable(text[:most])
    try:
        category = Category(str(raw.get("category")))
    except ValueError:
        raise InputError(where, f"is no finding (category {raw.get('category')!r})") from None
    named = (texts["oracle"], texts["rule"], category, texts["verdict"])
    try:
        source = read_stack(raw.get("source", []))
    except (ValueError, TypeError):
        raise InputError(where, "is no finding (source is no list of lines)") from None
    cause = raw.get("cause", "")
    if not isinstance(cause, str):
        raise InputError(where, "is no finding (cause is no text)")
    return Violation(*named, (), texts["signature"], printable(cause[:1000]), source)


def printable(text: str) -> str:
    """A text of strangers without what a terminal would take for an order."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def claim(folder: Path, data: bytes, fresh: Iterable[int]) -> None:
    """Say that an input showed features that no input of this process showed before."""
    with (folder / CLAIMS).open("a") as file:
        file.write(f"{digest_of(data)} {','.join(map(str, sorted(fresh)))}\n")


def write_statistics(folder: Path, statistics: Statistics) -> None:
    """Say how far the process is."""
    write_whole(folder / STATISTICS, json.dumps(asdict(statistics)))


def read_statistics(folder: Path) -> Statistics:
    """The process's statistics, distrusted: what can't be true counts as none."""
    try:
        raw: Any = json.loads(read_bounded(folder / STATISTICS, 1 << 16) or b"null")
    except (ValueError, RecursionError):
        return Statistics()
    if not isinstance(raw, Mapping):
        return Statistics()
    kept: dict[str, Any] = {}
    for field in fields(Statistics):
        value = raw.get(field.name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            return Statistics()
        most = MAX_SECONDS if field.name == "seconds" else MAX_COUNT
        if not 0 <= value <= most:
            return Statistics()
        kept[field.name] = float(value) if field.name == "seconds" else int(value)
    return Statistics(**kept)


def killer(how: str, target: str) -> Violation:
    """An input that ends the process that runs it: native code that failed, or our bug."""
    verdict = f"An input of {target} ends the process that runs it ({how}) instead of a verdict."
    signature = f"process/{how}/{target}"
    return Violation("process", how, Category.CORRECTNESS, verdict, (), signature)


def digest_of(data: bytes) -> str:
    """The name of an input: its SHA-256."""
    return sha256(data).hexdigest()


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader, or a kill in the middle, sees all of it or nothing."""
    write_whole_bytes(path, text.encode())


def write_whole_bytes(path: Path, data: bytes) -> None:
    """``write_whole`` for bytes."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError:  # a disk that is full keeps no half of it
        temporary.unlink(missing_ok=True)
        raise
