"""compare on two trees: silent on a change that is none, and plain about faults no oracle has."""

from pathlib import Path

import pytest

from stage2fuzz.arch import WRITE
from stage2fuzz.case.scenario import Access, Backing, HostOp, Op, Scenario, Slot
from stage2fuzz.kernel.faults.edit import Edit, PlantedFault
from stage2fuzz.kernel.mutants import copy_tree, plant
from stage2fuzz.studies.compare_apart import compare_apart
from stage2fuzz.studies.comparison import Change, Comparison

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

PGTABLE, MMU = "hyp/pgtable.c", "mmu.c"
NO_CHANGE = (
    Edit(PGTABLE, "", r"\bstage2_map_walker_try_leaf\b", "stage2_install_leaf", 0),
    Edit(PGTABLE, "", r"\nstatic (?=enum|int|void|bool|u64|kvm)", "\n\n\nstatic ", 0),
    Edit(
        PGTABLE,
        "stage2_install_leaf",
        r"(if \([^;]*dcache_clean_inval_poc[^;]*;)\s*(if \([^;]*icache_inval_pou[^;]*;)",
        r"\2 \1",
    ),
)
"""Lines move, a static function gets another name, two independent steps change places."""
WIDE_FLUSH = Edit(
    PGTABLE,
    "stage2_try_break_pte",
    r"kvm_call_hyp\(__kvm_tlb_flush_vmid_ipa, mmu,\s*ctx->addr, ctx->level\)",
    "kvm_call_hyp(__kvm_tlb_flush_vmid, mmu)",
)
NO_BLOCKS = Edit(MMU, "user_mem_abort", r"if \(logging_active\) \{", "if (1) {")
SPLIT = Scenario(
    (Slot(512, Backing.PMD),),
    ((Access(WRITE, 1),), (Access(WRITE, 1),)),
    ((HostOp(Op.LOG_ENABLE),),),
)


def against(tree: Path, folder: Path, *edits: Edit, **asked: object) -> Comparison:
    """Compare ``tree`` with a copy that has these edits."""
    copy = folder / "after"
    copy_tree(tree, copy)
    if not plant(copy, PlantedFault("edit", "edit", (edits,))):
        pytest.skip(f"the edit does not fit {tree.name}")
    return compare_apart(f"kernel:{tree}", f"kernel:{copy}", **asked)  # type: ignore[arg-type]


def test_moved_lines_names_and_independent_steps_are_no_difference(
    tree: Path, tmp_path: Path
) -> None:
    found = against(tree, tmp_path, *NO_CHANGE, seconds=20.0)
    assert found.exit_code == 0, [each.verdict for each in found.differences]
    assert found.scenarios > 10


def test_a_wider_flush_that_no_oracle_minds_is_a_cost(tree: Path, tmp_path: Path) -> None:
    found = against(tree, tmp_path, WIDE_FLUSH, scenarios=(SPLIT,))
    assert {(each.change, each.topic) for each in found.differences} == {
        (Change.COST, "TLB maintenance")
    }


def test_blocks_that_are_never_used_are_another_outcome(tree: Path, tmp_path: Path) -> None:
    found = against(tree, tmp_path, NO_BLOCKS, scenarios=(SPLIT,))
    assert "final table" in {each.topic for each in found.of(Change.OUTCOME)}
    assert not found.of(Change.NEW_VIOLATION)
