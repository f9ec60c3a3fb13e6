"""stage2fuzz prove: every interleaving of one scenario, and what that proves."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import MAX_FAULTS, Scenario
from stage2fuzz.cli.exits import FOUND, INCONCLUSIVE
from stage2fuzz.cli.kept_proofs import brief, kept_proofs
from stage2fuzz.cli.named import load, stored
from stage2fuzz.cli.options import (
    DEFAULT_DATABASE,
    MAX_SECONDS,
    CaseName,
    Database,
    Json,
    check_range,
)
from stage2fuzz.cli.output import emit, say
from stage2fuzz.cli.program import hint
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.cli.prove_table import prove_table
from stage2fuzz.cli.stores import open_store
from stage2fuzz.engine import engine_of
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.process.frames import Frame
from stage2fuzz.prove.ledger import row_of
from stage2fuzz.prove.model_proof import prove_model
from stage2fuzz.prove.prover import prove as prove_kernel
from stage2fuzz.prove.request import Knowledge, Proof, ProofRequest
from stage2fuzz.prove.statement import odds, statement, total, why_bounded
from stage2fuzz.prove.variants import variants
from stage2fuzz.session.intake import Intake

if TYPE_CHECKING:
    from stage2fuzz.kernel.build import Library

SECONDS: Final = 120
MEMORY: Final = 1024
MOST_MEMORY: Final = 1 << 20
MOST_PREEMPTIONS: Final = 100
MEBI: Final = 1 << 20


def prove(
    case: CaseName = "",
    engine: Annotated[str, typer.Option(help="Prove it of this engine, not the case's.")] = "",
    table: Annotated[
        bool, typer.Option("--table", help="In place of a case, each row of the proof table.")
    ] = False,
    only: Annotated[str, typer.Option(help="Rows of the table with these words in them.")] = "",
    preemptions: Annotated[
        int | None, typer.Option(help="Only schedules with at most so many preemptions.")
    ] = None,
    faults: Annotated[
        int | None, typer.Option(help="Only schedules with at most so many faults an access.")
    ] = None,
    stale: Annotated[
        bool, typer.Option("--stale", help="Each translation that a TLB may still hold, too.")
    ] = False,
    late: Annotated[
        bool, typer.Option("--late-stores", help="Each order in which stores become visible, too.")
    ] = False,
    hardware_af: Annotated[
        bool, typer.Option("--hardware-af", help="With access flags set by hardware, too.")
    ] = False,
    failures: Annotated[
        bool, typer.Option("--failures", help="With each top-up of a memory cache failing, too.")
    ] = False,
    seconds: Annotated[int, typer.Option(help="Of each scenario at most.")] = SECONDS,
    memory: Annotated[int, typer.Option(help="MiB of configurations, and of snapshots.")] = MEMORY,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Search every interleaving of a case's scenario, and say what that proves.

    Its schedule counts for nothing. What is found is a finding, confirmed and minimised; what is
    known is kept in the database, for the page, where there is one or one is named.
    """
    _check(preemptions, faults, seconds, memory)
    if table:
        if case or stale or late or hardware_af or failures:
            what = "its rows are the plain scenarios: no case, and no option that makes others"
            raise InputError("--table", what, "--engine, --only and the bounds")
        asked = ProofRequest(Case(engine, Scenario()), seconds, memory * MEBI, preemptions, faults)
        library = library_of(engine)
        if library is None:
            raise InputError("--table", f"{engine} is no kernel tree", "kernel:TREE")
        raise typer.Exit(exit_code(prove_table(asked, library.key, only, database, as_json)))
    if not case:
        raise InputError("prove", "no case is named", "ID or FILE, or --table")
    given = load(case, stored(case, database))
    given = Case(engine or given.engine, given.scenario)
    request = ProofRequest(given, seconds, memory * MEBI, preemptions, faults)
    proofs = [
        _proved(replace(request, case=replace(given, scenario=scenario)), as_json)
        for scenario in variants(given.scenario, stale, hardware_af, failures, late)
    ]
    known = total([proof.knowledge for proof in proofs])
    numbers = _kept(proofs, database, as_json)
    with kept_proofs(database) as keep:
        for proof in proofs:
            library = library_of(proof.request.case.engine)
            name = brief(proof.request.case.scenario)
            build = library.key if library is not None else ""
            keep(row_of(name, proof), proof.request, build, statement(proof))
    if as_json:
        emit(record(proofs, numbers))
    else:
        _print(proofs, numbers, database)
    raise typer.Exit(exit_code(known))


def exit_code(known: Knowledge) -> int:
    """0 proved, 1 refuted, 3 anything else."""
    if known is Knowledge.REFUTED:
        return FOUND
    return 0 if known is Knowledge.PROVED else INCONCLUSIVE


def _check(preemptions: int | None, faults: int | None, seconds: int, memory: int) -> None:
    for name, value, low, high in (
        ("--preemptions", preemptions, 0, MOST_PREEMPTIONS),
        ("--faults", faults, 1, MAX_FAULTS),
        ("--seconds", seconds, 1, MAX_SECONDS),
        ("--memory", memory, 1, MOST_MEMORY),
    ):
        if value is not None:
            check_range(name, value, low, high)


def library_of(engine: str) -> "Library | None":
    """The built library of a kernel engine; None for a model."""
    opened = engine_of(engine)
    return opened.library if isinstance(opened, KernelEngine) else None


def _proved(request: ProofRequest, quiet: bool) -> Proof:
    """Search one scenario, with a line that says how far it is."""
    library = library_of(request.case.engine)
    with _progress(quiet) as progress:
        if library is None:
            return prove_model(request, progress)
        return prove_kernel(request, progress)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[Frame], None]]:
    started = time.monotonic()
    with ProgressLine(quiet) as line:

        def show(told: Frame) -> None:
            figures, (preemptions, faults) = told["told"], told["bounds"]
            bounds = f" within {preemptions} preemptions" * (preemptions is not None)
            bounds += f" and {faults} faults" * (faults is not None)
            done = figures.get("done", 0) / 1e6
            rate = figures["configs"] / max(0.001, time.monotonic() - started)
            line.update(
                f"{figures['configs']:,} configurations, {figures['classes']:,} classes, "
                f"{rate:,.0f}/s{bounds}; of the search {done:.1%}, by weight of its branches"
            )

        yield show


def _kept(proofs: list[Proof], database: str, quiet: bool) -> dict[str, int]:
    """Record, confirm and minimise what was found: signature -> number of the finding."""
    found = {name: each for proof in proofs for name, each in proof.found.items()}
    if not found:
        return {}
    numbers = {}
    with open_store(database, create=True) as store, ProgressLine(quiet) as line:
        intake = Intake(store)
        try:
            for signature, (violation, case) in found.items():
                number = intake.take(case, violation)
                if number is not None:
                    numbers[signature] = number
            while intake.to_minimise:
                line.update(f"{len(intake.to_minimise)} findings to minimise")
                intake.minimise_one()
        finally:
            intake.close()
        if intake.failures:
            raise RuntimeError("\n".join(intake.failures))
    return numbers


def _print(proofs: list[Proof], numbers: dict[str, int], database: str) -> None:
    for proof in proofs:
        library = library_of(proof.request.case.engine)
        key = f", build {library.key}, {library.compiler}" if library else ""
        say(f"{proof.knowledge}: {proof.request.case.engine}{key}")
        say(f"  {statement(proof)}", indent="  ")
        for line in why_bounded(proof):
            say(f"  not seen: {line}", indent="  ")
        seconds = sum(each.seconds for each in proof.passes)
        say(f"  {seconds:.2f} s of CPU time; odds of a collision of keys {odds(proof):.0e}")
        if library is not None:
            say("  modelled, not yours: " + "; ".join(library.modelled), indent="  ")
        for signature, (violation, _) in proof.found.items():
            say(f"  #{numbers.get(signature, '?')} {violation.verdict}", indent="  ")
    if numbers:
        say(f"next: {hint(f'replay {min(numbers.values())}', database)}")


def record(proofs: list[Proof], numbers: dict[str, int]) -> dict[str, object]:
    """All of it for a program."""
    return {
        "knowledge": str(total([proof.knowledge for proof in proofs])),
        "scenarios": [
            {
                "engine": proof.request.case.engine,
                "knowledge": str(proof.knowledge),
                "statement": statement(proof),
                "not_seen": why_bounded(proof),
                "collision": odds(proof),
                "died": proof.died,
                "searches": [each.to_answer() for each in proof.passes],
                "violations": [
                    {
                        "oracle": violation.oracle,
                        "signature": signature,
                        "verdict": violation.verdict,
                        "finding": numbers.get(signature),
                    }
                    for signature, (violation, _) in proof.found.items()
                ],
            }
            for proof in proofs
        ],
    }
