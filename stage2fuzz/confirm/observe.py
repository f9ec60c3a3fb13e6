"""What a run on the machine left behind, read from our program's lines."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from stage2fuzz.arch import ACCESS_FLAG, EXECUTE, PERMISSION, READ, TRANSLATION, WRITE

_STATUS: Final = {0x4: TRANSLATION, 0x8: ACCESS_FLAG, 0xC: PERMISSION}
_INSTRUCTION_ABORT: Final = 0x20
_WRITE_NOT_READ: Final = 1 << 6


ALARMS: Final = ("WARNING:", "BUG", "Internal error", "Oops")
"""What the headline of a warning, a bug or a crash has in it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One access or host operation: when it began and ended (ns), and how."""

    thread: int
    index: int
    begin: int
    end: int
    result: int
    """0, or a negative errno of KVM_RUN or of the operation; -EIO: an exit for MMIO."""
    value: int


@dataclass(frozen=True, slots=True)
class StageFault:
    """One stage-2 fault of a vCPU, as the kernel's own tracepoint tells it."""

    thread: int
    at: int
    ipa: int
    kind: int
    """READ, WRITE or EXECUTE."""
    status: int
    """TRANSLATION, ACCESS_FLAG or PERMISSION; 0: another."""
    level: int


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Each page of a logging slot was written again: how many changed, and of these without bit."""

    slot: int
    pages: int
    changed: int
    lost: int


@dataclass(slots=True)
class Observation:
    """One run."""

    items: list[Item] = field(default_factory=list)
    faults: list[StageFault] = field(default_factory=list)
    """In the order of time."""
    bits: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    """(thread, item) of a harvest inside the race -> the pages it reported."""
    dirty: dict[int, list[int]] = field(default_factory=dict)
    """Slot -> the pages of a harvest after the race, before anything else was written."""
    rewrites: dict[str, list[Rewrite]] = field(default_factory=dict)
    """``probe``: before any harvest after the race; ``again``: after it."""
    counts: dict[str, int] = field(default_factory=dict)
    """Faults in each phase."""
    log: list[str] = field(default_factory=list)
    """What the kernel logged during race and probe."""
    huge: dict[int, int] = field(default_factory=dict)
    """Slot -> KiB that the host maps by huge pages."""
    traced: bool = True
    expected: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """vCPU -> (kind, status) of its faults in the engine's run, in their order."""

    @property
    def warnings(self) -> list[str]:
        """Headlines of warnings and bugs in the kernel's log."""
        return [line for line in self.log if any(word in line for word in ALARMS)]

    @property
    def lost(self) -> int:
        """Pages that changed although a log was on and have no bit in it."""
        return sum(each.lost for each in self.rewrites.get("probe", []))


def observe(lines: Iterable[str]) -> Observation:
    """Read the lines that orders were answered with."""
    seen = Observation()
    for line in lines:
        word, _, rest = line.partition(" ")
        fields = rest.split()
        if word == "log":
            seen.log.append(rest.partition(" ")[2])
        elif word == "item":
            seen.items.append(Item(*map(int, fields)))
        elif word == "fault":
            seen.faults.append(_fault(fields))
        elif word == "bits":
            seen.bits[int(fields[0 + 1]), int(fields[2])] = [int(page) for page in fields[4:]]
        elif word == "dirty":
            seen.dirty[int(fields[1])] = [int(page) for page in fields[3:]]
        elif word == "rewritten":
            slot, pages, changed, lost, _refused = map(int, fields[1:])
            seen.rewrites.setdefault(fields[0], []).append(Rewrite(slot, pages, changed, lost))
        elif word == "faults":
            seen.counts[fields[0]] = seen.counts.get(fields[0], 0) + int(fields[1])
        elif word == "huge":
            seen.huge[int(fields[0])] = int(fields[1])
        elif word == "untraced":
            seen.traced = False
    seen.faults.sort(key=lambda fault: fault.at)
    return seen


def _fault(fields: list[str]) -> StageFault:
    """Of "phase cpu ns ipa syndrome"; thread i runs on processor i + 1."""
    syndrome = int(fields[4], 16)
    if syndrome >> 26 & 0x3F == _INSTRUCTION_ABORT:
        kind = EXECUTE
    else:
        kind = WRITE if syndrome & _WRITE_NOT_READ else READ
    status = _STATUS.get(syndrome & 0x3C, 0)
    return StageFault(
        int(fields[1]) - 1, int(fields[2]), int(fields[3], 16), kind, status, syndrome & 3
    )
