"""stage2fuzz compare: the check for "no functional change" between two trees, or two engines."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from stage2fuzz.case.scenario import Scenario
from stage2fuzz.case.text import format_case
from stage2fuzz.cli.guarded import run_guarded
from stage2fuzz.cli.named import load
from stage2fuzz.cli.options import Json, check_range
from stage2fuzz.cli.output import emit, say
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.cli.streams import complain
from stage2fuzz.engine import engine_of
from stage2fuzz.errors import InputError
from stage2fuzz.fuzz.outbox import write_whole
from stage2fuzz.process.life import alive
from stage2fuzz.studies.compare import Headway, compare
from stage2fuzz.studies.comparison import Change, Comparison

MAX_SECONDS = 24 * 3600
SHOWN = 10
Cases = Literal["sequential", "switched", "both"]


def compare_engines(
    cases: Annotated[list[Path] | None, typer.Argument(help="Case files to compare on.")] = None,
    engine: Annotated[list[str] | None, typer.Option(help="Given twice: BEFORE and AFTER.")] = None,
    seconds: Annotated[int, typer.Option(help="Without case files: how long to compare.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of scenarios and schedules.")] = 1,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the cases of each difference.")
    ] = None,
    real: Annotated[
        Path | None,
        typer.Option(metavar="IMAGE", help="Compare one engine with this kernel, under QEMU."),
    ] = None,
    kind: Annotated[
        Cases, typer.Option(help="With --real: one thread after another, or switched inside.")
    ] = "both",
    as_json: Json = False,
) -> None:
    """Compare two trees, or any two engines, BEFORE and AFTER, by what can happen in each."""
    if real is not None:
        _with_a_real_kernel(cases, engine or [], real, seconds, seed, output, kind, as_json)
    if engine is None or len(engine) != 2:
        raise InputError("--engine", "must be given twice", "--engine A --engine B")
    check_range("--seconds", seconds, 1, MAX_SECONDS)
    pair = (engine[0], engine[1])
    arguments = [f"--engine={name}" for name in pair] + [f"--seconds={seconds}", f"--seed={seed}"]
    arguments += [] if output is None else [f"--output={output}"]
    arguments += ["--json"] * as_json + [str(path) for path in cases or ()]
    run_guarded("compare", pair, ["compare", *arguments], quiet=as_json)
    scenarios = [load(str(path), None).scenario for path in cases or ()]
    found = _compared(pair, seconds, scenarios, seed, as_json)
    if output is not None:
        _write(output, found)
    if as_json:
        emit(found.to_record())
    else:
        _print(found, output)
    for line in () if as_json or found.differences else found.missing:
        complain(f"stage2fuzz: inconclusive: {line}")
    if found.untried and not as_json:
        say("--seconds more, or --output FOLDER and its untried-N-after.case, tries them further")
    raise typer.Exit(found.exit_code)


def _compared(
    pair: tuple[str, str], seconds: int, scenarios: Sequence[Scenario], seed: int, quiet: bool
) -> Comparison:
    """The comparison, with its progress shown."""
    with ProgressLine(quiet) as progress:

        def hear(headway: Headway) -> None:
            alive()
            line = f"{headway.runs:,} schedules of each, {headway.differences} differences"
            progress.update(line, headway.done)

        return compare(*pair, seconds=seconds, scenarios=scenarios, seed=seed, progress=hear)


def _with_a_real_kernel(
    cases: list[Path] | None,
    engine: list[str],
    image: Path,
    seconds: int,
    seed: int,
    output: Path | None,
    kind: Cases,
    as_json: bool,
) -> None:
    """What ``--real`` asks for; it ends the command."""
    if cases or len(engine) != 1:
        raise InputError("--real", "takes one --engine and draws its own cases", "no case files")
    if not 1 <= seconds <= MAX_SECONDS:
        raise InputError("--seconds", f"{seconds} is out of range", f"1 to {MAX_SECONDS}")
    from stage2fuzz.cli.real import SEQUENTIAL_SHARE, compare_real

    engine_of(engine[0])
    shares = {"sequential": 1.0, "switched": 0.0, "both": SEQUENTIAL_SHARE}
    compare_real(engine[0], image, seconds, seed, shares[kind], output, as_json)


def _print(found: Comparison, output: Path | None) -> None:
    """The figures, then each difference with a run of AFTER that shows it."""
    say(
        f"{found.runs:,} schedules of {found.scenarios:,} scenarios on each: "
        + (f"{len(found.differences)} differences" if found.differences else "no difference")
    )
    for number, each in enumerate(found.differences[:SHOWN], 1):
        say(f"\n{number}. {each.change}, {each.topic}: {each.verdict}", indent="   ")
        shown = each.before if each.change is Change.LOST_VIOLATION else each.after
        text = "" if shown is None else format_case(shown)
        print("".join(f"     {line}\n" for line in text.splitlines()[1:-1]), end="")
    left = len(found.differences) - SHOWN
    if left > 0 and output is None:
        say(f"\n{left} more differences; --output FOLDER keeps the cases of each")


def _write(folder: Path, found: Comparison) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, several in (("difference", found.differences), ("untried", found.untried)):
            for number, each in enumerate(several, 1):
                for side, case in (("before", each.before), ("after", each.after)):
                    if case is not None:
                        path = folder / f"{name}-{number}-{side}.case"
                        write_whole(path, format_case(case))
    except OSError as error:
        raise InputError(str(folder), error.strerror or "cannot be written") from None
