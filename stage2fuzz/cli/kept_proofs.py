"""Keeping what was proved in the database, where the page shows it.

Nobody who only proves something is given a database in the working folder: proofs are kept in one
that is there, or that was named.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.case.text import format_case
from stage2fuzz.cli.options import DEFAULT_DATABASE
from stage2fuzz.cli.stores import open_store
from stage2fuzz.prove.ledger import Row
from stage2fuzz.prove.request import ProofRequest
from stage2fuzz.prove.statement import limits

DEFAULT_FILE: Final = Path(DEFAULT_DATABASE.removeprefix("sqlite:///"))
MAX_NAME: Final = 200

Keep = Callable[[Row, ProofRequest, str, str], None]
"""Given a proof as a row, what was asked, the build that it is of, and its statement."""


@contextmanager
def kept_proofs(database: str) -> Iterator[Keep]:
    """Something that keeps proofs in ``database``, or lets them be where nobody named one."""
    if database == DEFAULT_DATABASE and not DEFAULT_FILE.exists():
        yield lambda _row, _asked, _build, _statement: None
        return
    from stage2fuzz.findings.proofs import ProofNote, keep_proof

    with open_store(database, create=True) as store:

        def keep(row: Row, asked: ProofRequest, build: str, statement: str) -> None:
            note = ProofNote(
                asked.case.engine,
                build,
                row.name,
                asked.case.scenario,
                ", ".join(limits(asked.preemptions, asked.faults)),
                str(row.knowledge),
                statement,
                row.not_seen,
                list(row.violations),
                row.configs,
                row.classes,
                row.seconds,
            )
            keep_proof(store.engine, note)

        yield keep


def brief(scenario: Scenario) -> str:
    """What a scenario is called that has no name of its own: its lines in a case."""
    lines = format_case(Case("model:any", scenario)).splitlines()[2:]
    told = [each for each in lines if each not in ("", "end") and not each.startswith("schedule")]
    return "; ".join(told)[:MAX_NAME]
