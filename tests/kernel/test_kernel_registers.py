"""The generated register fields: made by the tree's own script, asked for in one line, keyed."""

from pathlib import Path

import pytest

from stage2fuzz.errors import InputError
from stage2fuzz.kernel import registers


def tree_with(folder: Path, header: str, generator: str | None = None) -> Path:
    """A tree as far as this module looks at one."""
    (folder / "arch/arm64/include/asm").mkdir(parents=True)
    (folder / "arch/arm64/include/asm/kvm_arm.h").write_text(header)
    if generator is not None:
        (folder / registers.GENERATOR).parent.mkdir()
        (folder / registers.GENERATOR).write_text(generator)
        (folder / registers.TABLE).write_text("VTCR_EL2 7\n")
    return folder


USES = "#define FLAGS SYS_FIELD_PREP_ENUM(VTCR_EL2, SH0, INNER)\n"


def test_a_tree_that_spells_its_fields_out_needs_no_generator(tmp_path: Path) -> None:
    tree = tree_with(tmp_path, "#define VTCR_EL2_SL0_SHIFT 6\n")
    assert registers.sources(tree) == ()
    assert registers.generate(tree) == ""


def test_the_tree_s_script_is_run_on_the_tree_s_table(tmp_path: Path) -> None:
    tree = tree_with(tmp_path, USES, '{ print "#define " $1 " " $2 }\n')
    assert registers.sources(tree) == (registers.GENERATOR, registers.TABLE)
    assert registers.generate(tree) == "#define VTCR_EL2 7\n"


def test_a_missing_tools_folder_is_named_with_what_would_be_right(tmp_path: Path) -> None:
    tree = tree_with(tmp_path, USES)
    with pytest.raises(InputError, match=r"no arch/arm64/tools/gen-sysreg\.awk; arch/arm64/tools"):
        registers.sources(tree)


def test_a_script_that_fails_says_so_in_its_own_words(tmp_path: Path) -> None:
    tree = tree_with(tmp_path, USES, 'BEGIN { print "bad row" > "/dev/stderr"; exit 1 }\n')
    with pytest.raises(InputError, match=r"gen-sysreg\.awk fails: bad row"):
        registers.generate(tree)
