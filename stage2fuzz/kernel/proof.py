"""The stage-2 engine of a tree, built and proved in a confined process (``confined``)."""

from functools import partial
from pathlib import Path
from typing import Final

from stage2fuzz.arch import GRANULE_4K, TRANSLATION_GRANULES, TranslationGranule
from stage2fuzz.kernel.build import Library, find
from stage2fuzz.kernel.confined import ConfinedBuild

_STAGE2: Final = {
    granule.name: ConfinedBuild(
        "stage2fuzz.kernel.proof_server", partial(find, granule=granule), (granule.name,)
    )
    for granule in TRANSLATION_GRANULES
}


def proved(
    tree: Path, cache: Path | None = None, granule: TranslationGranule = GRANULE_4K
) -> Library:
    """The engine of ``tree`` for that page size, built and proved (``ConfinedBuild.proved``)."""
    return _STAGE2[granule.name].proved(tree, cache)


def built(
    tree: Path, cache: Path | None = None, granule: TranslationGranule = GRANULE_4K
) -> Library:
    """The same, believed without a proof (``ConfinedBuild.built``)."""
    return _STAGE2[granule.name].built(tree, cache)
