"""Public bugs of KVM/arm64 put back into a tree: each is found, and the verdict says what is wrong.

Named by the commit that mended each. Not among them: a memory cache that a fault fills as one type
and the next one reads as another (pKVM's EL1 above EL2 is no engine yet).
"""

import os
from pathlib import Path

import pytest

from stage2fuzz.hyp.build import missing
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import build
from stage2fuzz.kernel.units import NESTED, TLB
from stage2fuzz.studies.el2 import run_el2_mutants
from stage2fuzz.studies.hunt.mutants import run_mutants

TREE = os.environ.get("STAGE2FUZZ_KERNEL_TREE")
OF_EL2 = (
    ("985bb51f17ab", "unshare-any", ("pkvm_ownership_selftest warned", "host_unshare_hyp")),
    ("09cce60bddd6", "nopage-is-hosts", ("pkvm_ownership_selftest warned", "host_share_ffa")),
    (
        "19cffd16ed64",
        "lost-race-succeeds",
        ("H12 success is done: relax-guest left no valid entry",),
    ),
)
"""(commit, planted fault, what the verdict says). EL2's own check of ownership warns of two: the
verdict names the line and what was tried."""
OF_STAGE2 = (
    ("e3ba51ab24fd", "largest-range-has-no-operand", TLB.config, "CRASH"),
    ("c268f204f7c5", "freed-shadow-stays-valid", NESTED.config, "WARN"),
    ("d43548f422f2", "vncr-reset-unlocked", NESTED.config, "N7"),
)
"""(commit, planted fault, the unit that it needs, the oracle that finds it). A range that no
operand names goes on to a negative scale, a shift that C does not define: a trap at that line."""

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


@pytest.mark.parametrize(("commit", "fault", "verdict"), OF_EL2)
def test_a_bug_of_el2_is_found(
    el2_tree: Path, tmp_path: Path, commit: str, fault: str, verdict: tuple[str, ...]
) -> None:
    assert not missing(el2_tree)
    (result,) = run_el2_mutants(el2_tree, tmp_path, (fault,))
    assert result.planted, commit
    assert all(word in result.found_by for word in verdict)


@pytest.mark.parametrize(("commit", "fault", "unit", "oracle"), OF_STAGE2)
def test_a_bug_of_stage_2_is_found(
    tmp_path: Path, commit: str, fault: str, unit: str, oracle: str
) -> None:
    if TREE is None or unit not in KernelEngine(build(Path(TREE))).traits:
        pytest.skip(f"needs a Linux tree with {unit}: set STAGE2FUZZ_KERNEL_TREE")
    (result,) = run_mutants(Path(TREE), tmp_path, (fault,), rounds=3)
    assert result.planted, commit
    assert result.found_by.split()[0] == oracle
