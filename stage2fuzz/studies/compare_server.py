"""The confined process that compares two engines; ``compare_apart`` is the other end."""

import time
from collections.abc import Iterator

from stage2fuzz.case.text import parse
from stage2fuzz.process.frames import Frame
from stage2fuzz.process.serve import serve
from stage2fuzz.studies.compare import Headway, comparing
from stage2fuzz.studies.comparison import Comparison

PROGRESS_SECONDS = 0.5


def answers(question: Frame) -> Iterator[Frame]:
    """Compare: how far it is, now and then, and the comparison at last."""
    scenarios = [parse(text, "scenario").scenario for text in question["scenarios"]]
    told = 0.0
    course = comparing(
        question["before"],
        question["after"],
        seconds=question["seconds"],
        scenarios=scenarios,
        seed=question["seed"],
    )
    for step in course:
        if isinstance(step, Comparison):
            yield {"comparison": step.to_record()}
        elif time.monotonic() > told + PROGRESS_SECONDS:
            told = time.monotonic()
            yield _progress(step)


def _progress(step: Headway) -> Frame:
    return {"done": step.done, "runs": step.runs, "differences": step.differences}


if __name__ == "__main__":
    serve(answers)
