"""Measure inputs in a fork of a process that has imported what it takes: the writer and the reader.

Most orders have new inputs, and to start Python for them costs as much as to measure them. What is
run was found by a process that a tree's code may have taken over, so it runs confined, in a folder
of its own, and what comes back is a file that is distrusted like any other of such a process.

Run by path in a fork server: ``measure.py ENGINE TARGET SECONDS``. The names of the inputs are the
lines of the file ``names`` of its folder; for each it writes a line to ``answers``, in that order.
It ends itself where one input takes longer than SECONDS.
"""

import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from math import ceil
from pathlib import Path
from typing import Final

from stage2fuzz.fuzz.harness import features
from stage2fuzz.fuzz.outbox import read_bounded
from stage2fuzz.process.checked import count, listed
from stage2fuzz.process.forked import ForkServer
from stage2fuzz.process.frames import parse_frame, to_bytes
from stage2fuzz.process.life import stall_seconds
from stage2fuzz.process.limits import Limits
from stage2fuzz.process.phase import show_phase
from stage2fuzz.process.wait import nothing

NAMES: Final = "names"
ANSWERS: Final = "answers"
MAX_ANSWERS: Final = 64 << 20
"""Bytes of all answers; those to four thousand inputs take a few."""


def measure(engine: str, target: str, seconds: int) -> None:
    """Answer for each input, one after the other, each written before the next is begun."""
    show_phase("measure")
    with Path(ANSWERS).open("wb", buffering=0) as out:
        for name in Path(NAMES).read_text().splitlines():
            signal.alarm(seconds)
            shown = features(Path(name).read_bytes(), engine, target)
            out.write(to_bytes({"features": sorted(shown)}))


def measured_by_fork(
    server: ForkServer,
    folder: Path,
    engine: str,
    target: str,
    files: Sequence[Path],
    seconds: float,
    beat: Callable[[], None] = nothing,
) -> dict[Path, frozenset[int]]:
    """The features of the first of ``files``, as many as a fork of ``server`` lived to measure.

    ``folder`` is where its own folder is made. What it did not answer for is to be asked of a
    process that can tell how an input ends it.
    """
    with tempfile.TemporaryDirectory(prefix="measure-", dir=folder) as home:
        at = Path(home)
        (at / NAMES).write_text("".join(f"{path.absolute()}\n" for path in files))
        arguments = (engine, target, str(ceil(stall_seconds())))
        server.run(Path(__file__), arguments, at, Limits(), seconds, beat)
        return dict(zip(files, read_answers(at / ANSWERS), strict=False))


def read_answers(path: Path) -> list[frozenset[int]]:
    """The answers up to the first that can't be one."""
    found: list[frozenset[int]] = []
    for line in (read_bounded(path, MAX_ANSWERS) or b"").splitlines(keepends=True):
        try:
            if not line.endswith(b"\n"):
                break
            found.append(frozenset(count(each) for each in listed(parse_frame(line)["features"])))
        except (ValueError, LookupError, TypeError):
            break
    return found


if __name__ == "__main__":
    measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))
