"""The C runtime as a house: each module stands alone, one interface, our bugs told as ours."""

import ctypes
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.scenario import Access, HostOp, Op, Options, Scenario, Slot, Tlb
from stage2fuzz.errors import InputError, ModelError
from stage2fuzz.events import (
    CRASH,
    LIMIT,
    LIMIT_EVENTS,
    LIMIT_NAMES,
    LIMIT_TABLE_PAGES,
    LOAD,
    ORDER_CAS,
    STORE,
)
from stage2fuzz.kernel import abi
from stage2fuzz.kernel.adapter import REFERENCE, KernelEngine
from stage2fuzz.kernel.build import HERE, RUNTIME_FILES, build
from stage2fuzz.kernel.compiling import write_headers
from stage2fuzz.kernel.explore import explore
from stage2fuzz.kernel.mutants import copy_tree
from stage2fuzz.kernel.native import Native
from stage2fuzz.kernel.toolchain import RUNTIME_FLAGS
from stage2fuzz.oracles.judge import judge
from stage2fuzz.report.words import Words
from stage2fuzz.schedule.base import Schedule
from stage2fuzz.studies.hunt.turn import Turn, read_answer, take, to_answer

RUNTIME = HERE / "runtime"
COMPILERS = [name for name in ("clang", "gcc") if shutil.which(name)]
needs_compiler = pytest.mark.skipif(not COMPILERS, reason="needs clang or gcc")
MODULES = sorted(path.stem for path in RUNTIME.glob("*.c") if path.stem != "witness")
"""All but the witness, which is compiled as kernel code."""


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the headers that Python writes."""
    folder = tmp_path_factory.mktemp("generated")
    write_headers(folder)
    return folder


def compiled(compiler: str, generated: Path, *words: str) -> str:
    """What the compiler has against it; empty where nothing."""
    quoted = ("-iquote", str(generated), "-iquote", str(RUNTIME))
    command = [compiler, *RUNTIME_FLAGS, *quoted, "-fsyntax-only", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def test_c_has_lines_of_100_columns() -> None:
    """A tab goes to the next multiple of eight, as the kernel has it."""
    long = [
        f"{path.relative_to(HERE)}:{number}"
        for path in sorted((*HERE.rglob("*.c"), *HERE.rglob("*.h")))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line.expandtabs(8)) > 100
    ]
    assert long == []


@needs_compiler
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("module", MODULES)
def test_each_module_compiles_alone(module: str, compiler: str, generated: Path) -> None:
    assert compiled(compiler, generated, str(RUNTIME / f"{module}.c")) == ""


@needs_compiler
@pytest.mark.parametrize("header", sorted(path.name for path in RUNTIME.glob("*.h")))
def test_each_header_says_all_that_it_needs(header: str, generated: Path, tmp_path: Path) -> None:
    source = tmp_path / "alone.c"
    source.write_text(f'#include "{header}"\n#include "{header}"\n')
    lax = ("-Wno-unused-function", "-DS2_UNITY", "-Wno-undefined-internal")
    assert compiled(COMPILERS[0], generated, *lax, str(source)) == ""


def test_every_module_is_in_the_library() -> None:
    assert sorted(RUNTIME_FILES) == MODULES


def test_no_header_includes_itself_by_others() -> None:
    includes = {
        path.name: {
            line.split('"')[1]
            for line in path.read_text().splitlines()
            if line.startswith("#include ") and '"' in line
        }
        for path in RUNTIME.glob("*.h")
    }
    order = list(TopologicalSorter(includes).static_order())  # CycleError names the circle
    assert includes.keys() <= set(order)


# ---- the interface ----


@needs_compiler
def test_a_struct_that_the_compiler_lays_out_otherwise_is_refused(
    generated: Path, tmp_path: Path
) -> None:
    text = (generated / "abi.h").read_text()
    broken = text.replace("\tint32_t aux;\n", "\tint64_t aux;\n", 1)
    assert broken != text
    (tmp_path / "abi.h").write_text(broken)
    source = tmp_path / "alone.c"
    source.write_text('#include "abi.h"\n')
    assert compiled(COMPILERS[0], tmp_path, str(source)).count("error") >= 2
    (tmp_path / "abi.h").write_text(text)
    assert compiled(COMPILERS[0], tmp_path, str(source)) == ""


@needs_compiler
def test_a_function_that_is_defined_otherwise_is_refused(generated: Path, tmp_path: Path) -> None:
    source = tmp_path / "other.c"
    source.write_text('#include "abi.h"\nint32_t s2_run_seed(int32_t seed) { return seed; }\n')
    assert "s2_run_seed" in compiled(COMPILERS[0], generated, str(source))


class Wider(ctypes.Structure):
    """A run of a schedule, wider than the library's."""

    _fields_ = (("thread", ctypes.c_int32), ("points", ctypes.c_int64))


@pytest.mark.kernel
@pytest.mark.parametrize("what", ["struct", "function"])
def test_a_library_of_another_interface_is_refused(
    kernel: KernelEngine, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    Native(kernel.library.path)
    if what == "struct":
        monkeypatch.setitem(abi.STRUCTS, "s2_run", Wider)
    else:
        monkeypatch.setitem(abi.FUNCTIONS, "s2_bare", (abi.I64, abi.U64))
    with pytest.raises(InputError, match=r"interface [0-9a-f]{16}; interface .* build it again"):
        Native(kernel.library.path)


@pytest.mark.kernel
def test_what_is_no_engine_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "engine.so").write_bytes(b"\x7fELF nonsense")
    with pytest.raises(InputError, match="cannot be loaded"):
        Native(tmp_path / "engine.so")
    with pytest.raises(InputError, match="no kernel engine of this version"):
        abi.bind(ctypes.CDLL(None), "libc")


# ---- our own bugs ----


def planted(tree: Path, to: Path, function: str, text: str) -> KernelEngine:
    """The engine of a copy of the tree whose ``function`` of mmu.c begins with ``text``."""
    copy_tree(tree, to / "tree")
    file = to / "tree/arch/arm64/kvm/mmu.c"
    code = file.read_text()
    head = code.index("{", code.index(f"{function}(struct kvm_vcpu")) + 1
    file.write_text(code[:head] + f" {text} " + code[head:])
    return KernelEngine(build(to / "tree", to / "cache"))


@pytest.mark.kernel
def test_a_failed_assertion_is_our_bug_and_no_crash(tree: Path, tmp_path: Path) -> None:
    """A lock that does not exist, taken on a thread's stack in the middle of a fault."""
    engine = planted(tree, tmp_path, "int kvm_handle_guest_abort", "s2_lock(99, 0);")
    words = r"the C runtime: locks\.c:\d+: lock_named\(\): .* does not hold \(99\)"
    for _ in range(3):  # and the machine is whole again for the next run
        with pytest.raises(ModelError, match=words):
            engine.run(REFERENCE, Schedule())
        with pytest.raises(ModelError, match=words):
            engine.run(REFERENCE, 7)
        with pytest.raises(ModelError, match=words):
            list(explore(engine.native, REFERENCE, 1, 10))
        with pytest.raises(ModelError, match=words):
            engine.native.fuzz(Schedule(), 1, 4, bytearray(1 << 14))
        with pytest.raises(ModelError, match=words):
            engine.native.bare(1, 10)
    assert engine.native.announced_loads() == 3


@pytest.mark.kernel
def test_a_failed_assertion_on_the_caller_s_stack_is_our_bug(kernel: KernelEngine) -> None:
    native = kernel.native
    with pytest.raises(ModelError, match=r"on purpose.* \(42\)"):
        native._ended(native.library.s2_fail_on_purpose(42))
    assert kernel.run(REFERENCE, Schedule()).ended == "finished"


@pytest.mark.kernel
def test_the_command_calls_it_our_bug(tree: Path, tmp_path: Path) -> None:
    engine = planted(tree, tmp_path, "int kvm_handle_guest_abort", "s2_lock(99, 0);")
    words = ("-m", "stage2fuzz", "kernel", "build", str(engine.library.tree))
    done = subprocess.run(
        [sys.executable, *words, "--cache", str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 70
    assert "ModelError: the C runtime: locks.c" in done.stderr


@pytest.mark.kernel
def test_a_page_of_no_slot_is_an_error_to_the_kernel_and_no_crash(
    tree: Path, tmp_path: Path
) -> None:
    """As virt/kvm answers it, wherever the kernel code got the address from."""
    asked = "{ s2_u64 at; int w; if (s2_pin(1ULL << 39, 1, &at, &w) != -EFAULT) BUG(); }"
    engine = planted(tree, tmp_path, "int kvm_handle_guest_abort", asked)
    trace = engine.run(REFERENCE, Schedule())
    assert trace.ended == "finished"
    assert not [event for event in trace.events if event[0] == CRASH]


# ---- limits ----


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("for (int i = 0; i < 4000; i++) s2_page_alloc(1, 1);", LIMIT_TABLE_PAGES),
        ("for (int i = 0; i < 100000; i++) s2_isb();", LIMIT_EVENTS),
    ],
)
def test_a_limit_that_ends_a_run_says_which(
    tree: Path, tmp_path: Path, text: str, limit: int
) -> None:
    engine = planted(tree, tmp_path, "int kvm_handle_guest_abort", text)
    trace = engine.run(REFERENCE, 1)
    assert trace.ended == "limit"
    assert (trace.events[-1][0], trace.events[-1][5]) == (LIMIT, limit)
    said = Words(trace.events).say(trace.events[-1])
    assert said == f"limit of {LIMIT_NAMES[limit]} reached"
    turn = Turn(0, REFERENCE, 1, 5, 5, engine.rules)
    done = read_answer(to_answer(take(engine.native, turn), REFERENCE))
    assert done.limits == {LIMIT_NAMES[limit]: 5}
    assert done.inconclusive == 5


@pytest.mark.kernel
def test_no_ordinary_run_reaches_a_limit_of_the_runtime(kernel: KernelEngine) -> None:
    for seed in range(300):
        trace = kernel.run(REFERENCE, seed)
        assert trace.ended in ("finished", "limit")
        if trace.ended == "limit":
            assert trace.events[-1][5] in (1, 2)


# ---- what reads and writes in one instruction ----

EXCHANGES = Scenario(
    (Slot(4, logging=True),),
    ((Access(WRITE, 0), Access(READ, 0)), (Access(EXECUTE, 0), Access(WRITE, 1))),
    ((HostOp(Op.MOVE), HostOp(Op.LOG_GET)),),
    options=Options(teardown=True, tlb=Tlb.SAMPLED),
)


def exchanging(tree: Path, to: Path) -> KernelEngine:
    """The engine of a copy that clears its entries by xchg()."""
    copy_tree(tree, to / "tree")
    file = to / "tree/arch/arm64/kvm/hyp/pgtable.c"
    code = file.read_text()
    changed = code.replace("WRITE_ONCE(*ptep, 0);", "(void)xchg(ptep, 0);")
    changed = changed.replace("WRITE_ONCE(*ctx->ptep, 0);", "(void)xchg(ctx->ptep, 0);")
    assert changed != code
    file.write_text(changed)
    return KernelEngine(build(to / "tree", to / "cache"))


@pytest.mark.kernel
def test_an_exchange_is_one_step_that_the_oracles_hear_as_a_store(
    kernel: KernelEngine, tree: Path, tmp_path: Path
) -> None:
    """Runs that differ in nothing else have the same events, but for the order of the store."""
    other, exchanged = exchanging(tree, tmp_path), 0
    for seed in range(200):
        plain, swapped = kernel.run(EXCHANGES, seed), other.run(EXCHANGES, seed)
        assert swapped.schedule == plain.schedule
        assert len(swapped.events) == len(plain.events)
        for before, after in zip(plain.events, swapped.events, strict=True):
            assert after[:5] == before[:5]
            if after[5] != before[5]:
                assert (after[0], after[5]) == (STORE, ORDER_CAS)
                exchanged += 1
        said = [
            sorted(each.signature for each in judge(trace.events, kernel.rules, 2, 3))
            for trace in (plain, swapped)
        ]
        assert said[0] == said[1]
        assert LOAD in {event[0] for event in plain.events}
    assert exchanged > 100


# ---- the shim's macros ----

ONCE = r"""
#include "seam.h"
#include "dialect.h"
#include "shared.h"

char s2_arena[S2_ARENA_SIZE];
static int stores, exchanges, compares, loads;
s2_u64 s2_entry_load(const volatile void *e) { loads++; return *(const volatile s2_u64 *)e; }
void s2_entry_store(volatile void *e, s2_u64 v, int o)
{
	(void)o;
	stores++;
	*(volatile s2_u64 *)e = v;
}
s2_u64 s2_entry_xchg(volatile void *e, s2_u64 v)
{
	s2_u64 old = *(volatile s2_u64 *)e;

	exchanges++;
	*(volatile s2_u64 *)e = v;
	return old;
}
s2_u64 s2_entry_cmpxchg(volatile void *e, s2_u64 x, s2_u64 v)
{
	s2_u64 old = *(volatile s2_u64 *)e;

	compares++;
	if (old == x)
		*(volatile s2_u64 *)e = v;
	return old;
}
#define EXPECT(x) do { if (!(x)) return __LINE__; } while (0)

int main(void)
{
	u64 plain[4] = { 1, 2, 3, 4 }, *entry = (u64 *)s2_arena, *at;
	unsigned int small[2] = { 5, 0xffffffff };
	int n = 0;

	EXPECT(min(n++, 5) == 0 && n == 1);
	EXPECT(max(n++, 0) == 1 && n == 2);
	EXPECT(min(7, min(n++, 9)) == 2 && n == 3);
	EXPECT(min_t(short, n++, 9) == 3 && n == 4);
	for (int table = 0; table < 2; table++) {
		at = table ? entry : plain;
		at[0] = 1;
		at[1] = 2;
		at[2] = 3;
		EXPECT(READ_ONCE(*at++) == 1 && READ_ONCE(*at++) == 2);
		at = table ? entry : plain;
		WRITE_ONCE(*at++, n++);
		EXPECT(at == (table ? entry : plain) + 1 && at[-1] == (u64)n - 1);
		smp_store_release(at++, n++);
		EXPECT(at[-1] == (u64)n - 1 && smp_load_acquire(at++) == 3);
		at = table ? entry : plain;
		EXPECT(xchg(at++, 40) == (u64)n - 2 && at[-1] == 40);
		at--;
		EXPECT(cmpxchg(at++, 41, 50) == 40 && at[-1] == 40);
		at--;
		EXPECT(cmpxchg(at++, 40, 50) == 40 && at[-1] == 50);
	}
	EXPECT(stores == 2 && exchanges == 1 && compares == 2 && loads == 3);
	EXPECT(cmpxchg(&small[0], 5, 6) == 5 && small[0] == 6 && small[1] == 0xffffffff);
	EXPECT(xchg(&small[0], 7) == 6 && small[0] == 7 && small[1] == 0xffffffff);
	return 0;
}
"""


@needs_compiler
@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_shim_s_macros_evaluate_their_arguments_once(
    compiler: str, generated: Path, tmp_path: Path
) -> None:
    (tmp_path / "once.c").write_text(ONCE)
    folders = [f"-I{each}" for each in (generated, RUNTIME, HERE / "shim")]
    command = [compiler, "-std=gnu11", "-O1", "-fno-builtin", *folders, str(tmp_path / "once.c")]
    done = subprocess.run(
        [*command, "-o", str(tmp_path / "once")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    ran = subprocess.run([tmp_path / "once"], check=False)
    assert ran.returncode == 0, f"line {ran.returncode} modulo 256 of the program"
