"""What the commands on a kernel tree share: how one is named, built and proved."""

from pathlib import Path
from typing import Annotated

import typer

from stage2fuzz.case.limits import check_engine
from stage2fuzz.kernel.adapter import KernelEngine
from stage2fuzz.kernel.build import Library
from stage2fuzz.kernel.proof import proved

Tree = Annotated[Path, typer.Argument(help="A Linux tree, or a folder with its arch/arm64.")]
Cache = Annotated[Path | None, typer.Option(help="Where built libraries are kept.")]


def prepared(tree: Path, cache: Path | None) -> tuple[Library, KernelEngine]:
    """The engine of a tree, built and proved; InputError where it does not fit or makes no way."""
    check_engine(f"kernel:{tree}", "TREE")  # or no finding of it could be written down
    library = proved(tree, cache)
    return library, KernelEngine(library)
