"""A program that forces itself, run on a real kernel: its exit code is the answer.

The program is what `--reproducer` hands out, so what the machine says of it is what a maintainer
sees who builds it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.text import format_case
from stage2fuzz.confirm.machine import MachineError, VirtualMachine
from stage2fuzz.confirm.reproducers import Reproducer
from stage2fuzz.confirm.session import Answer, ProgressSink, answer_of
from stage2fuzz.errors import InputError

PROCESSORS: Final = 2
PATIENCE: Final = 400.0
"""Seconds that one run of a program may take; dirty_ring takes 70 to 95."""
ANSWERS: Final = {"exit 0": Answer.REFUTED, "exit 1": Answer.CONFIRMED}


@dataclass(frozen=True, slots=True)
class ProgramRun:
    """One run of a program on a machine."""

    answer: Answer
    said: tuple[str, ...]
    """The lines that it printed."""


@dataclass(slots=True)
class ProgramTrial:
    """All runs of a program on one kernel."""

    image: Path
    release: str
    program: Reproducer
    runs: list[ProgramRun] = field(default_factory=list)

    @property
    def answer(self) -> Answer:
        """What the runs say together."""
        return answer_of(run.answer for run in self.runs)

    def count(self, answer: Answer) -> int:
        """How many runs ended so."""
        return sum(run.answer is answer for run in self.runs)


def try_alone(
    image: Path, program: Reproducer, times: int, progress: ProgressSink = lambda _: None
) -> ProgramTrial:
    """Boot ``image`` once and run the program ``times`` times.

    Raises InputError for an image that cannot be used or lacks what the program needs.
    """
    name = program.path.stem
    progress(f"booting {image.name}")
    programs = {name: program.path}
    with VirtualMachine(image, PROCESSORS, programs=programs, tags=program.tags) as machine:
        done = ProgramTrial(image, machine.release, program)
        for number in range(times):
            progress(f"{machine.release}: run {number + 1} of {times} of {program.path.name}")
            try:
                told = machine.order(f"run /{name}", patience=PATIENCE)
            except MachineError as error:
                raise InputError(str(image), str(error), "the same command once more") from None
            said = tuple(line.removeprefix("said ") for line in told if line.startswith("said "))
            if program.sign and any(program.sign in line for line in said):
                raise InputError(str(image), program.lacks, program.right)
            ends = (ANSWERS[line] for line in told if line in ANSWERS)
            done.runs.append(ProgramRun(next(ends, Answer.NOT_REACHED), said))
    return done


def tell_alone(what: str, done: ProgramTrial, control: ProgramTrial | None) -> Iterator[str]:
    """The lines for a person: the answer, the control's, and what the program said."""
    yield f"{done.answer}: {what} on Linux {done.release}, {_counts(done)}"
    if control is not None:
        yield f"  control   Linux {control.release}: {control.answer}, {_counts(control)}"
    number = [run.answer for run in done.runs].index(done.answer)
    yield f"  run {number + 1}     {done.program.path.name} says:"
    yield from (f"    {line}" for line in done.runs[number].said)


def _counts(done: ProgramTrial) -> str:
    parts = [f"{done.count(answer)} {answer}" for answer in Answer if done.count(answer)]
    plural = "s" * (len(done.runs) != 1)
    return f"{len(done.runs)} run{plural} of {done.program.path.name}: {', '.join(parts)}"


def record_alone(case: Case, done: ProgramTrial, control: ProgramTrial | None) -> dict[str, object]:
    """The same as data, with the keys that a forced schedule's record has where both have one."""
    return {
        "answer": str(done.answer),
        "case": format_case(case),
        "program": done.program.path.name,
        "rules": sorted(done.program.shows),
        "kernel": _kernel(done),
        "fixed": _kernel(control) if control is not None else None,
    }


def _kernel(done: ProgramTrial) -> dict[str, object]:
    return {
        "image": str(done.image),
        "release": done.release,
        "answer": str(done.answer),
        "runs": [{"answer": str(run.answer), "said": list(run.said)} for run in done.runs],
    }
