"""Anchors by source line: a statement's address comes from the DWARF of what was compiled."""

import shutil
import subprocess
from pathlib import Path

import pytest

from stage2fuzz.confirm.anchors import FUNCTIONS, STATEMENTS, Anchor
from stage2fuzz.confirm.initrd import COMPILERS
from stage2fuzz.confirm.lines import SourceLines, offset_of, statements

SOURCE = """\
struct guest { unsigned long mmu_invalidate_seq; int mmu_lock; };
void read_lock(int *lock) __attribute__((noinline));
void read_lock(int *lock) { __atomic_add_fetch(lock, 1, __ATOMIC_ACQUIRE); }
static inline void write_lock(int *lock) { __atomic_store_n(lock, 9, __ATOMIC_RELEASE); }
int kvm_handle_guest_abort(struct guest *kvm, int shared);
int kvm_handle_guest_abort(struct guest *kvm, int shared)
{
\tunsigned long mmu_seq;
\tmmu_seq = kvm->mmu_invalidate_seq;
\t__atomic_thread_fence(__ATOMIC_ACQUIRE);
\tif (shared)
\t\tread_lock(&kvm->mmu_lock);
\telse
\t\twrite_lock(&kvm->mmu_lock);
\treturn mmu_seq != kvm->mmu_invalidate_seq;
}
void elsewhere(struct guest *kvm) { write_lock(&kvm->mmu_lock); }
void _start(void) { elsewhere(0); }
"""
COMPILER = next((each for each in COMPILERS if shutil.which(each)), "")


@pytest.fixture(scope="module")
def vmlinux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not COMPILER:
        pytest.skip("needs gcc-aarch64-linux-gnu")
    folder = tmp_path_factory.mktemp("tree")
    (folder / "kvm").mkdir()
    (folder / "kvm" / "mmu.c").write_text(SOURCE)
    flags = ["-g", "-O2", "-nostdlib", "-static", "-mno-outline-atomics"]
    made = folder / "vmlinux"
    subprocess.run(
        [COMPILER, *flags, "-o", made, str(folder / "kvm" / "mmu.c")], check=True, cwd=folder
    )
    return made


def test_a_fault_s_sample_and_both_its_locks_are_found_and_no_other_lock() -> None:
    assert statements(SOURCE) == {Anchor.SAMPLE: [9], Anchor.LOCK: [12, 14]}


def test_the_lock_of_an_access_fault_counts_too() -> None:
    assert statements("{\n\twrite_lock(&vcpu->kvm->mmu_lock);\n}\n")[Anchor.LOCK] == [2]


def test_each_statement_has_its_address_and_each_address_its_line(vmlinux: Path) -> None:
    lines = SourceLines(vmlinux)
    anchors = lines.anchors()
    assert anchors.keys() == STATEMENTS
    assert len(anchors[Anchor.LOCK]) == 2, "a call and what was inlined"
    entry = lines.entries["kvm_handle_guest_abort"]
    assert all(entry <= at < entry + 200 for where in anchors.values() for at in where)
    places = {lines.place(at) for at in anchors[Anchor.LOCK]}
    assert "mmu.c:12 kvm_handle_guest_abort" in places
    assert places & {"mmu.c:4 write_lock", "mmu.c:14 kvm_handle_guest_abort"}
    assert lines.place(0x10) == ""


def test_a_kernel_that_runs_elsewhere_than_it_was_linked_is_shifted(vmlinux: Path) -> None:
    lines = SourceLines(vmlinux)
    (name,) = FUNCTIONS[Anchor.FAULT]
    assert offset_of(lines, {name: lines.entries[name] + 0x8000}) == 0x8000
    assert offset_of(lines, {}) == 0


def test_a_vmlinux_of_another_build_is_not_believed(vmlinux: Path, tmp_path: Path) -> None:
    image = tmp_path / "arch" / "arm64" / "boot" / "Image"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"Linux version 6.12.1 (a@b) #1 SMP\0")
    shutil.copy(vmlinux, tmp_path / "vmlinux")
    assert SourceLines.beside(image).anchors() == {}
    with (tmp_path / "vmlinux").open("ab") as file:
        file.write(b"Linux version 6.12.1 (a@b) #1 SMP\0")
    assert SourceLines.beside(image).anchors().keys() == STATEMENTS


def test_a_stock_image_has_functions_alone(tmp_path: Path) -> None:
    image = tmp_path / "vmlinuz"
    image.write_bytes(b"Linux version 6.12.1 (a@b) #1 SMP\0")
    assert SourceLines.beside(image).anchors() == {}
