"""What there is: engines, oracles, targets."""

from stage2fuzz.cli.options import Json
from stage2fuzz.cli.output import emit
from stage2fuzz.cli.terminal import console, table
from stage2fuzz.engine import ENGINES
from stage2fuzz.fuzz_targets import TARGETS
from stage2fuzz.model.planted import MUST_CATCH
from stage2fuzz.model.revision import NAMED, PATCHES
from stage2fuzz.oracles import CATALOGUE


def engines(as_json: Json = False) -> None:
    """List the model's revisions and its planted bugs."""
    bugs = {name.replace("_", "-"): list(oracles) for name, oracles in MUST_CATCH.items()}
    if as_json:
        emit({"revisions": list(NAMED), "patches": list(PATCHES), "planted": bugs})
        return
    out = console()
    out.print("model:REVISION  ", ", ".join(NAMED))
    out.print("model:v5.10+p1+p2+p3, any subset: the patches of the series")
    out.print("model:REVISION!BUG, any number: planted bugs, each with who must catch it:")
    rows = table("bug", "oracles", fold="oracles", head=False)
    for name, oracles_of_bug in bugs.items():
        rows.add_row(f"  {name}", " or ".join(oracles_of_bug))
    out.print(rows)
    for name, kind in ENGINES.items():
        if name != "model":
            out.print(f"{f'{name}:{kind.operand}':16}{kind.about}")


def oracles(as_json: Json = False) -> None:
    """List the oracles: what each promises."""
    if as_json:
        emit([dict(zip(("id", "rule", "category", "why"), row, strict=True)) for row in CATALOGUE])
        return
    rows = table("oracle", "rule", "category", "promises", fold="promises")
    for identifier, rule, category, why in CATALOGUE:
        rows.add_row(identifier, rule, str(category), why)
    console().print(rows)


def targets(as_json: Json = False) -> None:
    """List the fuzz targets."""
    if as_json:
        emit(list(TARGETS))
    else:
        console().print("\n".join(TARGETS))
