"""Several examples of a finding: the cases whose interleavings differ most, not only the first.

A case shows its fault in one scenario under one schedule; another one, of other accesses or other
switches, says which of that matters. What is kept is decided from the cases' text alone, since who
records a sighting has often no events of it: no run is needed, and the same cases in the same order
leave the same examples.
"""

from itertools import combinations, pairwise
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from stage2fuzz.case.case import Case
from stage2fuzz.case.limits import normal
from stage2fuzz.case.lines import body_lines
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.models import Example, Finding

KEPT: Final = 4
"""Examples beside the first case."""
LEAST: Final = 0.2
"""Of distance to every other example: a case that is nearer is no news."""
SWITCHES: Final = 40
"""Switches of a schedule that are looked at: what comes later seldom shows the fault."""


def traits(case: Case) -> frozenset[str]:
    """What tells one interleaving from another: what each thread does, and how they switch.

    A switch is named by its two threads and by how long the first one ran, to a power of two.
    """
    found = set()
    for line in body_lines(case):
        begin, _, told = line.partition(":")
        if begin.split()[0] not in ("schedule", "choices"):
            found |= {f"{begin}: {each}" for each in told.split(", ")}
    runs = normal(case.schedule).runs[: SWITCHES + 1]
    for (thread, steps), (other, _) in pairwise(runs):
        found.add(f"{thread} {steps.bit_length()} {other}")
    return frozenset(found)


def distance(one: frozenset[str], other: frozenset[str]) -> float:
    """How different two interleavings are: 0 the same, 1 nothing in common."""
    either = one | other
    return 1 - len(one & other) / len(either) if either else 0.0


def note_example(connection: Connection, number: int, case: Case) -> bool:
    """Keep a case of a finding if that makes the examples more different; whether it was kept.

    The first case and its build belong to the finding and are never given up.
    """
    first, build = connection.execute(
        select(Finding.case_text, Finding.build).where(Finding.id == number)
    ).one()
    text = format_case(case)
    if case.build != build or text == first:
        return False
    columns = select(Example.id, Example.case_text).where(Example.finding_id == number)
    rows = connection.execute(columns.order_by(Example.id)).all()
    kept = {row.id: traits(parse(row.case_text, "example")) for row in rows}
    mine, begin = traits(case), traits(parse(first, "finding"))
    if min(distance(mine, each) for each in (begin, *kept.values())) < LEAST:
        return False
    if len(kept) == KEPT:
        best, out = max(
            (_spread([begin, mine, *(kept[each] for each in kept if each != gone)]), gone)
            for gone in kept
        )
        if best <= _spread([begin, *kept.values()]):
            return False
        connection.execute(delete(Example).where(Example.id == out))
    connection.execute(insert(Example).values(finding_id=number, case_text=text, at=now()))
    return True


def forget_examples(connection: Connection, number: int) -> None:
    """Examples of a build that is no more show nothing."""
    connection.execute(delete(Example).where(Example.finding_id == number))


def _spread(sets: list[frozenset[str]]) -> tuple[float, float]:
    """How different examples are: the nearest two, then all together."""
    apart = [distance(*pair) for pair in combinations(sets, 2)]
    return min(apart), sum(apart)
