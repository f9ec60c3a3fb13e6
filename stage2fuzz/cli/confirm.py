"""stage2fuzz confirm: a finding's interleaving, forced onto a real kernel."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from stage2fuzz.case.case import Case
from stage2fuzz.cli.builds import warn_of_build
from stage2fuzz.cli.named import load, stored
from stage2fuzz.cli.options import DEFAULT_DATABASE, CaseName, Database, Json
from stage2fuzz.cli.output import emit, write
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.cli.stores import open_store
from stage2fuzz.cli.terminal import console
from stage2fuzz.confirm.alone import ProgramTrial, record_alone, tell_alone, try_alone
from stage2fuzz.confirm.image import check_image
from stage2fuzz.confirm.machine import find_qemu
from stage2fuzz.confirm.reproducers import (
    COMMAND,
    Reproducer,
    forces_itself,
    program_of,
    reproducer_of,
)
from stage2fuzz.confirm.session import Answer, Confirmation, ProgressSink, confirm
from stage2fuzz.confirm.subject import Subject, prepare
from stage2fuzz.confirm.tell import record, tell
from stage2fuzz.confirm.tree import build_kernel
from stage2fuzz.errors import InputError
from stage2fuzz.session.apart import run_apart

MAX_TIMES = 1000
EXITS = {Answer.CONFIRMED: 0, Answer.REFUTED: 1, Answer.NOT_REACHED: 3}


def confirm_case(
    case: CaseName,
    kernel: Annotated[
        Path | None, typer.Option(metavar="IMAGE", help="Kernel image (arm64) to boot.")
    ] = None,
    tree: Annotated[
        Path | None, typer.Option(metavar="TREE", help="Build a small kernel of this tree instead.")
    ] = None,
    fixed: Annotated[
        Path | None,
        typer.Option(metavar="IMAGE|TREE", help="A kernel that should not show it."),
    ] = None,
    times: Annotated[int, typer.Option(help="How often to force the schedule.")] = 1,
    engine: Annotated[
        str, typer.Option(help="Run the case on this kernel engine first, for its switches.")
    ] = "",
    oracle: Annotated[str, typer.Option(help="Look for this oracle's consequence only.")] = "",
    reproducer: Annotated[
        Path | None,
        typer.Option(metavar="FILE.c", help="Write a user-space program that shows it alone."),
    ] = None,
    stacks: Annotated[bool, typer.Option("--stacks", help="Show where each thread stood.")] = False,
    database: Database = DEFAULT_DATABASE,
    as_json: Json = False,
) -> None:
    """Boot a real kernel under QEMU, force the case's schedule, and see whether the harm comes.

    Exit codes: 0 confirmed, 1 refuted, 2 bad input, 3 the schedule was not reached.
    """
    _check(kernel, tree, reproducer, times)
    finding = stored(case, database)
    loaded = load(case, finding)
    what = f"finding {case}" if finding is not None else case
    if engine:
        loaded = replace(loaded, engine=engine)
    warn_of_build(what, loaded)
    wanted = oracle or (finding.oracle if finding is not None else "")
    number = None if finding is None else finding.id
    kernels = _Kernels(kernel or tree, fixed, times, database, number, as_json)
    if forces_itself(loaded):
        program = program_of(loaded, what, wanted, run_apart)
        if reproducer is not None:
            _offer(reproducer, program.path)
        told = _alone(what, loaded, program, kernels)
    else:
        subject = prepare(loaded, what, wanted, run_apart)
        if reproducer is not None:
            _offer(reproducer, reproducer_of(subject.rules, what))
        told = _forced(what, subject, kernels, stacks)
    if told is None:
        return
    if as_json:
        emit(told.data)
    else:
        out = console()
        for line in told.lines:
            out.print(line, markup=False, soft_wrap=True)
    if told.failed is not None:
        raise told.failed
    raise typer.Exit(EXITS[told.answer])


@dataclass(frozen=True, slots=True)
class _Kernels:
    """What is to be booted, how often it is asked, and where its answer goes."""

    chosen: Path | None
    fixed: Path | None
    times: int
    database: str
    finding: int | None
    as_json: bool


@dataclass(frozen=True, slots=True)
class _Told:
    """The answer, in both forms."""

    answer: Answer
    lines: Iterable[str]
    data: object
    failed: InputError | None
    """Why the control could not be had."""


def _forced(what: str, subject: Subject, kernels: _Kernels, stacks: bool) -> _Told | None:
    """The schedule forced; nothing where no kernel is given."""
    if kernels.chosen is None:
        return None

    def on(image: Path, progress: ProgressSink) -> Confirmation:
        return confirm(image, subject, kernels.times, progress)

    done, control, failed = _both(kernels.chosen, kernels, on)
    lines = tell(what, subject, done, control, stacks)
    return _Told(done.answer, lines, record(subject, done, control), failed)


def _alone(what: str, case: Case, program: Reproducer, kernels: _Kernels) -> _Told | None:
    """The program run; nothing where no kernel is given."""
    if kernels.chosen is None:
        return None
    if program.elsewhere:
        raise InputError(what, program.elsewhere, "--reproducer FILE.c writes it")

    def on(image: Path, progress: ProgressSink) -> ProgramTrial:
        return try_alone(image, program, kernels.times, progress)

    done, control, failed = _both(kernels.chosen, kernels, on)
    lines = tell_alone(what, done, control)
    return _Told(done.answer, lines, record_alone(case, done, control), failed)


AnyTrial = TypeVar("AnyTrial", Confirmation, ProgramTrial)


def _both(
    chosen: Path, kernels: _Kernels, on: Callable[[Path, ProgressSink], AnyTrial]
) -> tuple[AnyTrial, AnyTrial | None, InputError | None]:
    """The kernel and, where one is given, that which should not show it.

    What the first one said is told even where the second cannot be had: its error is handed back.
    """
    find_qemu()  # before minutes of building
    with ProgressLine(kernels.as_json) as progress:
        image = _image(chosen, progress)
        other = None if kernels.fixed is None else _image(kernels.fixed, progress)
        done = on(image, progress.update)
        if kernels.finding is not None:
            _keep(kernels.database, kernels.finding, done)
        if other is None:
            return done, None, None
        try:
            return done, on(other, progress.update), None
        except InputError as error:
            return done, None, error


def _check(kernel: Path | None, tree: Path | None, reproducer: Path | None, times: int) -> None:
    if kernel is not None and tree is not None:
        raise InputError("--tree", "given beside --kernel", "one of the two")
    if (kernel or tree or reproducer) is None:
        raise InputError("--kernel", "missing", "the image to boot; docs/real-kernel.md says which")
    if not 1 <= times <= MAX_TIMES:
        raise InputError("--times", f"{times} is out of range", f"1 to {MAX_TIMES}")


def _offer(target: Path, program: Path) -> None:
    """Write the program, and say how it is built and run."""
    write(target, program.read_text())
    print(f"{target}: {COMMAND.format(file=target.name)}", file=sys.stderr)


def _keep(database: str, number: int, done: Confirmation | ProgramTrial) -> None:
    """The answer, with the finding."""
    # A file needs no database.
    from stage2fuzz.findings.real import RealCounts

    answers = (done.count(each) for each in Answer)
    counts = RealCounts(done.release, str(done.answer), *answers)
    with open_store(database) as store:
        store.tried_on_real(number, counts)


def _image(path: Path, progress: ProgressLine) -> Path:
    """The image itself, or one that is built of a tree; InputError before anything was booted."""
    if path.is_dir():
        return build_kernel(path, progress=progress.update)
    check_image(path)
    return path
