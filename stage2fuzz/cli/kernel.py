"""``stage2fuzz kernel``: build a tree, plant faults in a copy of it, measure it."""

from dataclasses import asdict

import typer

from stage2fuzz.cli import bench, hunt, mutants
from stage2fuzz.cli.common import Json, console, emit
from stage2fuzz.cli.trees import Cache, Tree, prepared

app = typer.Typer(
    help="The user's own kernel code as an engine.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("build")
def build_tree(tree: Tree, cache: Cache = None, as_json: Json = False) -> None:
    """Build the engine of TREE, prove it, and say what is the user's code and what is modelled."""
    library, engine = prepared(tree, cache)
    if as_json:
        emit(
            {
                "key": library.key,
                "compiler": library.compiler,
                "library": str(library.path),
                "probes": library.probes,
                "yours": list(library.real),
                "modelled": list(library.modelled),
                "rules": asdict(engine.rules),
            }
        )
        return
    out = console()
    out.print(f"key       {library.key}{' (from the cache)' if library.cached else ''}")
    out.print(f"compiler  {library.compiler}")
    out.print(f"found     {', '.join(sorted(library.has)) or 'no feature beyond the oldest'}")
    out.print("yours, unmodified:")
    for name in library.real:
        out.print(f"  {name}")
    out.print("modelled, not yours:")
    for name in library.modelled:
        out.print(f"  {name}")
    out.print("proved    plain loads are announced, the smoke program finishes every access")


app.command("mutants")(mutants.mutants)
app.command("explore")(hunt.explore)
app.command("bench")(bench.bench)
