"""NativeJudge: the compiled oracles, loaded, and held against what Python says."""

import ctypes
import struct
from collections.abc import Sequence
from dataclasses import astuple
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import Final

from stage2fuzz.errors import ModelError
from stage2fuzz.events import Event
from stage2fuzz.oracles.catalogue import ORACLES
from stage2fuzz.oracles.native.build import library
from stage2fuzz.oracles.violation import Violation
from stage2fuzz.rules import Rules

SAMPLE_EVERY: Final = 1_000
"""Of so many runs that nobody objects to Python judges one as well."""
LAYOUT: Final = struct.Struct("<hhiqqq")
"""``struct s2_event``, as engines in C keep it: kind, thread, aux, where, old, new."""


class Verdict(IntEnum):
    """What the native judge found, as ``door.h`` numbers it."""

    SILENT = 0
    """Nobody objects."""
    KNOWN = 1
    """Somebody does, in words that Python found for an earlier run."""
    NEW = 2
    """Somebody does, and Python has to find the words."""
    LEFT = 3
    """Only Python can tell: an integer beyond 64 bits, a full arena."""
    SAMPLE = 4
    """Nobody objects; Python looks as well, to be sure of us."""


class Opinion(ctypes.Structure):
    """What is known of the last run."""

    _fields_ = (
        ("verdict", ctypes.c_int64),
        ("number", ctypes.c_int64),
        ("set", ctypes.c_uint64),
        ("spoke", ctypes.c_uint64 * 2),
    )
    verdict: int
    number: int
    set: int


class NativeJudge:
    """The loaded judge; one run at a time."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        counted = (ctypes.c_int32, ctypes.c_int32)
        self._library.judge_scenario.argtypes = (*counted, ctypes.c_uint64)
        self._library.judge_begin.argtypes = (ctypes.c_int64,)
        self._library.judge_run.argtypes = (ctypes.c_void_p, *counted)
        self._library.judge_runs.argtypes = (ctypes.c_int64,)
        self._library.judge_runs.restype = ctypes.c_int64
        self._told = Opinion()
        self._scenario: tuple[int, int, Rules] | None = None
        self._owner: object = None
        self.begin()

    @property
    def address(self) -> int:
        """``judge_run`` for an engine in C: (events, how many, whether a state may have returned)
        -> 0 where nobody in Python need look at the run, else why, a ``Verdict``."""
        return ctypes.cast(self._library.judge_run, ctypes.c_void_p).value or 0

    def belong(self, owner: object) -> None:
        """Begin anew unless ``owner`` did: what was worded for one is not known to another."""
        if self._owner is not owner:
            self.begin()
            self._owner = owner

    def begin(self, every: int = SAMPLE_EVERY) -> None:
        """Forget which objections were worded; see one silent run in ``every``, 0: none."""
        self._owner = None
        self._library.judge_begin(every)

    def scenario(self, rules: Rules, vcpus: int, threads: int) -> None:
        """From now on the runs are of this era, of so many guests and threads."""
        if (vcpus, threads, rules) != self._scenario:
            flags = sum(flag << i for i, flag in enumerate(astuple(rules)))
            if not self._library.judge_scenario(vcpus, threads, flags):
                raise MemoryError("the native judge's arena")
            self._scenario = (vcpus, threads, rules)

    def judge(self, events: Sequence[Event], lasso: bool = True) -> Verdict:
        """Judge a run; of an engine in Python, or one that is to be compared."""
        data = b"".join(
            LAYOUT.pack(kind, thread, aux, where, old, new)
            for kind, thread, where, old, new, aux in events
        )
        self._library.judge_run(data, len(events), lasso)
        return self.last()

    def last(self) -> Verdict:
        """What the last run was found to be."""
        self._library.judge_last(ctypes.byref(self._told))
        return Verdict(self._told.verdict)

    @property
    def number(self) -> int:
        """The number of the last run's set of objections, -1 for none: for ``runs``."""
        self.last()
        return self._told.number

    def runs(self, number: int) -> int:
        """Runs since ``begin`` that had this set of objections."""
        found: int = self._library.judge_runs(number)
        return found

    def spoke(self) -> frozenset[str]:
        """The oracles that object to the last run."""
        if self.last() in (Verdict.SILENT, Verdict.SAMPLE, Verdict.LEFT):
            return frozenset()
        low, high = self._told.spoke
        mask = low | high << 64
        return frozenset(each.oracle for i, each in enumerate(ORACLES) if mask >> i & 1)

    def check(self, said: Sequence[Violation]) -> None:
        """Hold what Python ``said`` of the last run against us; ModelError where we differ."""
        words = frozenset(each.oracle for each in said)
        if self.last() is not Verdict.LEFT and words != self.spoke():
            raise ModelError(
                "the native judge differs from the oracles' own text: "
                f"{sorted(self.spoke())} natively, {sorted(words)} in Python"
            )


@lru_cache(maxsize=1)
def native_judge() -> NativeJudge | None:
    """The judge of this process; None where there can't be one."""
    path = library()
    if path is None:
        return None
    try:
        return NativeJudge(path)
    except OSError:
        return None
