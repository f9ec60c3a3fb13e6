"""Oracle: the form all of them have, a small automaton whose handlers are named after events.

``handlers.py`` says what there is to hear of, and which fields of it a handler may name.
"""

from typing import Any, ClassVar, Final, TypeVar

from stage2fuzz.arch import ACCESS_NAMES, FAULT_NAMES, LAST_LEVEL, describe
from stage2fuzz.events import (
    E2BIG,
    EAGAIN,
    EFAULT,
    EINVAL,
    ENOENT,
    ENOEXEC,
    ENOMEM,
    ENOSYS,
    EPERM,
    ERANGE,
    INJECTED_DABT,
    INJECTED_SERROR,
    INJECTED_SIZE_FAULT,
    INJECTED_STAGE2,
)
from stage2fuzz.oracles.facts import Fault
from stage2fuzz.oracles.handlers import EVENTS, check_handlers
from stage2fuzz.oracles.violation import Category, Violation
from stage2fuzz.oracles.world import World
from stage2fuzz.rules import Rules

Container = TypeVar("Container", dict[Any, Any], list[Any])

ERRNO_NAMES: Final = {
    EPERM: "-EPERM",
    ENOENT: "-ENOENT",
    E2BIG: "-E2BIG",
    ENOEXEC: "-ENOEXEC",
    EAGAIN: "-EAGAIN",
    ENOMEM: "-ENOMEM",
    EFAULT: "-EFAULT",
    EINVAL: "-EINVAL",
    ERANGE: "-ERANGE",
    ENOSYS: "-ENOSYS",
    INJECTED_DABT: "an injected data abort",
    INJECTED_SIZE_FAULT: "an injected address size fault",
    INJECTED_SERROR: "an injected SError",
    INJECTED_STAGE2: "a stage-2 fault for the guest hypervisor",
}


def result_name(result: int) -> str:
    """0, or the errno as the kernel writes it."""
    return ERRNO_NAMES.get(-result, str(result))


def fault_name(fault: Fault) -> str:
    """``read translation fault``: what kind of access and what kind of fault."""
    return f"{ACCESS_NAMES[fault[2]]} {FAULT_NAMES.get(fault[3], '?')} fault"


def leaf_kind(level: int) -> str:
    """``page`` or ``block``: the size that matters to a signature."""
    return "page" if level == LAST_LEVEL else "block"


class Oracle:
    """One rule of the catalogue."""

    oracle: ClassVar[str]
    rule: ClassVar[str]
    category: ClassVar[Category] = Category.CORRECTNESS
    why: ClassVar[str]
    """One line for the catalogue: what it promises."""
    returns: ClassVar[tuple[int, ...]] = ()
    """CALL_* whose returns the handler ``returned`` wants to hear of; none named: all."""
    lasso: ClassVar[bool] = False
    """Whether it speaks only of runs in which a state returns: an engine may know of none."""
    late: ClassVar[tuple[str, ...]] = ()
    """Handlers that matter only after the run's first FREE, too frequent to call before."""

    def __init_subclass__(cls) -> None:
        """Refuse a class with a public method that nobody would call, or that asks for too much.

        Raises TypeError: a misspelt handler would hear of nothing, and its oracle be silent.
        """
        super().__init_subclass__()
        check_handlers(cls, OWN)
        unheard = [
            name for name in cls.late if name not in EVENTS.values() or name not in vars(cls)
        ]
        if unheard:
            raise TypeError(f"{cls.__name__}.late: no handler of an event: {', '.join(unheard)}")
        if cls.returns and "returned" not in vars(cls):
            raise TypeError(f"{cls.__name__}.returns: there is no handler 'returned'")

    def __init__(self, world: World, found: dict[str, Violation]) -> None:
        self.world = world
        self._found = found
        self.state: list[dict[Any, Any] | list[Any]] = []
        self.setup()

    def setup(self) -> None:
        """Make the containers of one run, each through ``per_run``."""

    @classmethod
    def applies(cls, _rules: Rules) -> bool:
        """Whether this era has the rule at all."""
        return True

    def per_run(self, container: Container) -> Container:
        """Register a container that the judge empties before each run."""
        self.state.append(container)
        return container

    def pte(self, pte: int, level: int) -> str:
        """One entry in words (``arch.describe``)."""
        return describe(pte, level, self.world.page_size)

    def said(self, detail: str) -> bool:
        """Whether this run broke the rule in this way before: then nobody need word it again.

        For what a livelock repeats in each round; ``violation`` itself looks too.
        """
        return f"{self.oracle} {self.rule}: {detail}" in self._found

    def violation(self, detail: str, verdict: str, *events: int) -> None:
        """The rule is broken; ``detail`` names how, without any number, and makes the signature.

        The same signature counts once a run.
        """
        signature = f"{self.oracle} {self.rule}: {detail}"
        if signature not in self._found:
            self._found[signature] = Violation(
                self.oracle, self.rule, self.category, verdict, events, signature
            )


OWN: Final = frozenset(name for name in vars(Oracle) if not name.startswith("_"))
"""What an oracle has from here, and may say anew."""
