"""A fault planted into the processes of a service, so that it is seen whether the soak notices.

Python imports a module of this name at its start, where PYTHONPATH leads to it; the variable
STAGE2FUZZ_PLANTED names the fault. The product knows nothing of it.
"""

import os
import random

from stage2fuzz.findings import books, leases


def counted_twice() -> None:
    """Each report counts its finding twice."""
    report = leases.report

    def twice(store, held, found, violation, events):  # type: ignore[no-untyped-def]
        number = report(store, held, found, violation, events)
        with store.engine.begin() as connection:
            store.count_seen(number, connection)
        return number

    leases.report = twice


def dropped() -> None:
    """One report of twenty is forgotten."""
    report = leases.report
    chooser = random.Random(os.getpid())

    def now_and_then(store, held, found, violation, events):  # type: ignore[no-untyped-def]
        if chooser.random() < 0.05:
            return 0
        return report(store, held, found, violation, events)

    leases.report = now_and_then


def no_fencing() -> None:
    """A write counts whatever its epoch is."""
    current = leases._current
    leases._current = lambda held: current(held).clauses[0] & current(held).clauses[2]


def merged_again() -> None:
    """Results are never marked as counted."""
    books.Books.merged = lambda *_: None  # type: ignore[method-assign]


PLANTED = {
    "counted-twice": counted_twice,
    "dropped": dropped,
    "no-fencing": no_fencing,
    "merged-again": merged_again,
}

if name := os.environ.get("STAGE2FUZZ_PLANTED"):
    PLANTED[name]()
