"""The same of a model engine: one execution for each class, replayed from the beginning."""

import time
from collections.abc import Callable

from stage2fuzz.case.scenario import Tlb
from stage2fuzz.process.frames import Frame
from stage2fuzz.prove.request import Proof, ProofRequest, SearchPass
from stage2fuzz.run import run_scheduled
from stage2fuzz.schedule.exhaustive import MAX_EXECUTIONS, Exhaustive


def prove_model(request: ProofRequest, progress: Callable[[Frame], None]) -> Proof:
    """Search the scenario on a model: what comes to no end ends at a limit there, so where none
    did, nothing goes on for ever."""
    proof, began = Proof(request), time.process_time()
    until = began + request.seconds
    options = request.case.scenario.options
    exact = options.tlb is Tlb.FRESH and not options.pending_stores
    search = Exhaustive(exact and request.preemptions is None, request.preemptions, MAX_EXECUTIONS)
    figures = dict.fromkeys(("configs", "classes", "deadlocks", "limits", "fair", "kinds"), 0)
    timely, kinds = True, set[int]()
    while timely and search.advance():
        outcome = run_scheduled(request.case.engine, request.case.scenario, search)
        figures["configs"] = figures["classes"] = search.coverage.executions
        figures["limits"] += outcome.ended == "limit"
        figures["deadlocks"] += outcome.ended == "deadlock"
        kinds |= {event[0] for event in outcome.events}
        figures["kinds"] = len(kinds)
        for violation in outcome.violations:
            proof.found.setdefault(violation.signature, (violation, outcome.case))
        timely = time.process_time() < until
        if search.coverage.executions % 100 == 0:
            progress({"told": figures, "bounds": [request.preemptions, None]})
    whole, spent = timely and search.coverage.complete, time.process_time() - began
    why = "" if whole else "time"
    bounds = (request.preemptions, None, whole, why, round(spent, 3), figures)
    proof.passes = [SearchPass(True, *bounds), SearchPass(False, *bounds)]
    return proof
