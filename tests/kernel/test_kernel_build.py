"""Building: the user's files untouched, a cache by content, plain words for what does not fit."""

import hashlib
import shutil
from pathlib import Path

import pytest

from stage2fuzz.errors import InputError
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import KERNEL_FILES, build
from stage2fuzz.kernel.diagnostics import complaint
from stage2fuzz.kernel.mutants import copy_tree
from stage2fuzz.kernel.numbers import header
from stage2fuzz.kernel.proof import proved

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("clang", "gcc", "cc"))), reason="needs clang or gcc"
)


def test_the_c_side_takes_its_numbers_from_the_python_modules() -> None:
    text = header()
    for line in ("#define S2_STORE 21", "#define S2_OP_MOVE 4", "#define S2_MAX_FAULTS 40"):
        assert line in text.splitlines()
    assert "#define S2_HOST_BASE 0x1000000000UL" in text


def test_missing_identifiers_are_named_whichever_compiler_complains() -> None:
    clang = "x.c:1:2: error: use of undeclared identifier 'kvm_new_thing'"
    gcc = "x.c:1:2: error: 'kvm_other_thing' undeclared (first use in this function)"
    link = "x.o: undefined reference to `kvm_third_thing'"
    found = complaint("\n".join((clang, gcc, link)))
    assert found == "needs kvm_new_thing, kvm_other_thing, kvm_third_thing"


@needs_compiler
def test_a_folder_without_kernel_sources_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no arch/arm64/kvm/hyp/pgtable\.c"):
        build(tmp_path, tmp_path / "cache")


@pytest.mark.kernel
def test_the_tree_is_compiled_as_it_lies_and_never_written(tree: Path, tmp_path: Path) -> None:
    before = [hashlib.sha256((tree / name).read_bytes()).hexdigest() for name in KERNEL_FILES]
    library = build(tree, tmp_path)
    after = [hashlib.sha256((tree / name).read_bytes()).hexdigest() for name in KERNEL_FILES]
    assert before == after
    assert [line.split()[1] for line in library.real[:2]] == [digest[:12] for digest in before]
    assert sorted(path.name for path in library.path.parent.iterdir()) == [
        "engine.so",
        "lines.json",
        "report.json",
    ]


@pytest.mark.kernel
def test_an_unchanged_tree_comes_from_the_cache(kernel: KernelEngine, cache: Path) -> None:
    again = build(kernel.library.tree, cache)
    assert again.cached
    assert again.path == kernel.library.path
    assert again.probes == kernel.library.probes


@pytest.mark.kernel
def test_a_first_build_is_not_said_to_come_from_the_cache(tree: Path, tmp_path: Path) -> None:
    assert not proved(tree, tmp_path).cached
    assert proved(tree, tmp_path).cached


@pytest.mark.kernel
def test_a_tree_that_needs_more_is_refused_with_the_identifier(tree: Path, tmp_path: Path) -> None:
    copy_tree(tree, tmp_path / "tree")
    file = tmp_path / "tree" / KERNEL_FILES[1]
    file.write_text(file.read_text() + "\nint probe(void) { return kvm_thing_of_tomorrow(); }\n")
    with pytest.raises(InputError, match="needs kvm_thing_of_tomorrow"):
        build(tmp_path / "tree", tmp_path / "cache")


@pytest.mark.kernel
def test_the_build_announces_every_plain_load_and_finishes_every_access(
    kernel: KernelEngine,
) -> None:
    assert kernel.native.announced_loads() == 3
    kernel.prove()


@pytest.mark.kernel
def test_edge_counters_are_offered_where_the_compiler_makes_them(kernel: KernelEngine) -> None:
    start, stop, table, table_stop = kernel.native.coverage()
    if "clang" not in kernel.library.compiler:
        pytest.skip("only clang counts edges")
    assert stop - start > 100
    assert table_stop - table == 16 * (stop - start)


@pytest.mark.kernel
def test_a_compiler_of_an_arm64_machine_builds_another_engine(
    kernel: KernelEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cross = shutil.which("aarch64-linux-gnu-gcc")
    if cross is None:
        pytest.skip("needs aarch64-linux-gnu-gcc (package gcc-aarch64-linux-gnu)")
    (tmp_path / "gcc").write_text(f'#!/bin/sh\nexec {cross} "$@"\n')
    (tmp_path / "gcc").chmod(0o755)
    for tool in filter(None, map(shutil.which, ("awk", "gawk"))):
        (tmp_path / Path(tool).name).symlink_to(tool)
    monkeypatch.setenv("PATH", str(tmp_path))
    library = build(kernel.library.tree, tmp_path / "cache")
    assert library.path.read_bytes()[18:20] == b"\xb7\0"  # EM_AARCH64
    assert library.key != kernel.library.key
