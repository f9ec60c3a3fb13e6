"""Model against kernel: the revision that models a tree means what the tree means."""

from pathlib import Path
from random import Random

import pytest

from stage2fuzz.codec import decode
from stage2fuzz.compare import compare
from stage2fuzz.kernel.adapter import engine
from stage2fuzz.profile import PROFILES, profile_named
from stage2fuzz.scenario import Backing, Op, Scenario

pytestmark = pytest.mark.kernel

SCHEDULES = 150
"""Random scenarios of each profile, one anchored schedule each."""
ONE_STEP = 1 << 18
"""Pages of 1 GiB: the kernel may drop mmu_lock after each in a longer range."""


def revision_of(has: frozenset[str]) -> str | None:
    """The model of the tree's era, by what the probes found; None where there is none."""
    if "S2_HAS_LOCAL_FLUSH" in has and "S2_HAS_SET_SPTE_GFN" not in has:
        return "v6.12"
    if "S2_HAS_MM_OPS" in has:
        return None
    return "v5.12" if "S2_HAS_PERMISSION_ONLY_RULE" in has else "v5.10"


def is_comparable(scenario: Scenario) -> bool:
    """Without what docs/model.md lists under 'Model against kernel'."""
    operations = [each.op for host in scenario.hosts for each in host]
    splits = scenario.options.ipa_bits == 48 and Op.LOG_ENABLE in operations
    plain = all(
        slot.backing is not Backing.DEVICE and slot.pages <= ONE_STEP for slot in scenario.slots
    )
    return plain and not splits and len(scenario.hosts) < 2 and Op.HYP_MAP not in operations


@pytest.mark.parametrize("profile", PROFILES)
def test_the_model_means_what_the_tree_means(
    profile: str, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    revision = revision_of(engine(str(tree)).library.has)
    if revision is None:
        pytest.skip(f"no revision of the model is of the era of {tree.name}")
    names = (f"model:{revision}", f"kernel:{tree}")
    compared = 0
    for seed in range(SCHEDULES):
        scenario = decode(Random(seed).randbytes(97), names[0], profile_named(profile)).scenario
        if is_comparable(scenario):
            compared += 1
            assert compare(*names, scenario, seed) is None
    assert compared
