"""The stage-2 engine of a tree, built and proved in a confined process (``confined``)."""

from typing import Final

from stage2fuzz.kernel.build import find
from stage2fuzz.kernel.confined import ConfinedBuild

_STAGE2: Final = ConfinedBuild("stage2fuzz.kernel.proof_server", find)
proved: Final = _STAGE2.proved
built: Final = _STAGE2.built
