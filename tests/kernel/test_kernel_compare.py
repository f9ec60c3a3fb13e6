"""Model against kernel: the revision that models a tree means what the tree means."""

from pathlib import Path
from random import Random

import pytest

from stage2fuzz.codec import CHOICES_AT, decode
from stage2fuzz.compare import compare
from stage2fuzz.kernel.adapter import engine
from stage2fuzz.profile import PROFILES, profile_named

pytestmark = pytest.mark.kernel

SCHEDULES = 150
"""Random scenarios of each profile, one anchored schedule each."""


def revision_of(has: frozenset[str]) -> str | None:
    """The model of the tree's era, by what the probes found; None where there is none."""
    if "S2_HAS_SHARED_WALK" in has:
        if "S2_HAS_LOCAL_FLUSH" not in has:
            return None
        if "S2_HAS_SET_SPTE_GFN" in has:
            return "v6.6"
        return "v7.3" if "S2_HAS_TOPUP_WHILE_LOGGING" in has else "v6.12"
    if "S2_HAS_MM_OPS" in has:
        return "v6.1" if "S2_HAS_RWLOCK" in has else "v5.15"
    return "v5.12" if "S2_HAS_PERMISSION_ONLY_RULE" in has else "v5.10"


@pytest.mark.parametrize("profile", PROFILES)
def test_the_model_means_what_the_tree_means(
    profile: str, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    revision = revision_of(engine(str(tree)).library.has)
    if revision is None:
        pytest.skip(f"no revision of the model is of the era of {tree.name}")
    names = (f"model:{revision}", f"kernel:{tree}")
    for seed in range(SCHEDULES):
        data = Random(seed).randbytes(CHOICES_AT)
        scenario = decode(data, names[0], profile_named(profile)).scenario
        assert compare(*names, scenario, seed) is None
