"""A check looks at EL2, too, where a patch touches it."""

import json
from pathlib import Path

import pytest

from stage2fuzz.hyp.faults import EL2_FAULTS
from stage2fuzz.kernel.mutants import copy_tree, plant
from tests.cli.terminal import command


@pytest.mark.kernel
@pytest.mark.slow
def test_a_fault_of_el2_is_new_though_stage_2_is_the_same(el2_tree: Path, tmp_path: Path) -> None:
    after = tmp_path / "after"
    copy_tree(el2_tree, after)
    (fault,) = (each for each in EL2_FAULTS if each.name == "ffa-unlocked")
    assert plant(after, fault)
    (after / "arch/arm64/kvm/debug.c").write_text("changed\n")
    options = ("--seconds", "4", "--json", "--output", tmp_path / "out")
    said = command("check", el2_tree, after, *options)
    assert said.code == 1, said
    told = json.loads(said.out)
    assert not told["changes_compiled_code"] and not told["new"]
    assert told["unseen"] == ["arch/arm64/kvm/debug.c"]
    assert told["el2"]["new"] and told["el2"]["rows"][0]["schedules"]
    assert command("replay", tmp_path / "out/el2/new-1.case").code == 1
