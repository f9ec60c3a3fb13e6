"""A confirmation in words, and as a record for programs."""

from collections.abc import Iterator

from stage2fuzz.arch import ACCESS_NAMES, FAULT_NAMES
from stage2fuzz.case.scenario import page_of
from stage2fuzz.case.text import format_case
from stage2fuzz.confirm.observe import Observation
from stage2fuzz.confirm.session import Answer, Confirmation, ForcedRun
from stage2fuzz.confirm.subject import Subject

SHOWN_FAULTS = 12


def tell(
    what: str, subject: Subject, done: Confirmation, control: Confirmation | None, stacks: bool
) -> Iterator[str]:
    """The lines for a person: the answer first, then the evidence."""
    yield f"{done.answer}: {what} on Linux {done.release}, {_counts(done)}"
    for verdict in subject.verdicts:
        yield f"  asked     {verdict}"
    if done.serial is not None:
        yield f"  control   one item after another: {_short(done.serial)}"
    if control is not None:
        yield f"  control   Linux {control.release}: {control.answer}, {_counts(control)}"
    if done.plan.lost:
        yield f"  schedule  {done.plan.lost} of its orders cannot be told by anchors"
    for number, run in enumerate(done.runs, 1):
        if run.answer is Answer.NOT_REACHED and run.forced.missed:
            yield f"  run {number}     {run.answer}: {run.forced.missed}"
    best = max(done.runs, key=lambda run: (run.answer is Answer.CONFIRMED, not run.forced.missed))
    yield f"  run {done.runs.index(best) + 1}     {_short(best)}"
    for held in best.forced.held:
        yield f"    {_thread(subject, held.thread)} ran to {held.stop}"
        if stacks and held.stack:
            names = [done.names.get(each, f"{each:#x}") for each in held.stack]
            yield f"      {' < '.join(dict.fromkeys(names))}"
    if best.forced.missed:
        yield f"    stopped: {best.forced.missed}"
    yield from (f"    {line}" for line in _evidence(best.seen))


def _counts(done: Confirmation) -> str:
    parts = [f"{done.count(answer)} {answer}" for answer in Answer if done.count(answer)]
    return f"{len(done.runs)} run{'s' * (len(done.runs) != 1)}: {', '.join(parts)}"


def _short(run: ForcedRun) -> str:
    if run.shown:
        return "; ".join(f"{rule} {words}" for rule, words in run.shown.items())
    return run.forced.missed or "nothing of it"


def _thread(subject: Subject, thread: int) -> str:
    vcpus = len(subject.case.scenario.vcpus)
    return f"vCPU {thread}" if thread < vcpus else f"host {thread - vcpus}"


def _evidence(seen: Observation) -> Iterator[str]:
    for fault in seen.faults[:SHOWN_FAULTS]:
        name = FAULT_NAMES.get(fault.status, "other")
        yield (
            f"fault: vCPU {fault.thread} {ACCESS_NAMES[fault.kind]} of page "
            f"{page_of(fault.ipa):#x}, {name}, level {fault.level}"
        )
    failed = [item for item in seen.items if item.result < 0]
    for item in failed:
        yield f"item {item.index + 1} of thread {item.thread} ended with errno {-item.result}"
    if seen.items and not failed:
        yield f"all {len(seen.items)} accesses and operations succeeded"
    if len(seen.faults) > SHOWN_FAULTS:
        yield f"{len(seen.faults) - SHOWN_FAULTS} more faults"
    if not seen.traced:
        yield "the kernel has no tracefs: faults are not counted"
    for phase, rewrites in seen.rewrites.items():
        for each in rewrites:
            when = "after the race" if phase == "probe" else "once more, after a harvest"
            yield (
                f"{when}: {each.changed} pages of slot {each.slot} written, {each.lost} of them "
                f"in no log, {seen.counts.get(phase, 0)} faults"
            )
    for slot, pages in seen.dirty.items():
        yield f"dirty log of slot {slot}: {' '.join(map(str, pages[:20])) or 'empty'}"
    for line in seen.warnings:
        yield f"kernel log: {line.strip()}"


def record(subject: Subject, done: Confirmation, control: Confirmation | None) -> dict[str, object]:
    """The same as data."""
    return {
        "answer": str(done.answer),
        "case": format_case(subject.case),
        "asked": list(subject.verdicts),
        "rules": list(subject.rules),
        "steps": [f"{_thread(subject, s.thread)} to {s.stop}" for s in done.plan.steps],
        "lost_orders": done.plan.lost,
        "kernel": _kernel(done),
        "fixed": _kernel(control) if control is not None else None,
    }


def _kernel(done: Confirmation) -> dict[str, object]:
    return {
        "image": str(done.image),
        "release": done.release,
        "answer": str(done.answer),
        "serial": _run(done, done.serial) if done.serial is not None else None,
        "runs": [_run(done, run) for run in done.runs],
    }


def _run(done: Confirmation, run: ForcedRun) -> dict[str, object]:
    return {
        "answer": str(run.answer),
        "shown": run.shown,
        "missed": run.forced.missed,
        "held": [
            {
                "thread": held.thread,
                "stop": str(held.stop),
                "stack": [done.names.get(each, f"{each:#x}") for each in held.stack],
            }
            for held in run.forced.held
        ],
        "evidence": list(_evidence(run.seen)),
        "kernel_log": run.seen.log,
    }
