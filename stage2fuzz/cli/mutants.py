"""``stage2fuzz kernel mutants``: which oracle sees each planted fault, after how many schedules."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from stage2fuzz.arch import GRANULE_4K
from stage2fuzz.cli.exits import FOUND, INCONCLUSIVE
from stage2fuzz.cli.options import MAX_SECONDS, Jobs, Json, check_range, cores
from stage2fuzz.cli.output import emit, say
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.cli.trees import Cache, PageSize, Tree, granule_of
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.faults import FAULTS
from stage2fuzz.prove.sweep import SweepEnd, SweepResult, sweep
from stage2fuzz.studies.hunt.mutants import ROUNDS, MutantResult, budget, run_mutants

MAX_ROUNDS: Final = 1000
MAX_RANDOM: Final = 100_000
SECONDS: Final = 5
WIDTH: Final = max(len(fault.name) for fault in FAULTS)


def mutants(
    tree: Tree,
    cache: Cache = None,
    pages: PageSize = "4k",
    only: Annotated[list[str] | None, typer.Option(help="Plant only these faults.")] = None,
    jobs: Jobs = 0,
    rounds: Annotated[int, typer.Option(help="How often each scenario has its turn.")] = ROUNDS,
    random: Annotated[
        int, typer.Option(help="Look in so many random scenarios, not where the faults show.")
    ] = 0,
    by_proof: Annotated[
        bool, typer.Option("--prove", help="Prove small scenarios; explore what that misses.")
    ] = False,
    seconds: Annotated[int, typer.Option(help="Of each proof at most.")] = SECONDS,
    as_json: Json = False,
) -> None:
    """Plant faults in a copy of TREE and say which oracle found each, after how many schedules.

    With --prove each is to be refuted by a search of every interleaving of a small scenario.
    """
    check_range("--rounds", rounds, 1, MAX_ROUNDS)
    check_range("--seconds", seconds, 1, MAX_SECONDS)
    granule = granule_of(pages)
    if by_proof and granule is not GRANULE_4K:
        raise InputError("--prove", f"with pages of {granule.name}", "--pages 4k")
    check_range("--random", random, 0, MAX_RANDOM)
    if by_proof:
        if random:
            raise InputError("--random", "proofs are of small scenarios", "without --prove")
        raise typer.Exit(_sweep(tree, cache, only or (), seconds, rounds, as_json))
    results: list[MutantResult] = []
    with ProgressLine(as_json) as progress:
        for result in run_mutants(tree, cache, only or (), cores(jobs), rounds, random, granule):
            results.append(result)
            done = len(results) / len(only or FAULTS)
            progress.update(f"{len(results)} faults done", done)
            if not as_json:
                print(_line(result), flush=True)
    planted = [result for result in results if result.planted]
    missed = [result for result in planted if not result.found_by]
    if as_json:
        emit([asdict(result) for result in results])
    else:
        most = max((result.schedules for result in planted if result.found_by), default=0)
        say(
            f"{len(planted) - len(missed)} of {len(planted)} found, the last after {most:,} "
            f"schedules; budget {budget(rounds, random):,} each"
        )
    raise typer.Exit(FOUND if missed else 0)


def _sweep(
    tree: Path, cache: Path | None, only: Sequence[str], seconds: int, rounds: int, as_json: bool
) -> int:
    """Prove faults, and print each as it is known. The exit code: 1 where one is not seen though
    it was planted, 3 where one is seen only in what is too large."""
    results: list[SweepResult] = []
    with ProgressLine(as_json) as progress:
        for result in sweep(tree, cache, only, seconds, rounds):
            results.append(result)
            progress.update(f"{len(results)} faults done", len(results) / len(only or FAULTS))
            if not as_json:
                print(_proof_line(result), flush=True)
    counted = Counter(result.verdict for result in results)
    if as_json:
        emit([asdict(result) for result in results])
    else:
        told = ", ".join(f"{counted[each]} {each}" for each in SweepEnd if counted[each])
        say(f"{told}; {sum(each.seconds for each in results):.0f} s of CPU time in proofs")
    if counted[SweepEnd.MISSED] or counted[SweepEnd.NOT_SEEN]:
        return FOUND
    return INCONCLUSIVE if counted[SweepEnd.TOO_LARGE] else 0


def _proof_line(result: SweepResult) -> str:
    words = f"{result.fault:{WIDTH}} {result.verdict:11} {result.seconds:>6.2f} s"
    words += f" {result.configs:>9,}  {result.scenario}: {result.signature}"
    return f"{words}; {result.why}" if result.why else words.rstrip(": ")


def _line(result: MutantResult) -> str:
    if not result.planted:
        return f"{result.fault:{WIDTH}} {'-':>8}  not for this tree"
    return f"{result.fault:{WIDTH}} {result.schedules:>8,}  {result.found_by or 'NOTHING'}"
