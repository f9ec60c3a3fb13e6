"""What real kernels said of a finding: its schedule was forced so often, and this came of it."""

from dataclasses import asdict, dataclass

from sqlalchemy import Connection, select

from stage2fuzz.findings.clock import now
from stage2fuzz.findings.database import insert_or_not
from stage2fuzz.findings.history import add_note, expect
from stage2fuzz.findings.models import MAX_KERNEL, Finding, RealAnswer


@dataclass(frozen=True, slots=True)
class RealCounts:
    """The runs on one kernel, by what they said; ``answer`` is what they say together."""

    kernel: str
    answer: str
    confirmed: int
    refuted: int
    missed: int
    """Runs in which the schedule was not reached."""


def note_real(connection: Connection, number: int, counts: RealCounts) -> None:
    """Keep the newest answer of each kernel, and each answer in the finding's history.

    Raises InputError where there is no finding ``number``.
    """
    found = connection.execute(select(Finding.id).where(Finding.id == number)).first()
    expect(found, number)
    add_note(connection, number, in_words(counts))
    values = {**asdict(counts), "kernel": counts.kernel[:MAX_KERNEL], "at": now()}
    statement = insert_or_not(connection, RealAnswer).values(finding_id=number, **values)
    key = [RealAnswer.finding_id, RealAnswer.kernel]
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=values))


def in_words(counts: RealCounts | RealAnswer) -> str:
    """One line for a person."""
    runs = counts.confirmed + counts.refuted + counts.missed
    missed = f", {counts.missed} not reached" if counts.missed else ""
    of = counts.confirmed if counts.confirmed else counts.refuted
    said = f"{of} of {runs} runs" if of else f"{runs} runs"
    return f"{counts.answer} on Linux {counts.kernel}, {said}{missed}"
