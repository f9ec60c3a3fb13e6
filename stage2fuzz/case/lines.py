"""Lines: how scenario and schedule are written, a line for each part, in normal form."""

from collections.abc import Iterable
from dataclasses import fields
from typing import Final
from zlib import crc32

from stage2fuzz.arch import INSTRUCTION_NAMES
from stage2fuzz.case.case import Case
from stage2fuzz.case.el2 import EL2_FIELDS, HypCall
from stage2fuzz.case.limits import normal
from stage2fuzz.case.scenario import SLOT_STRIDE, Access, Backing, HostOp, Options, Slot, Tlb
from stage2fuzz.schedule.base import FOREVER, Run

_WIDTH: Final = 78


def spell(name: str) -> str:
    """A name of Python's as cases write it: ``LOG_GET`` is ``log-get``."""
    return name.lower().replace("_", "-")


OPTIONS: Final = {spell(one.name): one.name for one in fields(Options)}
"""Word of an option -> its field."""
SLOT_FLAGS: Final = ("readonly", "logging", "skewed", "hugetlb", "contiguous")


def body_lines(case: Case) -> list[str]:
    """The lines of scenario and schedule, the schedule in normal form."""
    scenario, schedule = case.scenario, normal(case.schedule)
    lines = _option_lines(scenario.options)
    if scenario.cpus:
        for i, calls in enumerate(scenario.cpus):
            lines.append(f"cpu {i}: " + ", ".join(map(hyp_call_text, calls)))
    else:
        lines += [f"slot {i}: {_slot_text(slot)}" for i, slot in enumerate(scenario.slots)]
    for exception in scenario.host_pages:
        lines.append(f"host-page {_page_text(exception.page)}: {spell(exception.host.name)}")
    for i, program in enumerate(scenario.vcpus):
        lines.append(f"vcpu {i}: " + ", ".join(map(_access_text, program)))
    for i, operations in enumerate(scenario.hosts):
        lines.append(f"host {i}: " + ", ".join(map(_host_op_text, operations)))
    lines += _wrap("schedule", (_run_text(run) for run in schedule.runs))
    return lines + _wrap("choices", (str(choice) for choice in schedule.choices))


def checksum(body: list[str]) -> str:
    """What tells a case that was edited by hand from the one that a build executed."""
    text = "\n".join(body)
    return f"{crc32(text.encode()):08x}"


def _page_text(page: int) -> str:
    """A page as cases write it: its number in slot 0, or ``slot/number``."""
    slot, place = divmod(page, SLOT_STRIDE)
    return f"{slot}/{place}" if slot else str(place)


def _access_text(access: Access) -> str:
    """An access as cases write it: ``write 0``."""
    return f"{INSTRUCTION_NAMES[access.kind]} {_page_text(access.page)}"


def _host_op_text(operation: HostOp) -> str:
    """A host operation as cases write it: ``move 0``, ``log-clear 512 pages 512``."""
    pages = f" pages {operation.pages}" if operation.pages != 1 else ""
    return f"{spell(operation.op.name)} {_page_text(operation.page)}{pages}"


def hyp_call_text(call: HypCall) -> str:
    """A call as cases write it: ``share-guest page 1 gfn 2 flag``."""
    words = [spell(call.op.name)]
    for name in EL2_FIELDS[call.op]:
        if name != "flag":
            words.append(f"{name} {getattr(call, name)}")
        elif call.flag:
            words.append(name)
    return " ".join(words)


def _option_lines(options: Options) -> list[str]:
    lines = []
    for option, name in OPTIONS.items():
        value, default = getattr(options, name), getattr(Options(), name)
        if value != default:
            text = spell(value.name) if isinstance(value, Tlb) else str(value)
            lines.append(f"option {option}" + ("" if value is True else f" {text}"))
    return lines


def _slot_text(slot: Slot) -> str:
    flags = [flag for flag in SLOT_FLAGS if getattr(slot, flag)]
    if slot.skewed > 1:
        flags[flags.index("skewed")] += f" {slot.skewed}"
    backing = [] if slot.backing is Backing.PAGE else [f"backing {spell(slot.backing.name)}"]
    first = [f"first {slot.first}"] if slot.first else []
    return ", ".join([f"pages {slot.pages}", *first, *backing, *flags])


def _run_text(run: Run) -> str:
    thread, points = run
    return str(thread) if points == FOREVER else f"{thread}*{points}"


def _wrap(begin: str, items: Iterable[str]) -> list[str]:
    """Lines that start with ``begin`` and hold the items, none of them long."""
    lines: list[str] = []
    for item in items:
        if lines and len(lines[-1]) + len(item) < _WIDTH:
            lines[-1] += f" {item}"
        else:
            lines.append(f"{begin} {item}")
    return lines
