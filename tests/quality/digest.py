"""What a redesign must not change, a line an engine: ``python -m tests.quality.digest``.

Each line has the number of runs and digests of their events, of what the oracles said of them (each
violation with its verdict, its events and its signature) and of their interleaving features; for a
kernel tree also of the C side's features and classes. Random cases of every profile under every
strategy, drawn from one seed, so two versions of this program that print the same lines judge,
fold and count alike. Without ENGINE: every model that a golden case names, planted bugs included.
"""

import argparse
from ctypes import c_uint8
from hashlib import sha256
from pathlib import Path
from random import Random

from stage2fuzz.case.codec import decode
from stage2fuzz.case.profile import PROFILES, profile_named
from stage2fuzz.case.text import read_case
from stage2fuzz.engine import engine_of
from stage2fuzz.fuzz.features import COUNTERS, count_features, feature_set
from stage2fuzz.oracles.judge import judge
from stage2fuzz.schedule import STRATEGIES, strategy

SEED = 20_261_127
KERNEL = "kernel:"
CASES = Path(__file__).parents[1] / "cases"


def digests(engine: str, runs: int) -> str:
    """One engine's line: ``runs`` runs, five schedules a case."""
    draw = Random(SEED)
    made = engine_of(engine)
    told = {name: sha256() for name in ("events", "verdicts", "features", "native")}
    spoken = 0
    profiles = list(PROFILES)
    for case in range(runs // len(STRATEGIES)):
        profile = profile_named(profiles[case % len(profiles)])
        scenario = decode(draw.randbytes(97), "", profile).scenario
        for name in STRATEGIES:
            trace = made.run(scenario, strategy(name, draw.randrange(1 << 30)))
            said = judge(trace.events, made.rules, len(scenario.vcpus), scenario.threads)
            spoken += len(said)
            counters = bytearray(COUNTERS)
            count_features(trace.events, counters)
            told["events"].update(repr(trace.events).encode())
            for each in said:
                text = (each.oracle, each.rule, each.category.value, each.verdict)
                told["verdicts"].update(repr((*text, each.events, each.signature)).encode())
            told["features"].update(repr(sorted(feature_set(counters))).encode())
            if engine.startswith(KERNEL):
                told["native"].update(native_numbers(made, counters))
    if not engine.startswith(KERNEL):
        del told["native"]
    words = " ".join(f"{name} {digest.hexdigest()[:16]}" for name, digest in told.items())
    return f"{engine}: {runs} runs, {spoken} violations, {words}"


def native_numbers(made: object, counted: bytearray) -> bytes:
    """The class of the engine's last run, and that the C side counts the same features."""
    native = made.native  # type: ignore[attr-defined]
    counters = bytearray(COUNTERS)
    native.library.s2_count_features((c_uint8 * COUNTERS).from_buffer(counters))
    assert counters == counted, "the C side counts other features than the Python side"
    return str(native.library.s2_class()).encode()


def engines() -> list[str]:
    """The engines of the golden cases."""
    return sorted({read_case(path).engine for path in CASES.glob("*.case")})


def main() -> None:
    """Print the lines as they are ready."""
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("engines", nargs="*", metavar="ENGINE")
    parser.add_argument("--runs", type=int, default=1000, help="runs an engine (default: 1000)")
    given = parser.parse_args()
    for engine in given.engines or engines():
        print(digests(engine, given.runs), flush=True)


if __name__ == "__main__":
    main()
