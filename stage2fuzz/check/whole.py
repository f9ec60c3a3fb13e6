"""All that a check looks at: stage 2, and EL2 of pKVM where a patch touches it."""

from collections.abc import Sequence

from stage2fuzz.check.beyond import el2_of, unseen
from stage2fuzz.check.check import Check, CheckRequest, Say
from stage2fuzz.check.result import CheckResult
from stage2fuzz.check.version import Version
from stage2fuzz.errors import InputError


def check_whole(versions: Sequence[Version], request: CheckRequest, say: Say) -> list[CheckResult]:
    """The check of stage 2, which also says what nobody looked at, and that of EL2 if there is one.

    InputError where the base can't be built; where its EL2 alone can't, that is a shortfall.
    """
    stage2 = Check(versions, request, say).run()
    built = [row.version for row in stage2.rows]
    el2 = el2_of(built)
    results = [stage2]
    if el2:
        try:
            results.append(Check(el2, request, lambda what, done: say(f"EL2: {what}", done)).run())
        except InputError as error:
            stage2.shortfalls.append(f"EL2: {error}")
    looked = [row.version for result in results for row in result.rows]
    stage2.unseen = unseen(built, looked)
    return results
