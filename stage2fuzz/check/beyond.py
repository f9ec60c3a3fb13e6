"""What a patch touches beyond stage 2: EL2 of pKVM, which is checked by itself, and the rest.

A file that no engine compiles is named: nobody may take "nothing new" for a word about it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from stage2fuzz.check.version import Version
from stage2fuzz.engine import parts_of
from stage2fuzz.errors import InputError
from stage2fuzz.hyp.build import planned
from stage2fuzz.kernel.repository import located
from stage2fuzz.kernel.units import ARCH

LOOKED_IN: Final = (ARCH / "kvm", Path("virt/kvm"))
"""Where KVM's code lies; of a commit only the first is read."""
CODE: Final = (".c", ".S")


def el2_of(versions: Sequence[Version]) -> list[Version]:
    """The same versions as EL2 of their trees; none where all are the same there, or the base has
    no EL2 that can be built."""
    trees = [_tree(each) for each in versions]
    if None in trees:
        return []
    keys = [_key(tree) for tree in trees if tree is not None]
    if not keys[0] or len(set(keys)) == 1:
        return []
    return [_el2(each) for each in versions]


def _el2(version: Version) -> Version:
    """The same version as EL2, titled so where its title is its engine's name."""
    engine = f"hyp:{parts_of(version.engine)[1]}"
    title = engine if version.title == version.engine else version.title
    return replace(version, engine=engine, title=title, library=None)


def unseen(versions: Sequence[Version], looked: Sequence[Version]) -> list[str]:
    """The changed files of code that none of the engines ``looked`` at is made of."""
    trees = [_tree(versions[0]), _tree(versions[-1])]
    if trees[0] is None or trees[1] is None:
        return []
    base, head = located(trees[0]), located(trees[1])
    seen = {line.split()[0] for each in looked if each.library for line in each.library.real}
    return sorted(_changed(base, head) - seen)


def _tree(version: Version) -> Path | None:
    """Where the code of a version lies; None for a model, and what does not build."""
    word, tree = parts_of(version.engine)
    return Path(tree) if word == "kernel" and not version.failure else None


def _key(tree: Path) -> str:
    """What EL2 of a tree compiles to, by name; empty where it has none."""
    try:
        return planned(tree).key
    except InputError:
        return ""


def _changed(base: Path, head: Path) -> set[str]:
    """Files of code that differ, or that only one of the trees has; a tree may be without a whole
    folder, since a build needs less than all of it."""
    both = [folder for folder in LOOKED_IN if (base / folder).is_dir() and (head / folder).is_dir()]
    names = {name for tree in (base, head) for folder in both for name in _code(tree, folder)}
    return {str(name) for name in names if _bytes(base / name) != _bytes(head / name)}


def _code(tree: Path, folder: Path) -> Iterator[Path]:
    for path in (tree / folder).rglob("*"):
        if path.suffix in CODE and path.is_file():
            yield path.relative_to(tree)


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
