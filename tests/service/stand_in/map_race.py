"""A fuzz target that obeys the contract and does as ``behaviour.json`` beside it says.

The faults the service must survive need a target that fails on command: one that dies of a seed,
hangs, fills the disk, or reports a known set of findings, so that a lost one is noticed.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

HERE = Path(__file__).resolve().parent
CASE = "stage2fuzz case 1\nengine {engine}\nslot 0: pages 4\nvcpu 0: read 0\nend\n"


def whole(path: Path, text: str) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_text(text)
    temporary.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine")
    parser.add_argument("--outbox", type=Path)
    ours, rest = parser.parse_known_args()
    flags = dict(each.lstrip("-").split("=", 1) for each in rest if each.startswith("-"))
    corpus = Path(next(each for each in rest if not each.startswith("-")))
    with suppress(OSError):
        Path("/proc/self/comm").write_text("fuzz")  # as a real one names itself
    how = json.loads((HERE / "behaviour.json").read_text())
    log = HERE / "runs" / str(os.getpid())
    log.parent.mkdir(exist_ok=True)
    log.write_text(flags["seed"])
    chooser = random.Random(int(flags["seed"]))
    for path in sorted(corpus.iterdir()):
        if path.read_bytes() == how.get("deadly", "").encode() and how.get("deadly"):
            die(how, path.read_bytes(), flags["artifact_prefix"])
    if how.get("always"):
        die(how, b"always", flags["artifact_prefix"])
    if how.get("junk"):
        litter(ours.outbox, corpus)
    for number in range(how.get("many", 0)):
        (ours.outbox / f"{number}.junk").touch()
    begun = time.monotonic()
    schedules = 0
    reported: list[str] = []
    seconds = float(how.get("seconds", flags["max_total_time"]))
    while time.monotonic() - begun < seconds:
        time.sleep(0.05)
        schedules += 100
        if len(reported) < how.get("findings", 0):
            report(ours.outbox, ours.engine, chooser.randrange(how.get("of", 10**9)), reported)
        if how.get("inputs"):
            data = chooser.randbytes(12)
            (corpus / data.hex()).write_bytes(data)
        stats = {
            "schedules": schedules,
            "seconds": time.monotonic() - begun,
            "features": 0,
            "findings": len(reported),
            "kept": 0,
        }
        whole(ours.outbox / "stats.json", json.dumps(stats))


def report(outbox: Path, engine: str, number: int, reported: list[str]) -> None:
    """Report finding ``number`` and note it where the test can see it, in that order."""
    finding = {
        "format": 1,
        "engine": engine,
        "oracle": "C6",
        "rule": "stand-in",
        "category": "correctness",
        "signature": f"stand-in/{number}",
        "verdict": "Reported on command.",
        "case": CASE.format(engine=engine),
    }
    whole(outbox / f"{number:016x}.finding.json", json.dumps(finding))
    reported.append(finding["signature"])  # type: ignore[arg-type]


def litter(outbox: Path, corpus: Path) -> None:
    """Write beside the findings whatever a process can write that has gone mad."""
    outbox.mkdir(exist_ok=True)
    for folder in (outbox, corpus):
        os.mkfifo(folder / "pipe.finding.json")
        (folder / "loop.finding.json").symlink_to("loop.finding.json")
        (folder / "folder.finding.json").mkdir()
        (folder / "secret.finding.json").symlink_to("/etc/passwd")
        (folder / "bad.finding.json").write_text('{"format": 1, "verdict": "\\u0000"}')
        (folder / "deep.finding.json").write_text("[" * 9999)
        for number in range(50):
            (folder / f"{number}.tmp").touch()


def die(how: dict[str, object], data: bytes, prefix: str) -> None:
    """Leave the way the behaviour says, with libFuzzer's artifact or without."""
    if how.get("artifact"):
        Path(f"{prefix}{how['artifact']}-stand-in").write_bytes(data)
    if how.get("hang"):
        time.sleep(3600)
    os.kill(os.getpid(), int(how.get("signal", signal.SIGKILL)))  # type: ignore[call-overload]


if __name__ == "__main__":
    main()
