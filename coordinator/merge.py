"""Merge: which corpus inputs earn their place, decided by features alone.

An input is kept if it shows an interleaving feature that nothing before it showed. Coverage is a
set union, so the order in which workers report changes which inputs are kept and never what is
covered. Pruning is a greedy set cover over the features on record: nothing has to be run again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A corpus input seen from afar: its digest, its size in bytes, its features."""

    digest: str
    size: int
    features: frozenset[int]


@dataclass(frozen=True, slots=True)
class MergeResult:
    """The coverage after a merge, and what became of each candidate, in order of digest."""

    known: frozenset[int]
    kept: tuple[str, ...]
    dropped: tuple[str, ...]


def merge(known: frozenset[int], candidates: Iterable[Candidate]) -> MergeResult:
    """Keep the candidates that add a feature, the smallest first."""
    covered = set(known)
    kept: list[str] = []
    dropped: list[str] = []
    for candidate in sorted(candidates, key=lambda each: (each.size, each.digest)):
        if candidate.features <= covered:
            dropped.append(candidate.digest)
        else:
            covered |= candidate.features
            kept.append(candidate.digest)
    return MergeResult(frozenset(covered), tuple(sorted(kept)), tuple(sorted(dropped)))


def superfluous(inputs: Sequence[Candidate]) -> tuple[str, ...]:
    """Digests that a greedy cover does without: every feature is still shown by another input.

    Inputs are taken in the order of how much they show for their size; one whose features were
    all shown by then is left out. One pass costs the sum of the feature sets, so that a corpus of
    ten thousand is pruned between two ticks.
    """
    covered: set[int] = set()
    spare: list[str] = []
    for candidate in sorted(inputs, key=lambda each: (-len(each.features), each.size, each.digest)):
        if candidate.features <= covered:
            spare.append(candidate.digest)
        else:
            covered |= candidate.features
    return tuple(sorted(spare))
