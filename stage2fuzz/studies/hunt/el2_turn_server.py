"""Takes turns on EL2 until there are no more: ``python -m ... LIBRARY FD JUDGE``.

As ``turn_server``; the library brings a judge of its own, so JUDGE counts for nothing.
"""

import sys
from pathlib import Path

from stage2fuzz.hyp.adapter import encode, suspicion_of
from stage2fuzz.kernel.native import Native
from stage2fuzz.studies.hunt.turn import take
from stage2fuzz.studies.hunt.turn_server import take_turns


def main(library: str, place: str, _: str) -> None:
    """Take turns until there are no more."""
    native = Native(Path(library), encode)
    judging = suspicion_of(native)
    take_turns(native, place, lambda turn: take(native, turn, judging=judging))


if __name__ == "__main__":
    main(*sys.argv[1:])
