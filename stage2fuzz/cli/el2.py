"""``stage2fuzz hyp``: EL2 of pKVM, the user's own: many schedules of it, and planted faults."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from stage2fuzz.case.text import format_case
from stage2fuzz.cli.exits import FOUND, INCONCLUSIVE
from stage2fuzz.cli.guarded import run_again, run_guarded
from stage2fuzz.cli.options import MAX_SECONDS, Json, check_range
from stage2fuzz.cli.output import emit, say
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.cli.trees import Tree
from stage2fuzz.engine import engine_of
from stage2fuzz.hyp.adapter import HypEngine
from stage2fuzz.hyp.faults import EL2_FAULTS
from stage2fuzz.studies.el2 import EL2Totals, explore_el2, run_el2_mutants

SECONDS: Final = 60
MAX_SCHEDULES: Final = 10**12
WIDTH: Final = max(len(fault.name) for fault in EL2_FAULTS)


def explore(
    tree: Tree,
    seconds: Annotated[int, typer.Option(help="How long.")] = SECONDS,
    schedules: Annotated[int, typer.Option(help="How many schedules at most.")] = MAX_SCHEDULES,
    seed: Annotated[int, typer.Option(help="Of the random scenarios and the schedules.")] = 1,
    as_json: Json = False,
) -> None:
    """Run random schedules of host CPUs that call EL2 of pKVM, and judge each new class."""
    check_range("--seconds", seconds, 1, MAX_SECONDS)
    check_range("--schedules", schedules, 1, MAX_SCHEDULES)
    name = f"hyp:{tree}"
    options = [f"--seconds={seconds}", f"--schedules={schedules}", f"--seed={seed}"]
    json = ["--json"] if as_json else []
    run_guarded("hyp explore", [name], ["hyp", "explore", str(tree), *options, *json], as_json)
    engine = engine_of(name)
    assert isinstance(engine, HypEngine)
    totals = EL2Totals()
    with ProgressLine(as_json) as progress:
        for totals in explore_el2(engine, name, seed, schedules, seconds):
            told = f"{totals.schedules:,} schedules, {len(totals.found)} signatures"
            done = totals.schedules / schedules
            progress.update(told, done if math.isfinite(done) and done > 1e-6 else 0.0)
    _tell(totals, as_json)
    raise typer.Exit(FOUND if totals.found else 0 if totals.classes else INCONCLUSIVE)


def _tell(totals: EL2Totals, as_json: bool) -> None:
    counted = {
        "schedules": totals.schedules,
        "classes": totals.classes,
        "scenarios": totals.scenarios,
        "inconclusive": totals.inconclusive,
    }
    found = [
        {"signature": signature, "verdict": violation.verdict, "case": format_case(case)}
        for signature, (violation, case) in sorted(totals.found.items())
    ]
    if as_json:
        emit({**counted, "found": found})
        return
    for each in found:
        print(f"{each['signature']}\n  {each['verdict']}\n{each['case']}")
    say(", ".join(f"{value:,} {word}" for word, value in counted.items()))


def mutants(
    tree: Tree,
    only: Annotated[list[str] | None, typer.Option(help="Plant only these faults.")] = None,
    as_json: Json = False,
) -> None:
    """Plant faults in EL2 of a copy of TREE and say which oracle found each."""
    wanted = [f"--only={name}" for name in only or ()]
    json = ["--json"] if as_json else []
    run_again("hyp mutants", ["hyp", "mutants", str(tree), *wanted, *json], as_json)
    results = []
    for result in run_el2_mutants(Path(tree), None, tuple(only or ())):
        results.append(result)
        if not as_json:
            what = result.found_by or "NOTHING" if result.planted else "not for this tree"
            print(f"{result.fault:{WIDTH}} {result.schedules:>8,}  {what}", flush=True)
    planted = [result for result in results if result.planted]
    missed = [result for result in planted if not result.found_by]
    if as_json:
        emit([asdict(result) for result in results])
    else:
        say(f"{len(planted) - len(missed)} of {len(planted)} found")
    raise typer.Exit(FOUND if missed else 0)
