"""stage2fuzz mcp: the verbs of a review, for bots, over standard input and output."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from stage2fuzz.cli.options import DATABASE_VARIABLE, Jobs, cores
from stage2fuzz.cli.stores import open_store
from stage2fuzz.errors import InputError


def mcp(
    allow: Annotated[
        list[Path] | None,
        typer.Option(help="A tree or repository that may be used, or a folder of them; again."),
    ] = None,
    jobs: Jobs = 0,
    database: Annotated[
        str | None, typer.Option(envvar=DATABASE_VARIABLE, help="Findings that may be read.")
    ] = None,
) -> None:
    """Answer review bots: replay a case, check commits, read findings. Nothing is written."""
    try:
        from stage2fuzz.web.tools import ReviewTools, review_server
    except ImportError as error:
        right = "pip install 'stage2fuzz[web]'"
        raise InputError("mcp", f"{error.name} is not installed", right) from None
    processes = cores(jobs)
    with ExitStack() as stack:
        store = stack.enter_context(open_store(database)) if database else None
        tools = ReviewTools(store, allow or (), processes)
        stack.callback(tools.close)
        review_server(tools).run("stdio")
