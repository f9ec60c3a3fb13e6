"""What was proved of which tree: each search of every interleaving, kept beside the findings.

A proof belongs to a build, as a finding's case does: of another build it says nothing. The scenario
that was searched is named by a digest of its text, so that what is known of one scenario on several
engines, and the finding that a search of it met, stand together.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.case.text import format_case
from stage2fuzz.findings.clock import now
from stage2fuzz.findings.database import answering, insert_or_not, reading
from stage2fuzz.findings.models import KeptProof

MOST: Final = 4_000
"""Proofs of one answer: a tree's whole table has 2,448 rows."""


@dataclass(frozen=True, slots=True)
class ProofNote:
    """One proof, as it is to be kept."""

    engine: str
    build: str
    name: str
    """The scenario as people call it: a row of the proof table, or what a person proved."""
    scenario: Scenario
    bounds: str
    """Within which it was searched by order, in words; empty without."""
    knowledge: str
    """``proved``, ``refuted``, ``bounded`` or ``inconclusive``."""
    statement: str
    """What that means, in the words of ``prove``; empty where a row of a table says all."""
    not_seen: Sequence[str]
    """What was left out, a line each."""
    signatures: Sequence[str]
    """Of what was found."""
    configs: int
    classes: int
    seconds: float
    """Of CPU time."""


def scenario_digest(scenario: Scenario) -> str:
    """Names a scenario, whatever engine runs it."""
    return hashlib.sha256(format_case(Case("model:any", scenario)).encode()).hexdigest()[:32]


def keep_proof(engine: Engine, note: ProofNote) -> None:
    """Keep a proof in place of an older one of the same scenario, build and bounds."""
    key = {
        "engine": note.engine,
        "build": note.build,
        "digest": scenario_digest(note.scenario),
        "bounds": note.bounds,
    }
    values: dict[str, Any] = {
        "name": note.name,
        "case_text": format_case(Case(note.engine, note.scenario)),
        "knowledge": note.knowledge,
        "statement": note.statement,
        "not_seen": json.dumps(list(note.not_seen)),
        "signatures": json.dumps(list(note.signatures)),
        "configs": note.configs,
        "classes": note.classes,
        "seconds": note.seconds,
        "at": now(),
    }
    with answering(engine), engine.begin() as connection:
        statement = insert_or_not(connection, KeptProof).values(**key, **values)
        columns = [getattr(KeptProof, name) for name in key]
        connection.execute(statement.on_conflict_do_update(index_elements=columns, set_=values))


def proofs_by_tree(engine: Engine) -> list[tuple[str, str, str, int]]:
    """(engine, build, what is known, how many scenarios) of all that was proved."""
    columns = (KeptProof.engine, KeptProof.build, KeptProof.knowledge)
    query = select(*columns, func.count()).group_by(*columns).order_by(*columns)
    with answering(engine), reading(engine) as connection:
        return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]


def proofs_of(engine: Engine, name: str, build: str | None = None) -> list[KeptProof]:
    """The proofs of one engine, or of one build of it, in the order of their scenarios' names."""
    query = select(KeptProof).where(KeptProof.engine == name)
    if build is not None:
        query = query.where(KeptProof.build == build)
    return _loaded(engine, query.order_by(KeptProof.name, KeptProof.id).limit(MOST))


def proofs_about(
    engine: Engine, name: str, signature: str, scenarios: Sequence[Scenario]
) -> list[KeptProof]:
    """What is proved of a finding: searches of its engine that met it, and what is known of those
    scenarios, and of the finding's own ``scenarios``, on any engine.
    """
    digests = {scenario_digest(each) for each in scenarios}
    met = {each.digest for each in proofs_of(engine, name) if signature in each.found}
    query = select(KeptProof).where(KeptProof.digest.in_(sorted(digests | met)))
    order = (KeptProof.engine != name, KeptProof.engine, KeptProof.name, KeptProof.id)
    return _loaded(engine, query.order_by(*order).limit(MOST))


def _loaded(engine: Engine, query: Any) -> list[KeptProof]:
    with (
        answering(engine),
        reading(engine) as connection,
        Session(connection, expire_on_commit=False) as session,
    ):
        return list(session.scalars(query))
