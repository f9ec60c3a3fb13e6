"""What ``ID|FILE`` means: the reproducer of a finding in the database, or the case in a file.

``ID.N`` is the N-th other example of a finding: another interleaving with the same fault.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.json_form import read_json_case
from stage2fuzz.case.text import parse, read_case
from stage2fuzz.cli.options import MAX_DIGITS
from stage2fuzz.cli.stores import open_store
from stage2fuzz.errors import InputError

if TYPE_CHECKING:
    from stage2fuzz.findings.models import Finding

_NAMED: Final = re.compile(r"([0-9]+)(?:\.([0-9]{1,3}))?")


def finding_number(name: str) -> int:
    """The number of a finding; InputError for one that no database can hold."""
    if len(name) > MAX_DIGITS:
        raise InputError(f"finding {name[:MAX_DIGITS]}...", "there is none", "see findings list")
    return int(name)


def is_number(name: str) -> bool:
    """Whether ``name`` is a finding's or an example's, and no file's."""
    return _NAMED.fullmatch(name) is not None


def stored(name: str, database: str) -> "Finding | None":
    """The finding of that number; None where ``name`` is a file's."""
    found = _NAMED.fullmatch(name)
    if found is None:
        return None
    number = finding_number(found[1])
    with open_store(database) as store:
        return store.get(number)


def load(name: str, finding: "Finding | None") -> Case:
    """The reproducer of the finding that ``stored`` found, or the case in the file ``name``."""
    if finding is not None:
        return parse(_text(name, finding), f"finding {name}")
    try:
        path = Path(name)
        return read_json_case(path) if path.suffix == ".json" else read_case(path)
    except ValueError:  # a NUL in the name
        raise InputError(name[:80], "not a file name", "ID or FILE") from None


def _text(name: str, finding: "Finding") -> str:
    """The case that ``name`` means."""
    found = _NAMED.fullmatch(name)
    if found is None or found[2] is None:
        return finding.reproducer
    number = int(found[2])
    if not 1 <= number <= len(finding.examples):
        right = f"1 to {len(finding.examples)}" if finding.examples else f"{finding.id} alone"
        raise InputError(f"finding {name}", "there is no such example", right)
    return finding.examples[number - 1].case_text
