"""Reader: the lines of a case, each checked at its own place, made into the case."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from stage2fuzz.arch import INSTRUCTIONS
from stage2fuzz.case.case import Case
from stage2fuzz.case.el2 import EL2_FIELDS, HypCall, HypOp
from stage2fuzz.case.limits import (
    check_access,
    check_engine,
    check_host_op,
    check_host_page,
    check_hyp_call,
    check_options,
    check_scenario,
    check_schedule,
    check_slot,
    normal,
    schedulable,
)
from stage2fuzz.case.lines import OPTIONS, SLOT_FLAGS, body_lines, checksum, spell
from stage2fuzz.case.scenario import (
    SLOT_STRIDE,
    Access,
    Backing,
    Host,
    HostOp,
    HostPage,
    Op,
    Options,
    Scenario,
    Slot,
    Tlb,
)
from stage2fuzz.errors import InputError
from stage2fuzz.schedule.base import FOREVER, Run, Schedule

END: Final = "end"

T = TypeVar("T")

_BACKINGS: Final = {spell(one.name): one for one in Backing}
_HOSTS: Final = {spell(one.name): one for one in Host}
_OPS: Final = {spell(one.name): one for one in Op}
_HYP_OPS: Final = {spell(one.name): one for one in HypOp}
_TLBS: Final = {spell(one.name): one for one in Tlb}
_NUMBERS: Final = ("ipa-bits", "cache-pages", "failing-topup", "failing-alloc", "nested")
_BUILD: Final = re.compile("[0-9a-f]{24}( [0-9a-f]{8})?")
_QUOTED_ENGINE: Final = re.compile(r'\s*engine\s+("(?:[^"\\]|\\.)*")\s*(?:#.*)?')


def words_of(line: str, where: str) -> list[str]:
    """The words of a line without its comment."""
    quoted = _QUOTED_ENGINE.fullmatch(line)
    if quoted is None:
        return line.partition("#")[0].split()
    try:
        return ["engine", json.loads(quoted[1])]
    except ValueError:
        right = "a JSON string"
        raise InputError(where, f"engine {quoted[1][:80]}", right) from None


class Reader:
    """The lines so far; each part is checked when its limits are known, at its own line."""

    def __init__(self) -> None:
        self.ended = False
        self.engine = ""
        self.build: list[str] = []
        self.options: dict[str, int | Tlb] = {}
        self.slots: list[Slot] = []
        self.vcpus: list[tuple[Access, ...]] = []
        self.cpus: list[tuple[HypCall, ...]] = []
        self.hosts: list[tuple[str, tuple[HostOp, ...]]] = []
        self.host_pages: list[tuple[str, HostPage]] = []
        self.runs: list[tuple[str, tuple[Run, ...]]] = []
        self.choices: list[int] = []
        self.handlers: dict[str, Callable[[list[str], str], None]] = {
            "engine": self.take_engine,
            "build": self.take_build,
            "option": self.take_option,
            "slot": self.take_slot,
            "vcpu": self.take_vcpu,
            "host": self.take_host,
            "cpu": self.take_cpu,
            "host-page": self.take_host_page,
            "schedule": self.take_schedule,
            "choices": self.take_choices,
            END: self.take_end,
        }

    def take(self, words: list[str], where: str) -> None:
        """One line that is neither empty nor a comment."""
        if self.ended:
            raise InputError(where, "a line after the end", "nothing but comments")
        _named(words[0], self.handlers, "line", where)(words[1:], where)

    def case(self, name: str) -> Case:
        """The case of all lines."""
        if not self.ended:
            raise InputError(name, "the case is cut off", f"its last line must be {END!r}")
        if not self.engine:
            raise InputError(name, "no engine", "a line such as 'engine model:v5.10'")
        if not self.vcpus and not self.cpus:
            raise InputError(name, "no vCPU", "a line such as 'vcpu 0: write 0'")
        slots = tuple(self.slots) or (Slot(),)
        for where, exception in self.host_pages:
            check_host_page(exception, slots, where)
        for where, operations in self.hosts:
            for operation in operations:
                check_host_op(operation, slots, where)
        scenario = Scenario(
            slots,
            tuple(self.vcpus),
            tuple(operations for _, operations in self.hosts),
            tuple(exception for _, exception in self.host_pages),
            Options(**self.options),  # type: ignore[arg-type]
            tuple(self.cpus),
        )
        check_scenario(scenario, name)
        threads = schedulable(scenario)
        for where, runs in self.runs:
            check_schedule(Schedule(runs), threads, where)
        runs = tuple(run for _, some in self.runs for run in some)
        schedule = Schedule(runs, tuple(self.choices))
        check_schedule(schedule, threads, name)
        return self.vouched(Case(self.engine, scenario, normal(schedule)))

    def vouched(self, case: Case) -> Case:
        """The case with its build, unless it was edited since that build executed it."""
        edited = self.build[1:] not in ([], [checksum(body_lines(case))])
        return case if edited or not self.build else replace(case, build=self.build[0])

    def take_engine(self, words: list[str], where: str) -> None:
        """``engine model:v5.10``."""
        if len(words) != 1 or self.engine:
            raise InputError(where, "not one engine", "a single line 'engine NAME'")
        check_engine(words[0], where)
        self.engine = words[0]

    def take_build(self, words: list[str], where: str) -> None:
        """``build 32b4f4411955222c15a59d2c 0e7d5a91``: who executed it, and a checksum."""
        if not _BUILD.fullmatch(" ".join(words)) or self.build:
            right = "a single line 'build KEY CHECKSUM', 24 and 8 hexadecimal digits"
            raise InputError(where, "not one build", right)
        self.build = words

    def take_option(self, words: list[str], where: str) -> None:
        """``option tlb sticky``, ``option ipa-bits 48``, ``option pending-stores``."""
        word = words[0] if words else ""
        name = _named(word, OPTIONS, "option", where)
        if name in self.options:
            raise InputError(where, f"option {word} twice", "each option at most once")
        takes_value = word == "tlb" or word in _NUMBERS
        if len(words) != 1 + takes_value:
            right = f"option {word}" + (" VALUE" if takes_value else "")
            raise InputError(where, "not an option", repr(right))
        if word == "tlb":
            self.options[name] = _named(words[1], _TLBS, "TLB", where)
        else:
            self.options[name] = _number(words[1], where) if takes_value else True
        check_options(Options(**self.options), where)  # type: ignore[arg-type]

    def take_slot(self, words: list[str], where: str) -> None:
        """``slot 0: pages 512, backing pmd, logging``."""
        items = _numbered("slot", words, len(self.slots), where)
        found: dict[str, int | Backing] = {}
        for item in items:
            match item:
                case ["pages", number] if "pages" not in found:
                    found["pages"] = _number(number, where)
                case ["skewed", number] if "skewed" not in found:
                    found["skewed"] = _number(number, where)
                case ["first", number] if "first" not in found:
                    found["first"] = _number(number, where)
                case ["backing", name] if "backing" not in found:
                    found["backing"] = _named(name, _BACKINGS, "backing", where)
                case [flag] if flag in SLOT_FLAGS and flag not in found:
                    found[flag] = True
                case _:
                    flags = ", ".join(SLOT_FLAGS)
                    right = f"pages N, first N, backing NAME, {flags}, each once"
                    raise InputError(where, f"slot {' '.join(item)[:60]!r}", right)
        slot = Slot(**found)  # type: ignore[arg-type]
        check_slot(slot, where)
        self.slots.append(slot)

    def take_vcpu(self, words: list[str], where: str) -> None:
        """``vcpu 0: write 0, read 1``."""
        program = []
        for item in _numbered("vcpu", words, len(self.vcpus), where):
            if len(item) != 2:
                raise InputError(where, f"access {' '.join(item)[:60]!r}", "such as 'write 0'")
            access = Access(_named(item[0], INSTRUCTIONS, "access", where), _page(item[1], where))
            check_access(access, where)
            program.append(access)
        self.vcpus.append(tuple(program))

    def take_host(self, words: list[str], where: str) -> None:
        """``host 0: log-get 0, move 0 pages 512``."""
        operations = []
        for item in _numbered("host", words, len(self.hosts), where):
            if len(item) not in (2, 4) or item[2:3] not in ([], ["pages"]):
                right = "such as 'move 0' or 'move 0 pages 2'"
                raise InputError(where, f"host operation {' '.join(item)[:60]!r}", right)
            pages = _number(item[3], where) if item[2:] else 1
            name = _named(item[0], _OPS, "host operation", where)
            operations.append(HostOp(name, _page(item[1], where), pages))
        self.hosts.append((where, tuple(operations)))

    def take_cpu(self, words: list[str], where: str) -> None:
        """``cpu 0: load vm 1, guest-write page 0 gfn 2, put``."""
        calls = []
        for item in _numbered("cpu", words, len(self.cpus), where):
            op = _named(item[0] if item else "", _HYP_OPS, "call of a host CPU", where)
            found, rest = {}, item[1:]
            for name in EL2_FIELDS[op]:
                if name == "flag":
                    found[name] = int(rest[:1] == ["flag"])
                    rest = rest[found[name] :]
                elif rest[:1] == [name] and len(rest) > 1:
                    found[name], rest = _number(rest[1], where), rest[2:]
            if rest or any(n not in found for n in EL2_FIELDS[op]):
                fields = [n if n == "flag" else f"{n} N" for n in EL2_FIELDS[op]]
                right = " ".join((spell(op.name), *fields))
                raise InputError(where, f"call {' '.join(item)[:60]!r}", repr(right))
            call = HypCall(op, **found)
            check_hyp_call(call, where)
            calls.append(call)
        self.cpus.append(tuple(calls))

    def take_host_page(self, words: list[str], where: str) -> None:
        """``host-page 0: lazy``."""
        if len(words) != 2 or not words[0].endswith(":"):
            raise InputError(where, "not a host page", "such as 'host-page 0: lazy'")
        host = _named(words[1], _HOSTS, "host page", where)
        self.host_pages.append((where, HostPage(_page(words[0][:-1], where), host)))

    def take_schedule(self, words: list[str], where: str) -> None:
        """``schedule 0*12 1*5 0``; several lines are one schedule."""
        runs = []
        for word in words:
            thread, star, points = word.partition("*")
            runs.append((_number(thread, where), _number(points, where) if star else FOREVER))
        self.runs.append((where, tuple(runs)))

    def take_choices(self, words: list[str], where: str) -> None:
        """``choices 0 1``; several lines are one list."""
        choices = [_number(word, where) for word in words]
        check_schedule(Schedule(choices=tuple(choices)), 1, where)
        self.choices += choices

    def take_end(self, words: list[str], where: str) -> None:
        """``end``: without it a file that was cut off would be another, valid case."""
        if words:
            raise InputError(where, "not the end", f"{END!r} alone")
        self.ended = True


def _numbered(word: str, words: list[str], expected: int, where: str) -> list[list[str]]:
    """The comma-separated items of ``WORD N: item, item``, each split into words."""
    head, colon, rest = " ".join(words).partition(":")
    if not colon:
        raise InputError(where, f"no colon after {word}", f"such as '{word} {expected}: ...'")
    if _number(head, where) != expected:
        raise InputError(where, f"{word} {head}", f"{word} {expected} comes next")
    return [item.split() for item in rest.split(",")]


def _page(text: str, where: str) -> int:
    """A page: its number in slot 0, or ``slot/number``."""
    slot, slash, place = text.rpartition("/")
    number = _number(place, where)
    if number >= SLOT_STRIDE:
        raise InputError(where, f"page {number}", "a page of slot 1 is written 1/0")
    return (_number(slot, where) if slash else 0) * SLOT_STRIDE + number


def _number(text: str, where: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", text):
        raise InputError(where, f"{text[:40]!r}", "a number of at most ten digits")
    return int(text)


def _named(word: str, names: dict[str, T], what: str, where: str) -> T:
    if word not in names:
        raise InputError(where, f"unknown {what} {word[:40]!r}", "one of " + ", ".join(names))
    return names[word]
