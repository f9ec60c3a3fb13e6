"""``stage2fuzz prove`` as a user sees it: what is said, how far it went, and the exit code."""

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Access, HostOp, Op, Options, Scenario, Tlb
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.cli.prove_table import summary
from stage2fuzz.findings.store import Store
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import build
from stage2fuzz.kernel.faults import FAULTS
from stage2fuzz.kernel.mutants import copy_tree, plant
from stage2fuzz.prove.ledger import Ledger, Row
from stage2fuzz.prove.prover import Prover, prove
from stage2fuzz.prove.request import Knowledge, ProofRequest
from stage2fuzz.prove.statement import statement, why_bounded
from stage2fuzz.prove.table import OPERATIONS, rows
from stage2fuzz.prove.variants import variants
from stage2fuzz.run import run
from stage2fuzz.session.reproduce import signatures
from tests.warm_cache import warm_cache

READ_AND_WRITE = Scenario(vcpus=((Access(READ, 0),), (Access(WRITE, 0),)))
THREE = Scenario(
    vcpus=((Access(READ, 0),), (Access(WRITE, 0),), (Access(EXECUTE, 0),)),
    hosts=((HostOp(Op.MOVE), HostOp(Op.LOG_ENABLE)),),
)


def proof_command(
    place: Path, scenario: Scenario, engine: str, *more: object
) -> subprocess.CompletedProcess[str]:
    """Run ``stage2fuzz prove`` on a case file of that scenario."""
    (place / "a.case").write_text(format_case(Case(engine, scenario)))
    command = [sys.executable, "-m", "stage2fuzz", "prove", str(place / "a.case")]
    command += ["--database", str(place / "findings.db"), *map(str, more)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("option", "value"), [("--preemptions", -1), ("--faults", 0), ("--seconds", 0), ("--memory", 0)]
)
def test_a_number_out_of_range_is_one_line_and_exit_2(
    tmp_path: Path, option: str, value: int
) -> None:
    done = proof_command(tmp_path, READ_AND_WRITE, "model:v6.3", option, value)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert option in done.stderr


def test_the_table_takes_no_case_and_no_other_scenarios(tmp_path: Path) -> None:
    """Left out in silence, its "proved" would be taken for one of late stores."""
    engine = ("--engine", "kernel:/nowhere")
    command = [sys.executable, "-m", "stage2fuzz", "prove", "--table", *engine, "--late-stores"]
    late = subprocess.run(command, capture_output=True, text=True, check=False)
    for done in (late, proof_command(tmp_path, READ_AND_WRITE, "model:v6.3", "--table", *engine)):
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "no case, and no option" in done.stderr


def test_a_model_is_proved_too(tmp_path: Path) -> None:
    done = proof_command(tmp_path, READ_AND_WRITE, "model:v5.12", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert told["knowledge"] == "proved"
    assert "no violation; no deadlock; no cycle" in told["scenarios"][0]["statement"]


def test_choices_of_the_hardware_and_failures_are_scenarios_of_their_own() -> None:
    found = list(variants(READ_AND_WRITE, stale=True, hardware_af=True, failures=True))
    assert len(found) == 2 * 3
    assert {each.options.tlb for each in found} == {Tlb.SAMPLED}
    assert {each.options.failing_topup for each in found} == {0, 1, 2}
    assert list(variants(READ_AND_WRITE, stale=False, hardware_af=False, failures=False)) == [
        READ_AND_WRITE
    ]


def asked(kernel: KernelEngine, scenario: Scenario, **bounds: int) -> ProofRequest:
    """A request about that kernel."""
    case = Case(f"kernel:{kernel.library.tree}", scenario)
    asked = {"seconds": 60, "memory": 256 << 20, **bounds}
    return ProofRequest(case, asked["seconds"], asked["memory"], asked.get("preemptions"))


@pytest.mark.kernel
def test_reading_and_writing_a_page_is_proved_and_said_so(kernel: KernelEngine) -> None:
    proof = prove(asked(kernel, READ_AND_WRITE), lambda _: None)
    assert proof.knowledge is Knowledge.PROVED, statement(proof)
    assert "any number of fault retries that change nothing" in statement(proof)
    assert not why_bounded(proof)


@pytest.mark.kernel
def test_a_bound_is_no_proof_and_is_named(kernel: KernelEngine) -> None:
    proof = prove(asked(kernel, READ_AND_WRITE, preemptions=1), lambda _: None)
    assert proof.knowledge is Knowledge.BOUNDED
    assert "at most 1 preemptions" in statement(proof)
    assert any("more than 1 preemptions" in line for line in why_bounded(proof))


@pytest.mark.kernel
def test_what_has_no_room_is_searched_within_preemptions(kernel: KernelEngine) -> None:
    proof = prove(asked(kernel, THREE, seconds=20, memory=6 << 20), lambda _: None)
    assert proof.knowledge in (Knowledge.BOUNDED, Knowledge.REFUTED)
    if proof.knowledge is Knowledge.BOUNDED:
        assert any(each.preemptions == 0 and each.whole for each in proof.passes)


@pytest.mark.kernel
def test_a_planted_fault_is_refuted_and_its_finding_replays_minimised(
    tree: Path, tmp_path: Path
) -> None:
    copy_tree(tree, tmp_path / "tree")
    (fault,) = (each for each in FAULTS if each.name == "unmap-without-tlbi")
    assert plant(tmp_path / "tree", fault)
    engine = KernelEngine(build(tmp_path / "tree"))
    scenario = Scenario(
        vcpus=((Access(READ, 0),),), hosts=((HostOp(Op.MOVE),),), options=Options(teardown=False)
    )
    done = proof_command(tmp_path, scenario, f"kernel:{engine.library.tree}", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 1, done.stderr
    assert told["knowledge"] == "refuted"
    shown = told["scenarios"][0]["violations"]
    with Store.open(f"sqlite:///{tmp_path}/findings.db", create=False) as store:
        for each in shown:
            finding = store.get(each["finding"])
            assert each["signature"] in signatures(run(parse(finding.minimised, "minimised")))
    assert shown


def test_the_rows_of_the_table_are_scenarios_of_one_name_each() -> None:
    found = list(rows())
    assert len({name for name, _ in found}) == len({scenario for _, scenario in found})
    assert len(found) == 6 * 12 + (3 + 6) * 12 * len(OPERATIONS)
    assert {operation.op for _, each in found for thread in each.hosts for operation in thread} == {
        op for op in Op if op < Op.GUEST_UNMAP or op > Op.GUEST_TLBI_ALL
    }


def test_a_table_that_was_stopped_goes_on_with_the_rows_that_are_missing(tmp_path: Path) -> None:
    """A row that ended at a bound is proved again where there is more time or memory; a half line
    is none, and spoils no other."""
    path = tmp_path / "proofs" / "rows.jsonl"
    proved = Row("r/w page rw -", Knowledge.PROVED, 2_304, 8, 0.1, {}, [], 2, 64)
    bounded = Row("w/x page rw move", Knowledge.BOUNDED, 5, 1, 2.0, {}, ["the rest"], 2, 64)
    for row in (proved, bounded):
        Ledger(path).keep(row)
    with path.open("a") as file:
        file.write('{"name": "cut off"')
    again = Ledger(path)
    assert again.row(proved.name, 60, 128) == proved
    assert again.row(bounded.name, 2, 64) == bounded
    assert again.row(bounded.name, 3, 64) is None
    assert again.row(bounded.name, 2, 65) is None
    assert again.row("cut off", 1, 64) is None
    longer = replace(bounded, asked=9)
    again.keep(longer)
    assert Ledger(path).row(bounded.name, 9, 64) == longer


def test_a_table_ends_with_what_its_rows_come_to_by_operation() -> None:
    proved = Row("r page rw move", Knowledge.PROVED, 2_304, 8, 0.1, {}, [], 2, 64)
    refuted = Row(
        "w/x page rw -", Knowledge.REFUTED, 5, 1, 2.0, {"C6 a": "", "C6 b": ""}, [], 2, 64
    )
    bounded = replace(proved, name="w page rw move", knowledge=Knowledge.BOUNDED, seconds=0.3)
    assert [" ".join(line.split()) for line in summary((refuted, proved, bounded))] == [
        "two vCPUs, no operation 1 rows: 1 refuted, by C6; 2.0 s of CPU time, longest 2.00 s",
        "one vCPU, move 2 rows: 1 proved, 1 bounded; 0.4 s of CPU time, longest 0.30 s",
        "3 rows: 1 proved, 1 refuted, 1 bounded, by C6; 2.4 s of CPU time. What is known is kept.",
    ]


@pytest.mark.kernel
def test_a_row_is_proved_once(kernel: KernelEngine, tmp_path: Path) -> None:
    home = warm_cache(tmp_path / "cache")
    command = [sys.executable, "-m", "stage2fuzz", "prove", "--table", "--seconds", "20"]
    command += ["--engine", f"kernel:{kernel.library.tree}", "--only", "r/r page rw -"]
    told = [
        subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "XDG_CACHE_HOME": str(home)},
        ).stdout.splitlines()
        for _ in range(2)
    ]
    assert told[0] == told[1]  # the seconds included
    assert [line[:32].rstrip() for line in told[0][:2]] == ["r/r page rw -", "r/r page rw logged -"]
    (kept,) = (home / "stage2fuzz" / "proofs").iterdir()
    assert len(kept.read_text().splitlines()) == 2


@pytest.mark.kernel
def test_one_process_proves_one_scenario_after_the_other(kernel: KernelEngine) -> None:
    """What one search knows of classes is nothing to the next."""
    with closing(Prover(256 << 20)) as prover:
        first, again = (
            prover.prove(asked(kernel, READ_AND_WRITE), lambda _: None) for _ in range(2)
        )
    assert first.best is not None
    assert again.best is not None
    assert first.best.figures["classes"] == again.best.figures["classes"] > 1
