"""What pages and programs are told: plain records of the database's rows, in one form for both."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from stage2fuzz.case.text import parse
from stage2fuzz.findings.campaigns import every, named
from stage2fuzz.findings.figures import figures_of, history, to_record
from stage2fuzz.findings.models import Finding, KeptProof
from stage2fuzz.findings.proofs import proofs_about, proofs_by_tree, proofs_of
from stage2fuzz.findings.real import in_words
from stage2fuzz.findings.sightings import findings_of
from stage2fuzz.findings.states import State
from stage2fuzz.findings.store import Store
from stage2fuzz.findings.workers import listed
from stage2fuzz.oracles.violation import GRAVITY
from stage2fuzz.prove.request import Knowledge

WebRecord = dict[str, Any]
BRIEF = (
    "id",
    "engine",
    "build",
    "oracle",
    "rule",
    "category",
    "signature",
    "cause",
    "known",
    "verdict",
    "state",
    "label",
    "owner",
    "count",
    "attempts",
    "confirmations",
    "reopened",
    "introduced_by",
    "fixed_by",
    "first_seen_in",
    "fixed_in",
    "duplicate_of",
)


def moment(seconds: float) -> str:
    """A moment as ISO 8601 has it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def finding_record(finding: Finding) -> WebRecord:
    """One finding without its cases."""
    record: WebRecord = {name: getattr(finding, name) for name in BRIEF}
    return record | {
        "first_seen": moment(finding.first_seen),
        "last_seen": moment(finding.last_seen),
        "minimised": bool(finding.minimised),
    }


def whole_record(finding: Finding) -> WebRecord:
    """One finding with its cases, its history, and the engines and real kernels that show it."""
    return finding_record(finding) | {
        "case": finding.case_text,
        "minimised_case": finding.minimised,
        "examples": [each.case_text for each in finding.examples],
        "history": [
            {"at": moment(note.at), "state": note.state, "note": note.text}
            for note in finding.notes
        ],
        "engines": [
            {"engine": each.engine, "outcome": each.outcome, "checked": moment(each.checked)}
            for each in finding.regressions
        ],
        "real": [
            {"kernel": each.kernel, "answer": each.answer, "told": in_words(each)}
            for each in finding.real
        ],
    }


def findings(
    store: Store,
    states: Sequence[State] = (),
    engine: str = "",
    oracle: str = "",
    category: str = "",
    words: str = "",
) -> list[WebRecord]:
    """Findings as a list shows them, the gravest first; ``words`` are sought in what is told."""
    found = store.list(states, engine, oracle, category)
    sought = words.casefold().split()

    def fits(each: Finding) -> bool:
        text = " ".join(
            (each.verdict, each.signature, each.label, each.owner, each.rule)
        ).casefold()
        return all(word in text for word in sought)

    found = [each for each in found if fits(each)]
    found.sort(key=lambda each: (GRAVITY.get(each.category, len(GRAVITY)), each.oracle, each.id))
    return [finding_record(each) for each in found]


def by_cause(found: Sequence[WebRecord]) -> list[WebRecord]:
    """The causes of these findings, in their order: each with its faces, the first in front."""
    groups: dict[tuple[str, str], list[WebRecord]] = {}
    for each in found:
        groups.setdefault((each["engine"], each["cause"] or each["signature"]), []).append(each)
    return [
        {
            "cause": faces[0]["cause"] if len(faces) > 1 else faces[0]["verdict"],
            "known": faces[0]["known"],
            "faces": faces,
            "count": sum(each["count"] for each in faces),
        }
        for faces in groups.values()
    ]


def campaigns(store: Store) -> list[WebRecord]:
    """Every campaign with its figures, the newest first."""
    numbers = sorted((each.id for each in every(store.engine)), reverse=True)
    return [to_record(figures_of(store.engine, number)) for number in numbers]


def campaign(store: Store, name: str) -> WebRecord:
    """One campaign: figures, course over time, what it found. InputError if there is none."""
    number = named(store.engine, name).id
    names = ("seconds", "schedules", "features", "inputs", "findings")
    course = [dict(zip(names, each, strict=True)) for each in history(store.engine, number)]
    found = [finding_record(each) for each in findings_of(store.engine, number)]
    return to_record(figures_of(store.engine, number)) | {"course": course, "found": found}


def proof_record(proof: KeptProof) -> WebRecord:
    """One proof: what was searched, what is known, and in which words."""
    names = ("engine", "build", "name", "bounds", "knowledge", "statement")
    return {name: getattr(proof, name) for name in names} | {
        "case": proof.case_text,
        "not_seen": [str(each) for each in json.loads(proof.not_seen)],
        "signatures": proof.found,
        "configurations": proof.configs,
        "classes": proof.classes,
        "seconds": proof.seconds,
        "at": moment(proof.at),
    }


def proved_trees(store: Store) -> list[WebRecord]:
    """Each tree that something was proved of: how many scenarios are known how well."""
    trees: dict[tuple[str, str], WebRecord] = {}
    for engine, build, knowledge, count in proofs_by_tree(store.engine):
        fresh = {"engine": engine, "build": build} | dict.fromkeys(map(str, Knowledge), 0)
        trees.setdefault((engine, build), fresh)[knowledge] = count
    return list(trees.values())


def proofs(store: Store, engine: str, build: str | None = None) -> list[WebRecord]:
    """What was proved of one engine, or of one build of it."""
    return [proof_record(each) for each in proofs_of(store.engine, engine, build)]


def proofs_about_finding(store: Store, finding: Finding) -> list[WebRecord]:
    """Searches that met a finding, and what they say of other engines in the same scenario."""
    texts = {finding.case_text, finding.reproducer}
    scenarios = [parse(each, f"finding {finding.id}").scenario for each in sorted(texts)]
    found = proofs_about(store.engine, finding.engine, finding.signature, scenarios)
    return [proof_record(each) | {"shows_it": finding.signature in each.found} for each in found]


def workers(store: Store) -> list[WebRecord]:
    """Every process of the service that was ever seen, those that live first."""
    return listed(store.engine)
