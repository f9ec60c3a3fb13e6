"""The tree's own TLB code: it runs, its operands arrive, and without it the model of it does."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stage2fuzz.arch import READ, WRITE
from stage2fuzz.case.scenario import Access, HostOp, Op, Options, Scenario, Slot, Tlb
from stage2fuzz.errors import InputError
from stage2fuzz.events import (
    CONTEXT,
    DSB,
    ISB,
    TLBI,
    TLBI_BROADCAST,
    TLBI_IPAS2E1,
    TLBI_OPERATION,
    TLBI_VMALLE1,
)
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import Library, build
from stage2fuzz.kernel.faults.edit import PlantedFault
from stage2fuzz.kernel.faults.tlb import IN_TLB
from stage2fuzz.kernel.mutants import copy_tree, plant
from stage2fuzz.kernel.units import TLB
from stage2fuzz.oracles.judge import judge
from stage2fuzz.schedule.base import Schedule

pytestmark = pytest.mark.kernel

MOVED = Scenario(
    (Slot(4),),
    ((Access(WRITE, 0),), (Access(READ, 0),)),
    ((HostOp(Op.MOVE),),),
    options=Options(tlb=Tlb.STICKY),
)
MAINTENANCE = (CONTEXT, DSB, ISB, TLBI)
SIZES = (1, 2, 3, 5, 7, 63, 64, 65, 511, 512, 513, 514, 1023, 1024, 1 << 18)
"""Pages of a range: odd ones, those around each scale of a range TLBI, and a GiB."""
RANGE = "S2_HAS_RANGE_FLUSH"
needs_unit = pytest.mark.usefixtures("own_tlb_code")


@pytest.fixture
def own_tlb_code(kernel: KernelEngine) -> None:
    """Skip where the tree given has no TLB code."""
    if not TLB.present(kernel.library.tree):
        pytest.skip("the tree has no TLB code")


def with_vhe(scenario: Scenario, vhe: bool) -> Scenario:
    return replace(scenario, options=replace(scenario.options, vhe=vhe))


@needs_unit
def test_the_build_says_that_tlb_code_is_the_users_own(kernel: KernelEngine) -> None:
    library = kernel.library
    assert TLB.name not in library.refused
    assert TLB.config in library.has
    assert any("nvhe/tlb.c" in line for line in library.real)
    assert not any("tlb.c" in line for line in library.modelled)


@needs_unit
@pytest.mark.parametrize("vhe", [False, True])
def test_every_tlbi_is_for_the_guest_and_completed(kernel: KernelEngine, vhe: bool) -> None:
    events = kernel.run(with_vhe(MOVED, vhe), Schedule()).events
    flush = [event for event in events if event[0] in MAINTENANCE and event[1] == 2]
    tlbis = [event for event in flush if event[0] == TLBI]
    assert {event[5] & TLBI_OPERATION for event in tlbis} == {TLBI_IPAS2E1, TLBI_VMALLE1}
    assert all(event[4] == 1 and event[5] & TLBI_BROADCAST for event in tlbis)
    assert {event[0] for event in flush} == set(MAINTENANCE)
    assert judge(events, kernel.rules, 2, 3) == ()


@needs_unit
def test_a_hypercall_loads_the_hosts_vmid_again_and_vhe_does_not(kernel: KernelEngine) -> None:
    loaded = {
        vhe: [
            event[4]
            for event in kernel.run(with_vhe(MOVED, vhe), Schedule()).events
            if event[0] == CONTEXT
        ]
        for vhe in (False, True)
    }
    assert set(loaded[False]) == {0, 1}
    assert loaded[True]
    assert loaded[True][0] == 1


@needs_unit
@pytest.mark.parametrize("pages", SIZES)
def test_a_flush_names_each_page_that_was_unmapped(kernel: KernelEngine, pages: int) -> None:
    """What the operands of all TLBIs by IPA name, put together, is the range, or the whole VMID."""
    scenario = Scenario(
        (Slot(pages),),
        ((Access(READ, 0),), (Access(READ, pages - 1),)),
        ((HostOp(Op.SLOT_DELETE),),),
        options=Options(tlb=Tlb.STICKY, fwb=True),
    )
    trace = kernel.run(scenario, Schedule())
    assert judge(trace.events, kernel.rules, 2, 3) == ()
    mapped = {event[2] for event in trace.events if event[0] == TLBI and event[1] == 2}
    first = min(mapped - {0})
    named: set[int] = set()
    for event in trace.events:
        if event[0] == TLBI and event[1] == 2 and event[5] & TLBI_OPERATION == TLBI_IPAS2E1:
            named |= {(event[2] - first) // 4096 + page for page in range(max(1, event[3] // 4096))}
    assert {0, pages - 1} <= named
    assert max(named) < max(pages, 512)


def test_a_tree_without_tlb_code_is_run_with_ours(tree: Path, tmp_path: Path) -> None:
    library = changed(tree, tmp_path, lambda copy: (copy / TLB.files[0]).unlink())
    assert TLB.config not in library.has
    assert TLB.modelled in library.modelled
    engine = KernelEngine(library)
    engine.prove()
    assert judge(engine.run(MOVED, Schedule()).events, engine.rules, 2, 3) == ()


@needs_unit
def test_tlb_code_that_the_shim_cannot_serve_is_said_and_modelled(
    tree: Path, tmp_path: Path
) -> None:
    def call_a_stranger(copy: Path) -> None:
        with (copy / TLB.files[1]).open("a") as file:
            file.write("\nvoid s2_probe(void);\nvoid s2_probe(void) { helper_of_tomorrow(); }\n")

    library = changed(tree, tmp_path, call_a_stranger)
    assert library.refused == {"tlb": "needs helper_of_tomorrow"}
    assert any("needs helper_of_tomorrow" in line for line in library.modelled)
    assert not any("tlb.c" in line for line in library.real)
    KernelEngine(library).prove()


@needs_unit
def test_a_tree_whose_operands_do_not_arrive_is_refused(tree: Path, tmp_path: Path) -> None:
    """A wrapper that names its operand otherwise would have every TLBI name page 0."""

    def hide_operands(copy: Path) -> None:
        for file in TLB.files:
            path = copy / file
            path.write_text(re.sub(r"(ipas2e1(is)?), ipa", r"\1, 0 * ipa", path.read_text()))

    engine = KernelEngine(changed(tree, tmp_path, hide_operands))
    with pytest.raises(InputError, match="TLBIs come without their operands"):
        engine.prove()


@needs_unit
@pytest.mark.parametrize("fault", IN_TLB, ids=lambda fault: fault.name)
def test_each_fault_of_tlb_code_fits_this_tree(
    kernel: KernelEngine, tree: Path, tmp_path: Path, fault: PlantedFault
) -> None:
    """The largest range is a matter of trees that flush by ranges."""
    fits = fault.name != "largest-range-has-no-operand" or kernel.library.probes[RANGE]
    copy_tree(tree, tmp_path / "tree")
    assert plant(tmp_path / "tree", fault) == fits


def changed(tree: Path, folder: Path, change: Callable[[Path], None]) -> Library:
    """The engine of a copy of the tree that ``change`` was let at."""
    copy_tree(tree, folder / "tree")
    change(folder / "tree")
    return build(folder / "tree", folder / "cache")
