"""What cannot be confirmed is refused by one line that says why, with exit code 2."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from stage2fuzz.arch import READ, WRITE
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import (
    Access,
    Backing,
    Host,
    HostOp,
    HostPage,
    Op,
    Options,
    Scenario,
    Slot,
    Tlb,
)
from stage2fuzz.case.text import read_case
from stage2fuzz.cli import confirm as confirm_command
from stage2fuzz.cli.confirm import confirm_case
from stage2fuzz.confirm.anchors import FUNCTIONS, Anchor, resolve, wanted_symbols
from stage2fuzz.confirm.initrd import SOURCES, archive, cross_compiler
from stage2fuzz.confirm.machine import VirtualMachine
from stage2fuzz.confirm.orders import check_scenario, orders
from stage2fuzz.confirm.reproducers import (
    DIRTY_RING,
    FOLDER,
    GUEST_TLBI,
    LOST_DIRTY_PAGE,
    program_of,
    reproducer_of,
)
from stage2fuzz.confirm.subject import observable_rules, prepare
from stage2fuzz.confirm.tree import build_kernel
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.proof import proved
from stage2fuzz.run import Outcome, run
from stage2fuzz.schedule.base import FOREVER, Schedule

LOST = (
    Path(__file__).resolve().parent.parent
    / "cases"
    / "bad_v7_3_relax_of_a_block_loses_dirty_pages.case"
)
RINGS = LOST.parent / "bad_dirty_ring_without_bitmap.case"
TREE = os.environ.get("STAGE2FUZZ_KERNEL_TREE", "")


def test_a_case_of_a_model_is_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"a case of model:v7\.3.*--engine kernel:TREE"):
        prepare(read_case(LOST), "a.case")


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        (Scenario(options=Options(tlb=Tlb.STICKY)), "stale TLB entries"),
        (Scenario(options=Options(pending_stores=True)), "weak memory"),
        (Scenario(options=Options(failing_topup=1)), "allocation to fail"),
        (Scenario(options=Options(nested=1)), "a guest hypervisor.*--reproducer"),
        (Scenario(options=Options(dirty_ring=True)), "needs dirty rings"),
        (Scenario(slots=(Slot(backing=Backing.DEVICE),)), "device memory"),
        (Scenario(slots=(Slot(backing=Backing.PMD, hugetlb=True),)), "memory of hugetlbfs"),
        (Scenario(slots=(Slot(contiguous=True),)), "memory of hugetlbfs"),
        (Scenario(host_pages=(HostPage(0, Host.LAZY),)), "file system"),
        (Scenario(hosts=((HostOp(Op.TEST_YOUNG),),)), "by itself cannot be asked for"),
        (Scenario(hosts=((HostOp(Op.CHANGE_PTE),),)), "KSM"),
        (Scenario(hosts=((HostOp(Op.LOG_GET), HostOp(Op.LOG_CLEAR)),)), "one of the two ways"),
    ],
)
def test_what_no_machine_can_show_is_refused(scenario: Scenario, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_scenario(scenario, "a.case")


def test_everything_that_is_not_refused_has_its_order() -> None:
    case = read_case(LOST)
    check_scenario(case.scenario, "a.case")
    assert orders(case.scenario) == [
        "slot 40000000 512 1 2",
        "access 0 read 0 0",
        "access 0 read 0 1",
        "access 1 write 0 0",
        "access 1 write 0 1",
        "op 2 log-disable 0 0 1",
        "op 2 log-enable 0 0 1",
        "make",
    ]


def test_without_qemu_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="qemu-system-arm"):
        VirtualMachine(tmp_path / "Image", 2)


def test_without_a_cross_compiler_the_packages_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="gcc-aarch64-linux-gnu"):
        cross_compiler()


def test_an_image_without_symbols_is_refused() -> None:
    with pytest.raises(InputError, match="CONFIG_KALLSYMS"):
        resolve({}, "Image")


def test_the_first_name_that_a_kernel_has_is_the_anchor() -> None:
    symbols = {name: number for number, name in enumerate(wanted_symbols(), 1)}
    newest = resolve(symbols, "Image")
    assert newest[Anchor.LOOK_UP] == symbols["__kvm_faultin_pfn"]
    del symbols["__kvm_faultin_pfn"]
    assert resolve(symbols, "Image")[Anchor.LOOK_UP] == symbols["__gfn_to_pfn_memslot"]
    assert set(newest) == set(FUNCTIONS)


def test_a_tree_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Makefile; a whole Linux tree"):
        build_kernel(tmp_path)


def test_a_reproducer_is_written_for_what_starving_can_force() -> None:
    with pytest.raises(InputError, match="cannot be forced"):
        reproducer_of(("C6",), "a.case")
    assert reproducer_of(("C9", "D1", "D3"), "a.case") == LOST_DIRTY_PAGE


def test_a_case_of_dirty_rings_has_its_program_from_any_engine_that_has_rings(
    tmp_path: Path,
) -> None:
    program = tmp_path / "ring.c"
    confirm_case(str(RINGS), reproducer=program)
    assert program.read_text() == DIRTY_RING.path.read_text()
    early = replace(read_case(RINGS), engine="model:v5.12")
    with pytest.raises(InputError, match=r"loses no dirty page .* on model:v5\.12"):
        program_of(early, "a.case")


@pytest.mark.parametrize("path", [LOST, RINGS], ids=["forced", "alone"])
def test_a_tree_s_code_runs_in_a_confined_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: Path
) -> None:
    def confined(case: Case) -> Outcome:
        raise InputError(case.engine, "was run apart")

    monkeypatch.setattr(confirm_command, "run_apart", confined)
    monkeypatch.setattr(confirm_command, "warn_of_build", lambda *_given: None)
    with pytest.raises(InputError, match="kernel:/nowhere: was run apart"):
        confirm_case(str(path), engine="kernel:/nowhere", reproducer=tmp_path / "a.c")


@pytest.mark.skipif(not TREE, reason="needs a Linux tree: set STAGE2FUZZ_KERNEL_TREE to its path")
def test_a_case_of_a_guest_hypervisors_tlbi_has_its_program() -> None:
    if "S2_HAS_UNIT_NESTED" not in proved(Path(TREE)).has:
        pytest.skip("the tree has no nested.c, or none that the shim serves")
    found = read_case(LOST.parent / "nested" / "bad_v7_3_guest_tlbi_against_a_fault.case")
    case = replace(found, engine=f"kernel:{TREE}")
    assert program_of(case, "a.case") == GUEST_TLBI
    only_a_fault = replace(case, schedule=Schedule(((0, FOREVER),)))
    with pytest.raises(InputError, match="keeps no translation"):
        program_of(only_a_fault, "a.case")


@pytest.mark.parametrize("source", sorted(FOLDER.glob("*.c")), ids=lambda path: path.stem)
def test_a_reproducer_compiles_without_a_warning(source: Path, tmp_path: Path) -> None:
    compiler = shutil.which("aarch64-linux-gnu-gcc")
    if compiler is None:
        pytest.skip("needs gcc-aarch64-linux-gnu")
    command = [compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", "r", str(source)]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_our_guest_program_compiles_without_a_warning(tmp_path: Path) -> None:
    compiler = shutil.which("aarch64-linux-gnu-gcc")
    if compiler is None:
        pytest.skip("needs gcc-aarch64-linux-gnu")
    files = sorted(SOURCES.glob("*.c"))
    command = [compiler, "-static", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", "i"]
    subprocess.run([*command, *map(str, files)], check=True, cwd=tmp_path)
    assert (tmp_path / "i").is_file()


def test_the_archive_is_what_the_kernel_unpacks() -> None:
    made = archive({"init": b"program"})
    assert made.startswith(b"070701")
    assert len(made) % 4 == 0
    assert b"init\0" in made
    assert b"program" in made
    assert b"TRAILER!!!" in made


def test_a_case_keeps_its_engine_when_it_is_asked_for_another() -> None:
    case = replace(Case(), engine="model:v5.10")
    with pytest.raises(InputError, match="--engine"):
        prepare(case, "a.case")


@pytest.mark.parametrize("name", ["missing_tlbi", "missing_dsb_after_tlbi", "free_before_flush"])
def test_a_finding_about_tlb_maintenance_is_refused_by_a_line_that_names_tcg(name: str) -> None:
    outcome = run(read_case(LOST.parent / f"bad_{name}.case"))
    with pytest.raises(InputError) as refused:
        observable_rules(outcome, "a.case", "")
    said = str(refused.value)
    assert "which QEMU's TCG cannot show" in said
    assert "\n" not in said


def test_a_needless_break_that_meets_nobody_has_nothing_to_be_seen_by() -> None:
    writes, reads = (Access(WRITE, 0),), (Access(READ, 0),)
    logged = (Slot(1, logging=True),)
    order = Schedule(((1, 3), (0, 30), (1, FOREVER), (0, FOREVER)))
    met = run(Case("model:v5.10", Scenario(logged, (writes * 2, reads)), order))
    assert observable_rules(met, "a.case", "") == ("C6", "G3")
    quiet = run(Case("model:v5.10", Scenario(logged, (writes, reads)), Schedule(((0, 2), (1, 1)))))
    with pytest.raises(InputError, match="costs nobody a fault in this run"):
        observable_rules(quiet, "a.case", "G3")
