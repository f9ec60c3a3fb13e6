"""Takes turns on a model: ``python -m ... ENGINE``; ``explorer`` is the other end."""

import sys
import time
from collections.abc import Iterator

from stage2fuzz.engine import engine_of
from stage2fuzz.process.frames import Frame
from stage2fuzz.process.serve import serve
from stage2fuzz.run import judge_run
from stage2fuzz.studies.hunt.turn import FirstShowing, Turn, TurnResult, parse_turn, to_answer
from stage2fuzz.studies.series import scheduler


def take(name: str, turn: Turn) -> TurnResult:
    """Run and judge a turn's schedules, the series' strategies in turn."""
    engine, done = engine_of(name), TurnResult()
    for number in range(turn.schedules):
        trace = engine.run(turn.scenario, scheduler(turn.seed + number))
        done.runs += 1
        done.inconclusive += trace.ended == "limit"
        for violation in judge_run(engine, turn.scenario, trace):
            done.seen[violation.signature] = done.seen.get(violation.signature, 0) + 1
            if violation.signature not in done.found:
                done.found[violation.signature] = FirstShowing(violation, trace.schedule, done.runs)
        if time.monotonic() > turn.until:
            break
    done.classes = done.judged = done.runs
    return done


def main(name: str) -> None:
    """Take turns until there are no more."""

    def answers(question: Frame) -> Iterator[Frame]:
        turn = parse_turn(question)
        yield to_answer(take(name, turn), turn.scenario)

    serve(answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
