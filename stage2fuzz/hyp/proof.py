"""EL2 of a tree, built and proved in a confined process (``kernel.confined``)."""

from typing import Final

from stage2fuzz.hyp.build import find
from stage2fuzz.kernel.confined import ConfinedBuild

_EL2: Final = ConfinedBuild("stage2fuzz.hyp.proof_server", find)
proved: Final = _EL2.proved
built: Final = _EL2.built
