"""What all fuzz targets share: Atheris set up with our counters and mutators, or our own loop.

The engine's bytecode stays uninstrumented: interleaving features say more and cost a fifth. They
reach libFuzzer as extra 8-bit counters through the two sanitizer-coverage functions that Atheris'
extension module exports. That is this file's one dependence on Atheris' inside; where it does not
work, the target says so and falls back to our own loop on the same features.
"""

import argparse
import ctypes
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from zlib import crc32

from stage2fuzz.case.codec import HEADER_BYTES, change_body, encode
from stage2fuzz.case.text import read_case
from stage2fuzz.engine import engine_names, native_coverage
from stage2fuzz.errors import InputError
from stage2fuzz.fuzz.features import COUNTERS
from stage2fuzz.fuzz.greybox import MAX_SIZE, Greybox
from stage2fuzz.fuzz.harness import Harness
from stage2fuzz.fuzz.mutate import cross, mutate
from stage2fuzz.fuzz_targets.restart import CONTINUED, Restart
from stage2fuzz.places import CORPUS
from stage2fuzz.process.phase import show_phase


def main(target: str, engine: str = "model:v5.10") -> None:
    """Run one target as a script; libFuzzer's flags and corpus folders follow ours."""
    ours, rest = _arguments(target, engine)
    try:
        harness = Harness(ours.engine, target, ours.outbox)
        harness.shunned.update(_digests(ours.shun))
        Restart(harness, sys.argv[1:], ours.continued)
        harness.one_input(b"")
        show_phase("seeds")
        seeds = [] if ours.no_seeds else seed_inputs(target)
    except InputError as error:
        sys.exit(_refuse(str(error)))
    if ours.own_loop or importlib.util.find_spec("atheris") is None:
        if not ours.own_loop:
            print(f"{target}: no Atheris on this platform: fuzzing with our own loop", flush=True)
        _own_loop(harness, seeds, rest)
    else:
        _atheris(harness, seeds, rest)


def seed_inputs(target: str) -> list[bytes]:
    """The seeds of ``corpus/<target>`` as inputs, in the order of their names."""
    return [encode(read_case(path)) for path in sorted((CORPUS / target).glob("*.case"))]


def _arguments(target: str, engine: str) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog=f"{target}.py",
        description=f"Fuzz target {target}; libFuzzer's flags (-runs=, -max_total_time=, -seed=, "
        "...) and corpus folders follow ours.",
    )
    parser.add_argument("--engine", default=engine, help=engine_names())
    parser.add_argument("--outbox", type=Path, help="folder for findings and statistics")
    parser.add_argument("--own-loop", action="store_true", help="fuzz without Atheris")
    parser.add_argument("--no-seeds", action="store_true", help="start from an empty corpus")
    parser.add_argument("--shun", type=Path, help="file of SHA-256 digests of inputs not to run")
    parser.add_argument(CONTINUED, action="store_true", help=argparse.SUPPRESS)
    return parser.parse_known_args()


def _digests(path: Path | None) -> list[str]:
    try:
        return [] if path is None else path.read_text().split()
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or "is no text"
        raise InputError(str(path), what, "a file of digests") from None


def _refuse(line: str) -> int:
    print(line, file=sys.stderr)
    return 2


def _atheris(harness: Harness, seeds: list[bytes], rest: list[str]) -> None:
    import atheris  # noqa: PLC0415  (absent on arm64 and macOS)

    fuzzing = False

    def one_input(data: bytes) -> None:
        harness.one_input(data)
        harness.note_features(data)

    def mutator(data: bytes, limit: int, seed: int) -> bytes:
        nonlocal fuzzing
        if not fuzzing:  # libFuzzer has run the seeds
            fuzzing = True
            show_phase("fuzz")
        if seed & 3 == 0:
            room = limit - HEADER_BYTES
            return change_body(data, lambda body: bytes(atheris.Mutate(body, room)))
        return mutate(data, harness.engine, harness.profile, seed, limit)

    def crossover(one: bytes, other: bytes, limit: int, seed: int) -> bytes:
        return cross(one, other, harness.engine, harness.profile, seed, limit)

    folders = [argument for argument in rest if not argument.startswith("-")]
    flags = [argument for argument in rest if argument.startswith("-")]
    given = {flag.partition("=")[0] for flag in flags}
    plain = {"-max_len": MAX_SIZE, "-len_control": 0, "-print_funcs": 0}
    flags += [f"{name}={value}" for name, value in plain.items() if name not in given]
    if not folders:
        folders = [tempfile.mkdtemp(prefix="stage2fuzz-corpus-")]
    seeded = tempfile.mkdtemp(prefix="stage2fuzz-seeds-")
    for seed in seeds:
        (Path(seeded) / f"{crc32(seed):08x}").write_bytes(seed)
    script = str(Path(sys.argv[0]).resolve())
    atheris.Setup(
        [script, *flags, *folders, seeded],
        one_input,
        custom_mutator=mutator,
        custom_crossover=crossover,
    )
    _register(harness)
    harness.write_stats()
    atheris.Fuzz()


_ALIVE: list[object] = []
"""What libFuzzer holds pointers to; it must never be collected."""


def _register(harness: Harness) -> None:
    """Show libFuzzer our counters, each with an invented address, and the engine's own, if any."""
    spec = importlib.util.find_spec("atheris.core_with_libfuzzer")
    if spec is None or spec.origin is None:
        sys.exit(_refuse("atheris: its extension module is missing; --own-loop fuzzes without it"))
    # libFuzzer asks for mutators when it is loaded, and Atheris would bring ours only later.
    for name in ("custom_mutator", "custom_crossover"):
        hook = importlib.util.find_spec(f"atheris.{name}")
        if hook is not None and hook.origin is not None:
            _ALIVE.append(ctypes.CDLL(hook.origin, ctypes.RTLD_GLOBAL))
    library = ctypes.CDLL(spec.origin)
    array = (ctypes.c_uint8 * COUNTERS).from_buffer(harness.counters)
    table = (ctypes.c_size_t * (2 * COUNTERS))(
        *(i // 2 + 1 if i % 2 == 0 else 0 for i in range(2 * COUNTERS))
    )
    _ALIVE.extend((library, array, table))
    first, places = ctypes.addressof(array), ctypes.addressof(table)
    try:
        counters_init = library.__sanitizer_cov_8bit_counters_init
        places_init = library.__sanitizer_cov_pcs_init
    except AttributeError:
        sys.exit(_refuse("atheris: it takes no counters of ours; --own-loop fuzzes without it"))
    ranges = [(first, first + COUNTERS, places, places + ctypes.sizeof(table))]
    own = native_coverage(harness.engine)
    for start, stop, table_start, table_stop in [*ranges, *([own] if own else [])]:
        counters_init(ctypes.c_void_p(start), ctypes.c_void_p(stop))
        places_init(ctypes.c_void_p(table_start), ctypes.c_void_p(table_stop))


def _own_loop(harness: Harness, seeds: list[bytes], rest: list[str]) -> None:
    """Our loop under the libFuzzer flags that make sense for it."""
    numbers = {"-runs": 0, "-max_total_time": 0, "-seed": 1}
    folder: Path | None = None
    for argument in rest:
        name, _, value = argument.partition("=")
        if name in numbers and value.lstrip("-").isdigit():
            numbers[name] = max(0, int(value))
        elif not argument.startswith("-") and folder is None:
            folder = Path(argument)
            folder.mkdir(parents=True, exist_ok=True)
    kept = [path.read_bytes() for path in sorted(folder.iterdir())] if folder else []
    show_phase("fuzz")
    loop = Greybox(harness, numbers["-seed"] or os.getpid(), folder)
    loop.fuzz([*seeds, *kept], numbers["-max_total_time"], numbers["-runs"])
    print(
        f"Done: {harness.schedules} schedules, {harness.features} features, "
        f"{len(harness.signatures)} signatures"
    )
