"""The C side's numbers, written from the Python modules that own them: one source of truth."""

from stage2fuzz import arch, events
from stage2fuzz.case import scenario

PREFIX = "S2_"


def header() -> str:
    """The text of numbers.h: event kinds, flags, error numbers, limits, operations, addresses."""
    values: dict[str, int] = {}
    for module in (events, arch, scenario):
        for name, value in vars(module).items():
            if name.isupper() and isinstance(value, int):
                values[name] = int(value)
    for member in scenario.Op:
        values[f"OP_{member.name}"] = int(member)
    for backing in scenario.Backing:
        values[f"BACKING_{backing.name}"] = int(backing)
    for grant in scenario.Host:
        values[f"GRANT_{grant.name}"] = int(grant)
    for choice in scenario.Tlb:
        values[f"TLB_{choice.name}"] = int(choice)
    lines = [f"#define {PREFIX}{name} {_literal(value)}" for name, value in values.items()]
    return "/* Written by stage2fuzz/kernel/numbers.py. */\n" + "\n".join(lines) + "\n"


def _literal(value: int) -> str:
    return str(value) if abs(value) < 1 << 31 else f"{value:#x}UL"
