"""Where the CPU time of a command goes: its processes, watched by name from outside.

A process's time is counted for the name that it has when it is looked at, fifty times a second.
What the kernel's own sum has beyond that belongs to processes that came and went unseen.
"""

import resource
import subprocess
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from os import sysconf
from pathlib import Path
from typing import Final

LOOK_SECONDS: Final = 0.02
TICKS: Final = sysconf("SC_CLK_TCK")
STARTS: Final = "starts"
COMMAND: Final = "command"
ONCE: Final = "start of the command"
"""All that is used before the first target runs."""
FIRST: Final = "running seeds"
PARTS: Final = (
    (b"stage2fuzz.coordinator", "coordinator"),
    (b"stage2fuzz.worker", "worker"),
    (b"valkey-server", "broker"),
    (b"redis-server", "broker"),
    (b"confine.py", "confining"),
    (b"tied.py", "confining"),
)
"""What a command line holds -> the part that its process is."""
PHASES: Final = {
    "seeds": FIRST,
    "fuzz": "fuzzing",
    "measure": "measuring",
    "judge": "confirming",
    "minimise": "minimising",
    "find": "regressing",
}
"""Names that processes give themselves -> the part that they are at."""


@dataclass(frozen=True, slots=True)
class Used:
    """CPU seconds of a command and all that it started."""

    output: str
    code: int
    total: float
    parts: Mapping[str, float]
    """By part; what is left over is in ``starts``: processes that ended before they were seen."""


def run_watched(command: Sequence[str], environment: Mapping[str, str]) -> Used:
    """Run a command to its end and say where its CPU time went."""
    before = children_seconds()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    watch = Watch(process.pid)
    watch.start()
    output, _ = process.communicate()
    watch.over.set()
    watch.join()
    total = children_seconds() - before
    parts: dict[str, float] = defaultdict(
        float, {name: ticks / TICKS for name, ticks in watch.parts.items()}
    )
    # A process that was killed with its waiter is in nobody's sum, and was seen all the same.
    parts[STARTS] += max(0.0, total - sum(parts.values()))
    return Used(output, process.returncode, sum(parts.values()), parts)


def children_seconds() -> float:
    """CPU seconds of all processes that this one has waited for, and that those had."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Watch(threading.Thread):
    """Looks at a process and all below it until it is told that they are gone."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root, self.over = root, threading.Event()
        self.parts: Counter[str] = Counter()
        """Clock ticks by part."""
        self._seen: dict[tuple[int, str], int] = {}
        self._fuzzing = False
        self._starting: Counter[tuple[int, str]] = Counter()

    def run(self) -> None:
        """Look until it is over."""
        while not self.over.wait(LOOK_SECONDS):
            self._look(self.root)
        self.parts[STARTS] += self._starting.total()

    def _look(self, process: int) -> None:
        with suppress(OSError):
            stat = Path(f"/proc/{process}/stat").read_text()
            name, _, rest = stat.partition("(")[2].rpartition(") ")
            fields = rest.split()
            key, ticks = (process, fields[19]), int(fields[11]) + int(fields[12])
            new = ticks - self._seen.get(key, 0)
            if new:
                self._seen[key] = ticks
                part = self._part(process, name)
                self._fuzzing |= part == FIRST
                if not self._fuzzing and part != STARTS:
                    self.parts[ONCE] += new
                elif part == STARTS:
                    self._starting[key] += new
                else:
                    self.parts[part] += new
                    self.parts[f"starting: {part}"] += self._starting.pop(key, 0)
            for child in Path(f"/proc/{process}/task/{process}/children").read_text().split():
                self._look(int(child))

    def _part(self, process: int, name: str) -> str:
        if process == self.root:
            return COMMAND
        if name in PHASES:
            return PHASES[name]
        line = Path(f"/proc/{process}/cmdline").read_bytes()
        return next((part for begin, part in PARTS if begin in line), STARTS)
