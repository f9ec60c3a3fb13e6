"""stage2fuzz confirm: a finding's interleaving, forced onto a real kernel."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from stage2fuzz.cli.builds import warn_of_build
from stage2fuzz.cli.named import load, stored
from stage2fuzz.cli.options import DEFAULT_DATABASE, CaseName, Database, Json
from stage2fuzz.cli.output import emit, write
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.cli.stores import open_store
from stage2fuzz.cli.terminal import console
from stage2fuzz.confirm.machine import check_image, find_qemu
from stage2fuzz.confirm.reproducers import COMMAND, forces_itself, reproducer_alone, reproducer_of
from stage2fuzz.confirm.session import Answer, Confirmation, confirm
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
    chosen = kernel or tree
    alone = reproducer is not None and forces_itself(loaded)
    if reproducer is not None and alone:
        _offer(reproducer, reproducer_alone(loaded, what, run_apart))
        if chosen is None:
            return
    wanted = oracle or (finding.oracle if finding is not None else "")
    subject = prepare(loaded, what, wanted, run_apart)
    if reproducer is not None and not alone:
        _offer(reproducer, reproducer_of(subject.rules, what))
    if chosen is None:
        return
    find_qemu()  # before minutes of building
    with ProgressLine(as_json) as progress:
        image = _image(chosen, progress)
        other = None if fixed is None else _image(fixed, progress)
        done = confirm(image, subject, times, progress.update)
        if finding is not None:
            _keep(database, finding.id, done)
        control, failed = _control(other, subject, times, progress)
    if as_json:
        emit(record(subject, done, control))
    else:
        out = console()
        for line in tell(what, subject, done, control, stacks):
            out.print(line, markup=False, soft_wrap=True)
    if failed is not None:
        raise failed
    raise typer.Exit(EXITS[done.answer])


def _check(kernel: Path | None, tree: Path | None, reproducer: Path | None, times: int) -> None:
    if kernel is not None and tree is not None:
        raise InputError("--tree", "given beside --kernel", "one of the two")
    if (kernel or tree or reproducer) is None:
        raise InputError("--kernel", "missing", "the image to boot; docs/real-kernel.md says which")
    if not 1 <= times <= MAX_TIMES:
        raise InputError("--times", f"{times} is out of range", f"1 to {MAX_TIMES}")


def _control(
    image: Path | None, subject: Subject, times: int, progress: ProgressLine
) -> tuple[Confirmation | None, InputError | None]:
    """The same on the kernel that should not show it; why it could not be had, once it was tried.

    What the first kernel said is told either way.
    """
    if image is None:
        return None, None
    try:
        return confirm(image, subject, times, progress.update), None
    except InputError as error:
        return None, error


def _offer(target: Path, program: Path) -> None:
    """Write the program, and say how it is built and run."""
    write(target, program.read_text())
    print(f"{target}: {COMMAND.format(file=target.name)}", file=sys.stderr)


def _keep(database: str, number: int, done: Confirmation) -> None:
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
