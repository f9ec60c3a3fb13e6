"""Text <-> Case: the form a person writes by hand, reviews in a diff and pastes into a mail.

Bytes are for the fuzzer; a reproducer must outlive the byte layout, so it is kept as versioned
text. ``docs/case-format.md`` describes the language. ``parse`` raises ``InputError`` naming file
and line, and nothing else, whatever the text; ``parse(format_case(case), name) == case`` where the
schedule is in normal form.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.limits import MAX_TEXT, check_case
from stage2fuzz.case.lines import body_lines, checksum
from stage2fuzz.case.reader import END, Reader, words_of
from stage2fuzz.errors import InputError

VERSION: Final = 1
HEADER: Final = f"stage2fuzz case {VERSION}"
_PLAIN_ENGINE: Final = re.compile("[!$-~]+")


def read_case(path: Path) -> Case:
    """The case of a text file."""
    return parse(read_text(path), str(path))


def read_text(path: Path) -> str:
    """The text of a case's file, whatever it says. InputError where it can't be read."""
    try:
        if path.is_fifo():  # reading would wait for a writer, perhaps for ever
            raise InputError(str(path), "is a pipe", "a case file")
        with path.open("rb") as file:
            data = file.read(MAX_TEXT + 1)
        return data.decode()
    except OSError as error:
        raise InputError(str(path), error.strerror or "cannot be read", "a case file") from None
    except UnicodeDecodeError:
        raise InputError(str(path), "not text", f"a file that begins {HEADER!r}") from None


def parse(text: str, name: str) -> Case:
    """The case of a text; ``name`` stands for its file in the error."""
    if len(text) > MAX_TEXT:
        raise InputError(name, "too long for a case", f"at most {MAX_TEXT} characters")
    lines = text.split("\n")
    _check_header(lines[0].strip(), f"{name}:1")
    reader = Reader()
    for number, line in enumerate(lines[1:], 2):
        words = words_of(line, f"{name}:{number}")
        if words:
            reader.take(words, f"{name}:{number}")
    return reader.case(name)


def format_case(case: Case, notes: Iterable[str] = ()) -> str:
    """The text of a case, its schedule in normal form; ``notes`` are comments below the header."""
    check_case(case, "case")
    lines = [HEADER, *(f"# {line}".rstrip() for note in notes for line in note.splitlines())]
    lines.append(f"engine {_engine_text(case.engine)}")
    body = body_lines(case)
    if case.build:
        lines.append(f"build {case.build} {checksum(body)}")
    return "\n".join([*lines, *body, END, ""])


def _engine_text(engine: str) -> str:
    """The engine's name, as a JSON string where a path has what splits a line or is not ASCII."""
    return engine if _PLAIN_ENGINE.fullmatch(engine) else json.dumps(engine)


def _check_header(line: str, where: str) -> None:
    begin, _, version = line.rpartition(" ")
    if begin != HEADER.rpartition(" ")[0]:
        raise InputError(where, "not a case", f"the first line must be {HEADER!r}")
    if version != str(VERSION):
        raise InputError(
            where, f"case format {version[:20]}", f"this version of stage2fuzz reads {VERSION}"
        )
