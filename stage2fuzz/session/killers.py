"""Killers: the inputs that ended a fuzzing process, by its own word or by another process's.

A process that died by itself died of what it ran. One that got SIGKILL, or that had to be ended
because it hung, may have been the victim of others, whatever it was at: there the input it was at
is run once more in a process of its own, and is a killer if that one ends as well.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stage2fuzz.fuzz.outbox import Outbox
from stage2fuzz.process.end import End, How
from stage2fuzz.process.life import stall_seconds
from stage2fuzz.session.case_asker import CaseAsker

ALONE_SECONDS: Final = 30.0
"""For one input alone; a run takes milliseconds, the start of the process most of the time."""


def killers(
    outbox: Outbox, artifacts: Path, end: End, asker: CaseAsker, engine: str, target: str
) -> Sequence[tuple[str, bytes]]:
    """(how, input) of what ended the process that wrote ``outbox``; empty where no input did."""
    found = outbox.killers(artifacts, end.code)
    suspect = outbox.running()
    if found or suspect is None:
        return found
    alone = end_alone(asker, engine, target, suspect)
    if alone is None:
        return []
    return [("timeout" if alone.how is How.TIMEOUT else "crash", suspect)]


def end_alone(asker: CaseAsker, engine: str, target: str, data: bytes) -> End | None:
    """How an input ends a process that has nobody else's enemies; None where it does not."""
    with tempfile.NamedTemporaryFile(prefix="stage2fuzz-input-") as file:
        file.write(data)
        file.flush()
        path, seconds = Path(file.name), stall_seconds(ALONE_SECONDS)
        return asker.features(engine, target, [path], seconds, judging=True)[1].get(path)
