"""stage2fuzz compare: what two engines do differently, and in which interleaving."""

import re
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from stage2fuzz.case.codec import CHOICES_AT, decode, newest
from stage2fuzz.case.profile import PROFILES
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.case.text import format_case, read_case
from stage2fuzz.cli.exits import FOUND, INCONCLUSIVE
from stage2fuzz.cli.guarded import run_guarded
from stage2fuzz.cli.options import Json, check_range
from stage2fuzz.cli.output import emit, say
from stage2fuzz.cli.progress import ProgressLine
from stage2fuzz.engine import engine_of
from stage2fuzz.errors import InputError
from stage2fuzz.fuzz.outbox import write_whole
from stage2fuzz.process.life import alive
from stage2fuzz.studies.compare import EngineDifference, compare

MAX_SECONDS = 24 * 3600
SCHEDULES_A_CASE = 50
SHOWN = 10


def compare_engines(
    cases: Annotated[list[Path] | None, typer.Argument(help="Case files to compare on.")] = None,
    engine: Annotated[list[str] | None, typer.Option(help="Given twice: the two engines.")] = None,
    seconds: Annotated[int, typer.Option(help="Without case files: how long to compare.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of scenarios and schedules.")] = 1,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the first case of each difference.")
    ] = None,
    real: Annotated[
        Path | None,
        typer.Option(metavar="IMAGE", help="Compare one engine with this kernel, under QEMU."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare two engines, or two trees: the first difference of meaning in each run."""
    if real is not None:
        _with_a_real_kernel(cases, engine or [], real, seconds, seed, output, as_json)
    if engine is None or len(engine) != 2:
        raise InputError("--engine", "must be given twice", "--engine A --engine B")
    check_range("--seconds", seconds, 1, MAX_SECONDS)
    pair = (engine[0], engine[1])
    arguments = [f"--engine={name}" for name in pair] + [f"--seconds={seconds}", f"--seed={seed}"]
    arguments += [] if output is None else [f"--output={output}"]
    arguments += ["--json"] * as_json + [str(path) for path in cases or ()]
    run_guarded("compare", pair, ["compare", *arguments], quiet=as_json)
    for name in pair:
        engine_of(name)
    found: dict[str, list[EngineDifference]] = {}
    total = 0
    begun = time.monotonic()
    with ProgressLine(as_json) as progress:
        work = _of_cases(cases, seed) if cases else _random(pair[0], seconds, seed)
        for scenario, number in work:
            difference = compare(*pair, scenario, number)
            alive()
            total += 1
            if difference is not None:
                found.setdefault(_group(difference), []).append(difference)
            if total % 20 == 0:
                different = sum(len(each) for each in found.values())
                whole = len(cases) * SCHEDULES_A_CASE if cases else 0
                done = total / whole if whole else min(1.0, (time.monotonic() - begun) / seconds)
                line = f"{total} schedules, {different} differ in {len(found)} ways"
                progress.update(line, done)
    firsts = [min(each, key=_size) for each in found.values()]
    if output is not None:
        _write(output, firsts, pair)
    if as_json:
        emit({"schedules": total, "differences": [_record(each, pair) for each in firsts]})
    else:
        _print(total, list(found.values()), pair)
    raise typer.Exit(FOUND if found else 0 if total else INCONCLUSIVE)


def _with_a_real_kernel(
    cases: list[Path] | None,
    engine: list[str],
    image: Path,
    seconds: int,
    seed: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """What ``--real`` asks for; it ends the command."""
    if cases or len(engine) != 1:
        raise InputError("--real", "takes one --engine and draws its own cases", "no case files")
    if not 1 <= seconds <= MAX_SECONDS:
        raise InputError("--seconds", f"{seconds} is out of range", f"1 to {MAX_SECONDS}")
    from stage2fuzz.cli.real import compare_real  # noqa: PLC0415  (only here needs QEMU's parts)

    engine_of(engine[0])
    compare_real(engine[0], image, seconds, seed, output, as_json)


def _of_cases(paths: list[Path], seed: int) -> Iterator[tuple[Scenario, int]]:
    for path in paths:
        scenario = read_case(path).scenario
        for number in range(SCHEDULES_A_CASE):
            yield scenario, seed + number


def _random(engine: str, seconds: int, seed: int) -> Iterator[tuple[Scenario, int]]:
    end, names = time.monotonic() + seconds, tuple(PROFILES)
    for number in count(seed):
        if time.monotonic() > end:
            return
        data = Random(number).randbytes(CHOICES_AT)
        profile = PROFILES[names[number % len(names)]]
        yield decode(newest(data), engine, profile).scenario, number


def _group(difference: EngineDifference) -> str:
    """Differences of one kind have the same words but for addresses."""
    topic = difference.topic.split()[0]
    return f"{topic}: " + re.sub(r"0x[0-9a-f]+", "0x", f"{difference.one} | {difference.other}")


def _size(difference: EngineDifference) -> int:
    return len(repr(difference.scenario))


def _print(total: int, groups: list[list[EngineDifference]], pair: tuple[str, str]) -> None:
    different = sum(len(each) for each in groups)
    print(f"{total:,} schedules: {total - different:,} the same, {different:,} not")
    groups.sort(key=len, reverse=True)
    for group in groups[:SHOWN]:
        first = min(group, key=_size)
        print(f"\n{len(group)} times, {first.topic}, step {first.step}:")
        say(f"  {pair[0]}: {first.one}", indent="    ")
        say(f"  {pair[1]}: {first.other}", indent="    ")
        text = format_case(first.cases(pair)[1])
        print("".join(f"    {line}\n" for line in text.splitlines()[1:-1]), end="")
    if len(groups) > SHOWN:
        print(f"\n{len(groups) - SHOWN} more ways; --output FOLDER keeps a case of each")


def _record(difference: EngineDifference, pair: tuple[str, str]) -> dict[str, object]:
    return {
        "topic": difference.topic,
        "step": difference.step,
        "one": difference.one,
        "other": difference.other,
        "cases": [format_case(case) for case in difference.cases(pair)],
    }


def _write(folder: Path, firsts: list[EngineDifference], pair: tuple[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, each in enumerate(firsts, 1):
            for side, case in zip(("one", "other"), each.cases(pair), strict=True):
                write_whole(folder / f"difference-{number}-{side}.case", format_case(case))
    except OSError as error:
        raise InputError(str(folder), error.strerror or "cannot be written") from None
