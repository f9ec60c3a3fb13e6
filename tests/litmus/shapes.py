"""The litmus shapes: name, threads, outcome in question, and whether it is allowed.

The names are those of Simner et al., Relaxed virtual memory in Armv8-A (ESOP 2022), whose strong
model gives the verdict; shapes that start with "derived" follow from the rules of the manual that
its paper states. An ISB or exception return before each access is part of the model. "EL1" shapes
of one stage are written with the TLBI of both stages, ``CoWinvT2`` and ``invRT2`` with the split
one.
"""

from stage2fuzz.arch import WRITE
from stage2fuzz.events import ORDER_RELEASE, TLBI_IPAS2E1, TLBI_VMALLE1, TLBI_VMALLS12E1
from tests.litmus.machine import (
    ENTRY,
    LEAF,
    LINK,
    NEW,
    OLD,
    OTHER,
    OTHER_ENTRY,
    READ_ONLY,
    Machine,
    Outcome,
    Shape,
    Thread,
)

BOTH, STAGE2, STAGE1 = TLBI_VMALLS12E1, TLBI_IPAS2E1, TLBI_VMALLE1
ALLOWED, FORBIDDEN = True, False


def steps(*words: str) -> Thread:
    """A thread from words: ``clear``, ``new``, ``dsb``, ``tlbi``, ``ipa``, ``stage1`` ..."""

    def thread(machine: Machine) -> None:
        for word in words:
            WORDS[word](machine)

    return thread


def then_access(machine: Machine) -> None:
    """Access, if the message is there."""
    if machine.received():
        machine.access()


def relay(machine: Machine) -> None:
    """Access; if that translates, tell the next."""
    if machine.access() != "fault":
        machine.dsb()
        machine.send()


def read_valid(machine: Machine) -> None:
    """Access after the entry was read as valid."""
    if machine.load(ENTRY):
        machine.access()


def read_invalid(machine: Machine) -> None:
    """Access after the entry was read as invalid."""
    if not machine.load(ENTRY):
        machine.access()


def second_then_first(machine: Machine) -> None:
    """Access the address mapped last, then the one mapped first."""
    machine.access(OTHER)
    machine.access()


def write_when_told(machine: Machine) -> None:
    """A guest write, if the message is there."""
    if machine.received():
        machine.access(kind=WRITE)


def slow_access(machine: Machine) -> None:
    """An access whose end is compared with the message."""
    if machine.access() == "old" and machine.sent:
        machine.seen[machine.vm.current].append("after")


WORDS: dict[str, Thread] = {
    "clear": lambda m: m.store(ENTRY, 0),
    "new": lambda m: m.store(ENTRY, NEW),
    "writable": lambda m: m.store(ENTRY, OLD),
    "other": lambda m: m.store(OTHER_ENTRY, NEW),
    "leaf": lambda m: m.store(LEAF, NEW),
    "link": lambda m: m.store(ENTRY, LINK),
    "release-link": lambda m: m.store(ENTRY, LINK, ORDER_RELEASE),
    "clear-leaf": lambda m: m.store(LEAF, 0),
    "dsb": Machine.dsb,
    "dsb-st": Machine.dsb_st,
    "dmb-st": Machine.dmb_st,
    "tlbi": lambda m: m.tlbi(BOTH),
    "local-tlbi": lambda m: m.tlbi(BOTH, broadcast=False),
    "ipa": lambda m: m.tlbi(STAGE2),
    "local-ipa": lambda m: m.tlbi(STAGE2, broadcast=False),
    "wrong-ipa": lambda m: m.tlbi(STAGE2, ipa=OTHER),
    "stage1": lambda m: m.tlbi(STAGE1),
    "send": Machine.send,
    "access": Machine.attempt,
}


def own(words: str, wanted: str, entries: dict[int, int] | None = None) -> Shape:
    """One thread; its last access gives ``wanted``."""

    def question(outcome: Outcome) -> bool:
        return outcome[0][-1:] == (wanted,)

    return Shape((steps(*words.split()),), question, {ENTRY: OLD} if entries is None else entries)


def message(
    words: str,
    reader: Thread = then_access,
    wanted: str = "old",
    entries: dict[int, int] | None = None,
) -> Shape:
    """A writer and a reader; the reader's last access gives ``wanted``."""

    def question(outcome: Outcome) -> bool:
        return outcome[1][-1:] == (wanted,)

    threads = (steps(*words.split()), reader)
    return Shape(threads, question, {ENTRY: OLD} if entries is None else entries)


def exactly(words: str, reader: Thread, wanted: tuple[str, ...], entries: dict[int, int]) -> Shape:
    """A writer and a reader whose accesses give exactly ``wanted``."""
    return Shape((steps(*words.split()), reader), lambda outcome: outcome[1] == wanted, entries)


def third_misses(words: str) -> Shape:
    """A third PE faults on an entry that a second one used and told it of."""
    return Shape(
        (steps(*words.split()), relay, then_access), lambda outcome: outcome[2] == ("fault",), {}
    )


FULL = "clear dsb ipa dsb stage1 dsb send"
LEAF_ONLY = {ENTRY: LINK, LEAF: OLD}

SHAPES: dict[str, tuple[Shape, bool]] = {
    "CoWinvT+po": (own("clear access", "old"), ALLOWED),
    "CoWinvT+dsb-isb": (own("clear dsb access", "old"), ALLOWED),
    "CoWinvT.EL1+tlbi-dsb-isb": (own("clear tlbi dsb access", "old"), ALLOWED),
    "CoWinvT.EL1+dsb-tlbi-isb": (own("clear dsb tlbi access", "old"), ALLOWED),
    "CoWinvT.EL1+dsb-tlbi-dsb-isb": (own("clear dsb tlbi dsb access", "old"), FORBIDDEN),
    "CoWTf.inv+po": (own("new access", "fault", {}), ALLOWED),
    "CoWTf.inv+dsb-isb": (own("new dsb access", "fault", {}), FORBIDDEN),
    "CoTTf.inv+dsb-isb": (
        exactly("new", steps("access", "dsb", "access"), ("new", "fault"), {}),
        FORBIDDEN,
    ),
    "CoTfT+dsb-isb": (
        exactly("clear", steps("access", "dsb", "access"), ("fault", "old"), {ENTRY: OLD}),
        ALLOWED,
    ),
    "CoRpteT+dsb-isb": (message("clear", read_invalid), ALLOWED),
    "CoRpteTf.inv+dsb-isb": (message("new", read_valid, "fault", {}), FORBIDDEN),
    "CoTW1.inv": (own("access new", "new", {}), FORBIDDEN),
    "ROT.inv+po": (message("leaf link", steps("access"), "hole", {}), ALLOWED),
    "ROT.inv+dmbst": (message("leaf dmb-st link", steps("access"), "hole", {}), FORBIDDEN),
    "ROT.inv+dsb": (message("leaf dsb-st link", steps("access"), "hole", {}), FORBIDDEN),
    "derived: ROT.inv+release": (
        message("leaf release-link", steps("access"), "hole", {}),
        FORBIDDEN,
    ),
    "BBM+dsb-tlbiis-dsb": (message("clear dsb tlbi dsb new dsb", steps("access")), ALLOWED),
    "MP.BBM1+dsb-tlbiis-dsb-dsb+dsb-isb": (
        message("clear dsb tlbi dsb new dsb send"),
        FORBIDDEN,
    ),
    "MP.RT.EL1+dsb-tlbi-dsb+dsb-isb": (message("clear dsb local-tlbi dsb send"), ALLOWED),
    "MP.RT.EL1+dsb-tlbiis-dsb+dsb-isb": (message("clear dsb tlbi dsb send"), FORBIDDEN),
    "MP.invRT2+ipais-dsb": (message("clear dsb ipa dsb send"), ALLOWED),
    "MP.invRT2+ipais-dsb-tlbiis-dsb": (message(FULL), FORBIDDEN),
    "MP.invRT2+ipa-dsb-tlbiis-dsb": (
        message("clear dsb local-ipa dsb stage1 dsb send"),
        ALLOWED,
    ),
    "RBS+dsb-tlbiis-dsb": (
        message("clear dsb tlbi dsb send", slow_access, "after"),
        FORBIDDEN,
    ),
    "S.RT.ro+dsb-tlbiis-dsb+dsb-isb": (
        message("writable dsb tlbi dsb send", write_when_told, "denied", {ENTRY: READ_ONLY}),
        FORBIDDEN,
    ),
    "WRC.TRTf.inv+dsb+dsb-isb": (third_misses("new"), FORBIDDEN),
    "MP.TTf.inv+dsb+dsb-isb": (
        exactly("new dsb-st other", second_then_first, ("new", "fault"), {}),
        FORBIDDEN,
    ),
    "MP.TTf.inv+po": (exactly("new other", second_then_first, ("new", "fault"), {}), ALLOWED),
    "derived: stage 1 before stage 2": (message("clear dsb stage1 dsb ipa dsb send"), ALLOWED),
    "derived: stage 1 alone": (message("clear dsb stage1 dsb send"), ALLOWED),
    "derived: stage 2 alone, own access": (own("clear dsb ipa dsb access", "old"), ALLOWED),
    "derived: TLBI of another page": (message("clear dsb wrong-ipa dsb stage1 dsb send"), ALLOWED),
    "derived: read-only to writable without TLBI": (
        message("writable dsb send", write_when_told, "denied", {ENTRY: READ_ONLY}),
        ALLOWED,
    ),
    "derived: an invalid entry is never cached": (
        message("new dsb send", then_access, "fault", {}),
        FORBIDDEN,
    ),
    "derived: leaf of a linked table, full sequence": (
        message(
            "clear-leaf dsb ipa dsb stage1 dsb send",
            then_access,
            "old",
            LEAF_ONLY,
        ),
        FORBIDDEN,
    ),
    "derived: table unlinked without TLBI": (
        message("clear dsb send", then_access, "old", LEAF_ONLY),
        ALLOWED,
    ),
    "derived: RBS of a walk in flight, local TLBI": (
        message("clear dsb local-tlbi dsb send", slow_access, "after", LEAF_ONLY),
        ALLOWED,
    ),
    "derived: RBS of a walk in flight (RRVJDB)": (
        message("clear dsb tlbi dsb send", slow_access, "after", LEAF_ONLY),
        FORBIDDEN,
    ),
    "derived: table unlinked, both stages": (
        message("clear dsb tlbi dsb send", then_access, "old", LEAF_ONLY),
        FORBIDDEN,
    ),
}
