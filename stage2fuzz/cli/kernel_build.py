"""``stage2fuzz kernel build``: a tree becomes an engine, or it is said why not."""

from dataclasses import asdict

from stage2fuzz.arch import GRANULE_4K
from stage2fuzz.cli.options import Json
from stage2fuzz.cli.output import emit
from stage2fuzz.cli.trees import Cache, PageSize, Tree, granule_of, prepared
from stage2fuzz.engine import kernel_name
from stage2fuzz.hyp.opener import offer


def build_tree(
    tree: Tree, cache: Cache = None, pages: PageSize = "4k", as_json: Json = False
) -> None:
    """Build the engine of TREE, prove it, and say what is the user's code and what is modelled."""
    granule = granule_of(pages)
    library, engine = prepared(tree, cache, granule)
    small = granule is GRANULE_4K
    el2, lacking = offer(tree, cache) if small else ((), "only with pages of 4 KiB")
    if as_json:
        emit(
            {
                "key": library.key,
                "compiler": library.compiler,
                "pages": granule.name,
                "library": str(library.path),
                "probes": library.probes,
                "yours": list(library.real),
                "modelled": list(library.modelled),
                "rules": asdict(engine.rules),
                "el2": list(el2),
                "el2_lacks": lacking,
            }
        )
        return
    print(f"key       {library.key}{' (from the cache)' if library.cached else ''}")
    print(f"compiler  {library.compiler}")
    print(f"engine    {kernel_name(tree, granule)}")
    print(f"found     {', '.join(sorted(library.has)) or 'no feature beyond the oldest'}")
    print("yours, unmodified:")
    for name in library.real:
        print(f"  {name}")
    print("modelled, not yours:")
    for name in library.modelled:
        print(f"  {name}")
    print("proved    plain loads are announced, the smoke program finishes every access")
    if lacking:
        print(f"EL2       not built: {lacking}")
        return
    print(f"EL2 of pKVM, unmodified, as the engine hyp:{tree}:")
    for name in el2:
        print(f"  {name}")
    print(
        "proved    EL2 starts, its own check of ownership says nothing, the smoke program succeeds"
    )
