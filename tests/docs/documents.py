"""What the documents hold: their fenced commands, their code spans, their links."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENTS: Final = (
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)
PROGRAMS: Final = (
    r"\./run|\.ci/run|stage2fuzz|docker|python3?|pip|pipx|pytest|fuzz_targets/\w+\.py|cp|git|ruff|"
    r"mypy|openssl|apt-get|curl|gcc|kubectl"
)
"""A line of a fenced block that begins with one of these is a command."""
_COMMAND: Final = re.compile(rf"(?:\$ )?((?:[A-Z0-9_]+=\S+ )*(?:{PROGRAMS}) .*|\.ci/run)$")
_SPAN: Final = re.compile(r"`([^`\n]+)`")
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)\s]*)?\)")


@dataclass(frozen=True)
class Command:
    """A command that a document shows, as it is typed."""

    document: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}: {self.text}"


def lines(document: Path) -> list[tuple[int, str, bool]]:
    """(number, text, whether it stands in a fenced block) of each line but the fences."""
    fenced, found = False, []
    for number, line in enumerate(document.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        else:
            found.append((number, line, fenced))
    return found


def commands(document: Path) -> list[Command]:
    """The commands of all fenced blocks; a backslash at the end goes on in the next line."""
    found, joined, began = [], "", 0
    for number, line, fenced in lines(document):
        if not fenced:
            continue
        joined, began = (joined + line.strip(), began) if joined else (line.rstrip(), number)
        if joined.endswith("\\"):
            joined = joined[:-1]
            continue
        text = re.split(r"\s{2,}#|\s+# ", joined)[0]
        if (match := _COMMAND.match(text)) and not text.startswith("stage2fuzz case "):
            found.append(Command(document, began, match[1]))
        joined = ""
    return found


def spans(document: Path) -> list[str]:
    """The inline code of a document."""
    prose = "\n".join(line for _, line, fenced in lines(document) if not fenced)
    return _SPAN.findall(prose)


def links(document: Path) -> list[str]:
    """The relative targets of its links and pictures."""
    prose = "\n".join(line for _, line, fenced in lines(document) if not fenced)
    return [each for each in _LINK.findall(prose) if "://" not in each and "mailto:" not in each]
