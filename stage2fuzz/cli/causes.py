"""Causes in words: what is known of one, and the findings that are its faces."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stage2fuzz.findings.models import Finding


def marked(known: str, verdict: str) -> str:
    """A verdict, and before it which known cause it is of, if it is."""
    return f"[known: {known}] {verdict}" if known else verdict


def by_cause(found: "Iterable[Finding]") -> "list[list[Finding]]":
    """The findings of each engine's causes, in the order in which the causes first came."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for each in found:
        groups.setdefault((each.engine, each.cause or each.signature), []).append(each)
    return list(groups.values())


def numbers(faces: "list[Finding]") -> str:
    """The findings' numbers, as short as they can be said: ``1, 3-5``."""
    ranges: list[list[int]] = []
    for number in sorted(each.id for each in faces):
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1][1:] = [number]
        else:
            ranges.append([number])
    return ", ".join("-".join(map(str, each)) for each in ranges)


def told(faces: "list[Finding]") -> str:
    """One cause in words: the verdict of its only face, or its name and how many faces it has."""
    first = faces[0]
    words = first.verdict if len(faces) == 1 else f"{first.cause} ({len(faces)} faces)"
    return marked(first.known, words)
