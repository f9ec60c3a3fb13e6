"""Fuzz targets: thin scripts over ``stage2fuzz.fuzz.harness``, and the only users of Atheris."""

from typing import Final

TARGETS: Final = (
    "map_race",
    "permission_mix",
    "dirty_logging",
    "notifier",
    "block_split",
    "lifecycle",
)
"""The names that a session fuzzes in turn; each is a file of this folder."""
EL2_TARGETS: Final = ("hypercalls",)
"""Those of the engine of pKVM, which runs no case of the others."""
NESTED: Final = "nested"
"""That of guests which run guests: for trees whose ``nested.c`` is a unit of the build."""
CANARY: Final = "canary"
"""The one with a planted bug: it shows that a set-up finds what there is."""
