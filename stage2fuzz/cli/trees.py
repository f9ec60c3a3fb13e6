"""What the commands on a kernel tree share: how one is named, built and proved."""

from pathlib import Path
from typing import Annotated

import typer

from stage2fuzz.arch import (
    GRANULE_4K,
    TRANSLATION_GRANULES,
    TranslationGranule,
    granule_named,
)
from stage2fuzz.case.limits import check_engine
from stage2fuzz.engine import kernel_name
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import Library
from stage2fuzz.kernel.proof import proved

Tree = Annotated[Path, typer.Argument(help="A Linux tree, or a folder with its arch/arm64.")]
Cache = Annotated[Path | None, typer.Option(help="Where built libraries are kept.")]
PageSize = Annotated[str, typer.Option("--pages", help="Page size of the kernel: 4k, 16k or 64k.")]


def granule_of(pages: str) -> TranslationGranule:
    """The granule of an option ``--pages``."""
    try:
        return granule_named(pages.lower())
    except KeyError:
        right = " or ".join(each.name for each in TRANSLATION_GRANULES)
        raise InputError("--pages", pages[:40], right) from None


def prepared(
    tree: Path, cache: Path | None, granule: TranslationGranule = GRANULE_4K
) -> tuple[Library, KernelEngine]:
    """The engine of a tree, built and proved; InputError where it does not fit or makes no way."""
    check_engine(kernel_name(tree, granule), "TREE")  # or no finding of it could be written down
    library = proved(tree, cache, granule)
    return library, KernelEngine(library)
