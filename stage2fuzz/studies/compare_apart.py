"""compare_apart: compare in a confined process, for whoever keeps findings or serves others.

The command line runs as a whole in a confined process and compares there; a library's user has
this in place of that.
"""

from collections.abc import Iterable
from contextlib import closing
from typing import Any, Final

from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Scenario
from stage2fuzz.case.text import format_case
from stage2fuzz.engine import engine_of
from stage2fuzz.errors import InputError, ModelError
from stage2fuzz.process.checked import count
from stage2fuzz.process.child import Child
from stage2fuzz.process.end import DiedError
from stage2fuzz.process.limits import Limits
from stage2fuzz.studies.compare import Headway, HeadwayReader, nobody
from stage2fuzz.studies.comparison import Comparison, read_comparison

SERVER: Final = "stage2fuzz.studies.compare_server"
GRACE_SECONDS: Final = 120.0
"""Beyond the time asked for: to start, to open engines, to try what is suspected at the end."""


def compare_apart(
    before: str,
    after: str,
    *,
    seconds: float = 20.0,
    scenarios: Iterable[Scenario] = (),
    seed: int = 1,
    progress: HeadwayReader = nobody,
) -> Comparison:
    """``compare`` in a confined process.

    InputError where an engine can't be opened. A process that the code of a tree takes down, or
    that answers what makes no sense, leaves a comparison that is inconclusive and says so.
    """
    for name in (before, after):
        engine_of(name)
    question = {
        "do": "compare",
        "before": before,
        "after": after,
        "seconds": seconds,
        "scenarios": [format_case(Case(before, each)) for each in scenarios],
        "seed": seed,
    }
    cpu = int(seconds + GRACE_SECONDS)
    lost = Comparison(before, after, 0, 0, seconds, ())
    with closing(Child(SERVER, limits=Limits(cpu=cpu))) as child:
        try:
            for answer in child.ask(question, seconds + GRACE_SECONDS):
                if "comparison" in answer:
                    return read_comparison(answer["comparison"])
                progress(_headway(answer))
        except DiedError as died:
            return _without(lost, str(died))
        except (ValueError, LookupError, TypeError, InputError):
            return _without(lost, "the comparing process answered what makes no sense")
    raise ModelError("the comparing process ended without a comparison")


def _headway(answer: dict[str, Any]) -> Headway:
    done = float(answer["done"])
    return Headway(min(1.0, max(0.0, done)), count(answer["runs"]), count(answer["differences"]))


def _without(lost: Comparison, why: str) -> Comparison:
    return Comparison(lost.before, lost.after, 0, 0, lost.seconds, (), (why,))
