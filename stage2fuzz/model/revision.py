"""Revisions: which kernel the model is, by the name that a person types.

``v5.10`` is the base of the series; ``+p1``, ``+p2``, ``+p3`` apply its patches in any subset;
``series-v1``, ``series-v2`` and ``series-v4`` are what the posted versions really did;
``!missing-tlbi`` and its like plant a bug.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from stage2fuzz.errors import InputError
from stage2fuzz.model.eras import ERAS, PATCHES, Era
from stage2fuzz.model.flags import Flags
from stage2fuzz.model.link import bugs_of

NAMED: Final = tuple(ERAS)


__all__ = ["NAMED", "PATCHES", "Revision", "known_revisions", "parse_revision"]


@dataclass(frozen=True, slots=True)
class Revision:
    """One kernel: its era, with patches applied and bugs planted."""

    name: str
    era: Era
    bugs: tuple[str, ...] = ()
    """Names of planted bugs, with underscores."""

    @property
    def flags(self) -> Flags:
        """What it does differently from v5.10, planted bugs apart."""
        return self.era.flags


def parse_revision(text: str) -> Revision:
    """``v5.10+p1+p2!missing-tlbi`` -> Revision; InputError names what is known."""
    body, *bugs = text.split("!")
    base, *patches = body.split("+")
    if base not in ERAS:
        raise InputError(f"model:{text}", f"unknown revision {base!r}", known_revisions())
    era = ERAS[base]
    if patches and base != "v5.10":
        raise InputError(f"model:{text}", "patches apply to v5.10 only", "v5.10+p1+p2+p3")
    changes: dict[str, Any] = {}
    for patch in patches:
        if patch not in PATCHES:
            raise InputError(f"model:{text}", f"unknown patch {patch!r}", "known: p1, p2, p3")
        changes |= PATCHES[patch]
    if changes:
        era = replace(era, flags=replace(era.flags, **changes))
    fitting = bugs_of(era)
    names = tuple(bug.replace("-", "_") for bug in bugs)
    for bug, name in zip(bugs, names, strict=True):
        if name not in fitting:
            known = ", ".join(each.replace("_", "-") for each in fitting)
            raise InputError(f"model:{text}", f"unknown planted bug {bug!r}", f"known: {known}")
    return Revision(text, era, names)


def known_revisions() -> str:
    """The names a person may type, for messages."""
    return f"known: {', '.join(NAMED)}, and v5.10 with any of +p1 +p2 +p3"
