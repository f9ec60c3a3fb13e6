"""Versions of the code: what a check or a bisection looks at, each as an engine, built or not."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from stage2fuzz.engine import engine_of, kind_of, parts_of
from stage2fuzz.errors import InputError
from stage2fuzz.hyp import proof as el2_proof
from stage2fuzz.hyp.adapter import RULES as EL2_RULES
from stage2fuzz.hyp.build import HypLibrary
from stage2fuzz.kernel import proof as kernel_proof
from stage2fuzz.kernel.adapter import rules_of
from stage2fuzz.kernel.build import Library
from stage2fuzz.kernel.repository import SHORT, Commit, Repository, kept
from stage2fuzz.rules import Rules
from stage2fuzz.studies.hunt.ground import Ground

Build = Callable[[Path, Path | None], Library | HypLibrary]
BUILDS: Final[dict[str, tuple[Build, Build]]] = {
    "kernel": (kernel_proof.proved, kernel_proof.built),
    "hyp": (el2_proof.proved, el2_proof.built),
}
"""By the word of an engine that is compiled: who builds and proves it, and who only builds it."""


@dataclass(frozen=True, slots=True)
class Version:
    """One state of the code."""

    name: str
    """What a table's row is called: ``base``, ``1/3``, ``head``."""
    title: str
    """The commit's or the mail's first line; a tree's path."""
    engine: str
    commit: Commit | None = None
    library: Library | HypLibrary | None = None
    """The built engine; None before ``built``, and for a model."""
    failure: str = ""
    """Why it does not build; empty where it does."""
    unproved: str = ""
    """What kept its build from being proved, as a fault in it may; empty where it was."""

    @property
    def key(self) -> str:
        """Equal for versions that compile to the same: nothing between them needs a look."""
        return self.library.key if self.library is not None else self.engine

    @property
    def rules(self) -> Rules:
        """The rules of its era."""
        if isinstance(self.library, HypLibrary):
            return EL2_RULES
        if self.library is not None:
            return rules_of(self.library.has)
        return engine_of(self.engine).rules

    @property
    def ground(self) -> Ground:
        """Where its faults are looked for."""
        if isinstance(self.library, HypLibrary):
            return Ground.EL2
        return Ground.of(self.library.has if self.library is not None else ())


def built(version: Version, cache: Path | None = None) -> Version:
    """The version with its engine built, or with the reason why there is none."""
    word, tree = parts_of(version.engine)
    if word not in BUILDS:
        if kind_of(version.engine).isolated:
            raise InputError(version.engine, "cannot be checked", "kernel:TREE or model:REVISION")
        engine_of(version.engine)
        return version
    prove, build = BUILDS[word]
    try:
        return replace(version, library=prove(Path(tree), cache))
    except InputError as error:
        reason = str(error)
    try:
        return replace(version, library=build(Path(tree), cache), unproved=reason)
    except InputError as error:
        return replace(version, failure=str(error))


def ground_of(versions: Sequence[Version]) -> Ground:
    """One ground for all, so that they take the same turns: what any of them needs."""
    grounds = {each.ground for each in versions}
    return next(ground for ground in reversed(Ground) if ground in grounds)


def of_commit(repository: Repository, commit: Commit, name: str) -> Version:
    """A commit of a repository, as an engine that any command can name.

    It is read at once, with the user's own rights: whoever typed a repository's name may have git
    fetch what a partial clone lacks. What can't be read is told by whoever builds it.
    """
    with suppress(InputError):
        kept(repository, commit.id[:SHORT])
    engine = f"kernel:{repository.path}@{commit.id[:SHORT]}"
    return Version(name, commit.title, engine, commit)


def of_range(repository: Repository, span: str) -> list[Version]:
    """The base of ``BASE..HEAD`` and each commit up to its head; empty ends as git has them.

    Without a span it is what the branch has and its upstream has not, else its last commit.
    """
    base, dots, head = (span or _unsent(repository)).partition("..")
    if not dots:
        raise InputError(span, "is no range of commits", "BASE..HEAD")
    first, last = repository.commit(base or "HEAD"), repository.commit(head.lstrip(".") or "HEAD")
    start = repository.described([repository.merge_base(first.id, last.id)])[0]
    commits = repository.between(start.id, last.id)
    if not commits:
        raise InputError(f"{first.short}..{last.short}", "has no commits", "BASE before HEAD")
    return [
        of_commit(repository, start, "base"),
        *(of_commit(repository, each, name) for name, each in _named(commits)),
    ]


def of_engines(base: str, head: str) -> list[Version]:
    """Two engines: two trees, or two revisions of the model."""
    return [Version("base", base, base), Version("head", head, head)]


def numbered(titles: Sequence[str]) -> list[str]:
    """What rows of a series are called: ``1/3``, or ``head`` where there is but one."""
    if len(titles) == 1:
        return ["head"]
    return [f"{number}/{len(titles)}" for number in range(1, len(titles) + 1)]


def _named(commits: Sequence[Commit]) -> list[tuple[str, Commit]]:
    return list(zip(numbered([each.title for each in commits]), commits, strict=True))


def _unsent(repository: Repository) -> str:
    try:
        upstream = repository.git("rev-parse", "--verify", "@{upstream}").strip()
        if repository.git("rev-list", "-n1", f"{upstream}..HEAD").strip():
            return f"{upstream}..HEAD"
    except InputError:
        pass  # no upstream, or no branch at all
    return "HEAD~1..HEAD"
