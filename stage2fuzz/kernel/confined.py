"""Building and proving an engine of a tree in a confined process, whichever engine it is.

The build runs the tree's awk script and the compiler over its files; the proof loads the result,
whose constructors run, and executes a smoke program. Each may do whatever it likes, or never end.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from stage2fuzz.errors import InputError
from stage2fuzz.kernel.cache import PROVED
from stage2fuzz.process.child import Child
from stage2fuzz.process.end import DiedError
from stage2fuzz.process.frames import Frame
from stage2fuzz.process.life import alive
from stage2fuzz.process.limits import Limits, is_confined

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

BUILD_SECONDS: Final = 180.0
"""A build takes five to twenty seconds, of which the compiler takes all but one."""


class BuiltLibrary(Protocol):
    """A library of some engine, where it lies and what it was made of."""

    @property
    def path(self) -> Path:
        """The library itself."""

    @property
    def key(self) -> str:
        """What it was made of."""


AnyLibrary = TypeVar("AnyLibrary", bound="DataclassInstance")
AnyBuilt = TypeVar("AnyBuilt", bound=BuiltLibrary)
AnyEngine = TypeVar("AnyEngine", bound="Provable")


class Provable(Protocol):
    """An engine that can be asked whether it sees what it must see."""

    def prove(self) -> None:
        """InputError where it does not."""


@dataclass(frozen=True, slots=True)
class ConfinedBuild(Generic[AnyLibrary]):
    """One kind of engine: who builds it, and how it is found in a cache."""

    server: str
    """The module of the confined process, which answers by ``answer``."""
    find: Callable[[Path, Path | None, bool], AnyLibrary | None]
    """Of a tree and a cache the library that lies there, proved if there must be a proof."""
    arguments: tuple[str, ...] = ()
    """Of the confined process."""

    def proved(self, tree: Path, cache: Path | None = None) -> AnyLibrary:
        """The engine of ``tree``, built and proved, or found so in ``cache``.

        InputError where it does not fit, makes no progress, or takes the process down.
        """
        return self.find(tree, cache, True) or self._made("build and proof", tree, cache)

    def built(self, tree: Path, cache: Path | None = None) -> AnyLibrary:
        """The engine of ``tree``, built as ``proved`` does it, but believed without a proof: a tree
        with a planted fault may well make no progress. InputError as of ``proved``.
        """
        return self.find(tree, cache, False) or self._made("build", tree, cache)

    def _made(self, what: str, tree: Path, cache: Path | None) -> AnyLibrary:
        question = {
            "do": what,
            "tree": str(_absolute(tree)),
            "cache": "" if cache is None else str(_absolute(cache)),
        }
        limits = Limits(cpu=int(BUILD_SECONDS))
        with closing(Child(self.server, self.arguments, limits=limits)) as child:
            try:
                child.ask_one(question, BUILD_SECONDS)
            except DiedError as died:
                right = "a tree whose code comes to an end"
                raise InputError(str(tree), str(died), right) from None
        library = self.find(tree, cache, what != "build")
        if library is None:
            raise InputError(str(tree), "the tree, or the cache, changed while it was built")
        return replace(library, cached=False)


def answer(
    question: Frame,
    build: Callable[[Path, Path | None], AnyBuilt],
    engine: Callable[[AnyBuilt], Provable],
) -> Iterator[Frame]:
    """Build, and prove if that is asked, in the confined process."""
    library = build(Path(question["tree"]), Path(question["cache"]) if question["cache"] else None)
    if question["do"] != "build":
        alive()
        engine(library).prove()
        with suppress(OSError):  # a cache that can't be written was written by somebody else
            (library.path.parent / PROVED).touch()
    yield {"key": library.key}


def opened(
    tree: Path,
    build: Callable[[Path, Path | None], AnyBuilt],
    proved: Callable[[Path, Path | None], AnyBuilt],
    engine: Callable[[AnyBuilt], AnyEngine],
) -> AnyEngine:
    """The engine of ``tree``, built if need be and proved.

    A confined process does all that itself; any other has it done by one, and loads nothing before
    something is run.
    """
    if is_confined():
        made = engine(build(tree, None))
        made.prove()
        return made
    return engine(proved(tree, None))


def _absolute(path: Path) -> Path:
    """The path where the confined process looks for it."""
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError up to 3.12
        what = getattr(error, "strerror", None) or str(error)
        raise InputError(str(path), what, "a folder") from None
