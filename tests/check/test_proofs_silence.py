"""A proof that says less than it should is told, and no test of it passes."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from stage2fuzz.case.case import Case
from stage2fuzz.check import proofs
from stage2fuzz.check.forms import to_junit
from stage2fuzz.check.proofs import ScenarioProof
from stage2fuzz.check.result import CheckResult, VersionRow
from stage2fuzz.check.survey import Survey
from stage2fuzz.check.version import of_engines
from stage2fuzz.oracles.violation import Category, Violation
from stage2fuzz.prove.ground import GROUND
from stage2fuzz.prove.request import Proof, ProofRequest, SearchPass

REQUEST = ProofRequest(Case("model:v5.12", GROUND["r, age"]), 1.0, 1 << 20)
CLASSES = SearchPass(False, None, None, whole=True, why="", seconds=0.1, figures={})
WHOLE = Proof(REQUEST, [CLASSES, replace(CLASSES, loops=True)])
BOUNDED = Proof(REQUEST, [replace(CLASSES, preemptions=1)])
NOTHING = Proof(REQUEST, [replace(CLASSES, whole=False, why="time")])
FAULT = Violation("C6", "rule", Category.CORRECTNESS, "verdict", (), "C6/known")
KNOWN = replace(NOTHING, found={FAULT.signature: (FAULT, REQUEST.case)})
"""What both sides show is no news, and still nobody knows the rest."""
DEAD = Proof(REQUEST, died="was ended by SIGSEGV")


@pytest.mark.parametrize(
    ("base", "head", "short", "passes"),
    [
        (WHOLE, WHOLE, "", True),
        (BOUNDED, WHOLE, "", True),
        (DEAD, WHOLE, "", True),
        (BOUNDED, BOUNDED, "", False),
        (WHOLE, BOUNDED, "searched within bounds on the head", False),
        (KNOWN, KNOWN, "", False),
        (
            replace(BOUNDED, found=KNOWN.found),
            KNOWN,
            "not searched whole within any bound on the head",
            False,
        ),
        (NOTHING, NOTHING, "not even the smallest bound", False),
        (WHOLE, DEAD, "searched the head was ended by SIGSEGV", False),
        (DEAD, DEAD, "searched base and head alike was ended by SIGSEGV", False),
    ],
)
def test_a_scenario_that_was_not_searched_whole_never_passes(
    base: Proof, head: Proof, short: str, passes: bool
) -> None:
    proof = ScenarioProof("r, age", base, head)
    assert (short in proof.shortfall) if short else not proof.shortfall
    rows = [VersionRow(each, Survey([1])) for each in of_engines("model:v5.12", "model:series-v4")]
    suite = ElementTree.fromstring(to_junit(CheckResult(rows, proofs=[proof]), []))
    (test,) = (each for each in suite.iter("testcase") if each.get("classname") == "proofs")
    assert (test.find("skipped") is None) is passes
    assert test.find("failure") is None


def test_a_head_that_lags_is_searched_longer_before_it_is_inconclusive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, float]] = []

    def prove(request: ProofRequest, _say: object) -> Proof:
        asked.append((request.case.engine, request.seconds))
        head = request.case.engine.endswith("series-v4")
        return BOUNDED if head and request.seconds < 2 else WHOLE

    monkeypatch.setattr(proofs, "GROUND", {"r, age": GROUND["r, age"]})
    monkeypatch.setattr(proofs, "prove_model", prove)
    versions = of_engines("model:v5.12", "model:series-v4")
    (row,) = proofs.prove_ground(versions[0], versions[1], None, 1, lambda _, __: None)
    assert asked == [("model:v5.12", 1.0), ("model:series-v4", 1.0), ("model:series-v4", 3.0)]
    assert not row.shortfall


@pytest.mark.parametrize(("longer", "short"), [(WHOLE, False), (NOTHING, True), (DEAD, True)])
def test_what_the_shorter_search_found_is_not_lost_by_the_longer_one(
    monkeypatch: pytest.MonkeyPatch, longer: Proof, short: bool
) -> None:
    def prove(request: ProofRequest, _say: object) -> Proof:
        if not request.case.engine.endswith("series-v4"):
            return WHOLE
        return KNOWN if request.seconds < 2 else longer

    monkeypatch.setattr(proofs, "GROUND", {"r, age": GROUND["r, age"]})
    monkeypatch.setattr(proofs, "prove_model", prove)
    versions = of_engines("model:v5.12", "model:series-v4")
    (row,) = proofs.prove_ground(versions[0], versions[1], None, 1, lambda _, __: None)
    assert row.came == (FAULT.signature,)
    assert bool(row.shortfall) is short
