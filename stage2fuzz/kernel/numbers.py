"""The C side's numbers, written from the Python modules that own them: one source of truth.

The table of events goes over as lists that fold.c and features.c expand, each with macros of its
own for the places, conditions and labels that a row may name: a row that names one they do not
know does not compile, and a kind that is in no row does not exist.
"""

from stage2fuzz import arch, events
from stage2fuzz.arch import GRANULE_4K, TranslationGranule
from stage2fuzz.case import el2, scenario
from stage2fuzz.event_kind import EventKind, Hearing
from stage2fuzz.events import KINDS

PREFIX = "S2_"


def header(granule: TranslationGranule = GRANULE_4K) -> str:
    """The text of numbers.h: event kinds, flags, error numbers, limits, operations, addresses.

    What depends on the size of pages is that of ``granule``: strides of the scenario are numbers of
    pages of 4 KiB.
    """
    values: dict[str, int] = {}
    for module in (events, arch, scenario, el2):
        for name, value in vars(module).items():
            if name.isupper() and isinstance(value, int):
                values[name] = int(value)
    for member in scenario.Op:
        values[f"OP_{member.name}"] = int(member)
    for backing in scenario.Backing:
        values[f"BACKING_{backing.name}"] = int(backing)
    for grant in scenario.Host:
        values[f"GRANT_{grant.name}"] = int(grant)
    for call in el2.HypOp:
        values[f"HYP_OP_{call.name}"] = int(call)
    for choice in scenario.Tlb:
        values[f"TLB_{choice.name}"] = int(choice)
    values |= {
        "KINDS": max(KINDS) + 1,
        "MOST_MEETINGS": max(len(kind.meets) for kind in KINDS.values()),
    }
    larger = granule.page_shift - arch.PAGE_SHIFT
    values |= {
        "PAGE_SHIFT": granule.page_shift,
        "PAGE_SIZE": granule.page_size,
        "PAGE_MASK": -granule.page_size,
        "ENTRIES": granule.entries,
        "MOVE_STRIDE": scenario.MOVE_STRIDE << larger,
        "GENERATION_STRIDE": scenario.GENERATION_STRIDE << larger,
    }
    lines = [f"#define {PREFIX}{name} {_literal(value)}" for name, value in values.items()]
    return "/* Written by stage2fuzz/kernel/numbers.py. */\n" + "\n".join(lines) + "\n" + _table()


def _table() -> str:
    """The table of events: cases for switches, meetings and features as macro calls."""
    meetings = [
        f"{_case(kind)} "
        + "".join(f"MEET({at.place.name}, {at.side.name}, {at.when.name}) " for at in kind.meets)
        + "break;"
        for kind in KINDS.values()
    ]
    features = [
        f"FEATURE({kind.number}, {kind.feature.code}, {kind.feature.label.name})"
        for kind in KINDS.values()
        if kind.feature is not None
    ]
    lists = {
        f"CASES_{heard.name}": [_case(kind) for kind in KINDS.values() if kind.heard is heard]
        for heard in (Hearing.WHEN_FREED, Hearing.NEVER)
    } | {"MEETINGS(MEET)": meetings, "FEATURES(FEATURE)": features}
    joint = " \\\n\t"
    return "".join(
        f"#define {PREFIX}{name}{joint}{joint.join(rows)}\n" for name, rows in lists.items()
    )


def _case(kind: EventKind) -> str:
    return f"case {kind.number}: /* {kind.name} */"


def _literal(value: int) -> str:
    return str(value) if abs(value) < 1 << 31 else f"{value:#x}UL"
