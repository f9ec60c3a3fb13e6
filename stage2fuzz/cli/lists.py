"""What there is: engines, oracles, targets."""

from stage2fuzz.cli.options import Json
from stage2fuzz.cli.output import emit, say
from stage2fuzz.cli.tables import Table
from stage2fuzz.engine import ENGINES
from stage2fuzz.fuzz_targets import TARGETS
from stage2fuzz.model.planted import MUST_CATCH
from stage2fuzz.model.revision import NAMED, PATCHES
from stage2fuzz.oracles.catalogue import CATALOGUE


def engines(as_json: Json = False) -> None:
    """List the model's revisions and its planted bugs."""
    bugs = {name.replace("_", "-"): list(oracles) for name, oracles in MUST_CATCH.items()}
    if as_json:
        emit({"revisions": list(NAMED), "patches": list(PATCHES), "planted": bugs})
        return
    say(f"model:REVISION  {', '.join(NAMED)}", indent=" " * 16)
    say("model:v5.10+p1+p2+p3, any subset: the patches of the series")
    say("model:REVISION!BUG, any number: planted bugs, each with the oracles that must catch it:")
    rows = Table("bug", "oracles", fold=True, head=False)
    for name, oracles_of_bug in bugs.items():
        rows.add(f"  {name}", " or ".join(oracles_of_bug))
    rows.show()
    for name, kind in ENGINES.items():
        if name != "model":
            say(f"{f'{name}:{kind.operand}':16}{kind.about}")


def oracles(as_json: Json = False) -> None:
    """List the oracles: what each promises."""
    if as_json:
        emit([dict(zip(("id", "rule", "category", "why"), row, strict=True)) for row in CATALOGUE])
        return
    rows = Table("oracle", "rule", "category", "promises", fold=True)
    for row in CATALOGUE:
        rows.add(*row)
    rows.show()


def targets(as_json: Json = False) -> None:
    """List the fuzz targets."""
    if as_json:
        emit(list(TARGETS))
    else:
        print("\n".join(TARGETS))
