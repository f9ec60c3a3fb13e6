"""stage2fuzz prove --table: row after row of the proof table, and what they come to together."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from typing import Final

from stage2fuzz.case.scenario import Scenario
from stage2fuzz.cli.kept_proofs import kept_proofs
from stage2fuzz.cli.output import emit, say
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.errors import InputError
from stage2fuzz.prove.ledger import Ledger, Row, ledger_path, row_of
from stage2fuzz.prove.prover import Prover
from stage2fuzz.prove.request import Knowledge, ProofRequest
from stage2fuzz.prove.statement import total
from stage2fuzz.prove.table import rows

COUNTS: Final = ("one vCPU", "two vCPUs")


def prove_table(
    asked: ProofRequest, build: str, only: str, database: str, as_json: bool
) -> Knowledge:
    """Prove the rows whose names have the words of ``only``, each as ``asked``; rows that are known
    of this ``build`` are not proved again. Prints each as it is there; what is known of them
    together."""
    chosen = [row for row in rows() if set(only.split()) <= set(row[0].split())]
    if not chosen:
        raise InputError("--only", f"no row has the words {only!r}", "r/w page rw -, for one")
    ledger = Ledger(ledger_path(build, (asked.preemptions, asked.faults)))
    told: list[Row] = []
    with kept_proofs(database) as keep:
        for row, request in _proved(asked, ledger, chosen, as_json):
            keep(row, request, build, "")
            told.append(row)
            if as_json:
                emit(asdict(row))
            else:
                print(_line(row), flush=True)
    if not as_json:
        for line in summary(told):
            say(line)
    return total([row.knowledge for row in told])


def _proved(
    asked: ProofRequest, ledger: Ledger, chosen: Sequence[tuple[str, Scenario]], quiet: bool
) -> Iterator[tuple[Row, ProofRequest]]:
    """Each row, and what was asked for it."""
    with closing(Prover(asked.memory)) as prover, ProgressLine(quiet) as line:
        for number, (name, scenario) in enumerate(chosen):
            row = ledger.row(name, asked.seconds, asked.memory)
            request = replace(asked, case=replace(asked.case, scenario=scenario))
            if row is None:
                line.update(f"{number} of {len(chosen)} rows", number / len(chosen))
                proof = prover.prove(request, lambda _: None)
                row = row_of(name, proof)
                if not proof.died:  # what it died of may pass: it is proved again
                    ledger.keep(row)
            yield row, request


def _line(row: Row) -> str:
    """A row in columns: the scenario, what is known, how large it was, how long it took."""
    size = f"{row.configs:>11,} {row.classes:>8,}"
    oracles = " ".join(sorted({signature.partition(" ")[0] for signature in row.violations}))
    words = oracles or "; ".join(row.not_seen)
    return f"{row.name:32} {row.knowledge:12} {size} {row.seconds:>7.2f} s  {words}".rstrip()


def summary(told: Sequence[Row]) -> Iterator[str]:
    """A line for each number of vCPUs and host operation, and one for all."""
    groups: dict[str, list[Row]] = {}
    for row in told:
        accesses, *_, operation = row.name.split()
        vcpus = COUNTS[accesses.count("/")]
        name = f"{vcpus}, {'no operation' if operation == '-' else operation}"
        groups.setdefault(name, []).append(row)
    if len(groups) > 1:
        for name, each in groups.items():
            longest = max(row.seconds for row in each)
            yield f"{name:32} {_together(each)}, longest {longest:.2f} s"
    yield f"{_together(told)}. What is known is kept."


def _together(told: Sequence[Row]) -> str:
    """How many rows are what, and what they took."""
    counted = Counter(row.knowledge for row in told)
    words = ", ".join(f"{counted[each]} {each}" for each in Knowledge if counted[each])
    oracles = {name.partition(" ")[0] for row in told for name in row.violations}
    which = f", by {' '.join(sorted(oracles))}" * bool(oracles)
    seconds = sum(row.seconds for row in told)
    return f"{len(told)} rows: {words}{which}; {seconds:.1f} s of CPU time"
