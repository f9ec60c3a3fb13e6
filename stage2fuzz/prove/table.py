"""The proof table: every pair of accesses x what the host grants x logging x page or block x what
the host does meanwhile, each a small scenario of its own."""

from collections.abc import Iterator
from itertools import combinations_with_replacement, product
from typing import Final

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.scenario import (
    Access,
    Backing,
    Host,
    HostOp,
    HostPage,
    Op,
    Options,
    Scenario,
    Slot,
)

ACCESSES: Final = {"r": READ, "w": WRITE, "x": EXECUTE}
GRANTS: Final = (Host.RW, Host.R, Host.LAZY)
OPERATIONS: Final = tuple(op for op in Op if not op.name.startswith("GUEST_"))
"""Of the host: a guest hypervisor's do nothing in a VM that has none."""
SIZES: Final = {"page": Slot(), "2M": Slot(pages=512, backing=Backing.PMD)}


def rows() -> Iterator[tuple[str, Scenario]]:
    """Each row's name and scenario, the quick ones first: without the host, with it and one vCPU,
    with it and two."""
    pairs = ["/".join(pair) for pair in combinations_with_replacement(ACCESSES, 2)]
    for accesses, ops in (
        (pairs, (None,)),
        (list(ACCESSES), OPERATIONS),
        (pairs, OPERATIONS),
    ):
        for op, size, logging, grant, names in product(ops, SIZES, (False, True), GRANTS, accesses):
            name = f"{names} {size} {grant.name.lower()}{' logged' * logging}"
            what = "-" if op is None else op.name.lower()
            yield f"{name} {what}", scenario(names, size, logging, grant, op)


def scenario(names: str, size: str, logging: bool, grant: Host, op: Op | None) -> Scenario:
    """A vCPU for each access to page 0, and a host thread for the operation."""
    plain = SIZES[size]
    slot = Slot(pages=plain.pages, backing=plain.backing, logging=logging)
    return Scenario(
        options=Options(teardown=False),
        slots=(slot,),
        vcpus=tuple((Access(ACCESSES[each], 0),) for each in names.split("/")),
        hosts=() if op is None else ((HostOp(op, 0, 1),),),
        host_pages=() if grant is Host.RW else (HostPage(0, grant),),
    )
