"""A mailbox of patches, applied to a commit in memory: no checkout, no object of the user's.

New objects go to a folder of our own, which has the repository's as alternates. Only what a build
reads is applied, so a patch of a whole series fits a tree that has but ``arch/arm64``.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stage2fuzz.check.version import Version, numbered, of_commit
from stage2fuzz.errors import InputError
from stage2fuzz.kernel.repository import FOLDERS, Repository, readable

MOST_MAILS: Final = 400
_NUMBER: Final = re.compile(r"\[[^\]]*\b(\d+)/\d+[^\]]*\]")
_TOUCHES: Final = re.compile(r"^(?:---|\+\+\+) [^/\s]+/(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Patch:
    """One mail that changes something."""

    number: int
    """In its series; 0 where its subject names none."""
    title: str
    text: str

    @property
    def touches(self) -> bool:
        """Whether it changes a folder that a build reads."""
        return any(name.startswith(FOLDERS) for name in _TOUCHES.findall(self.text))


def of_mailbox(repository: Repository, base: str, mailbox: Path) -> list[Version]:
    """The base, and it with each patch of ``mailbox`` on top of those before."""
    start = repository.commit(base or "HEAD")
    patches = read_patches(repository, mailbox)
    versions = [of_commit(repository, start, "base")]
    with tempfile.TemporaryDirectory(prefix="stage2fuzz-mbox-") as folder:
        objects = Path(folder) / "objects"
        objects.mkdir()
        environment = {
            "GIT_INDEX_FILE": str(Path(folder) / "index"),
            "GIT_OBJECT_DIRECTORY": str(objects),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(repository.objects),
        }
        scratch = Repository(repository.path, environment)
        scratch.git("read-tree", start.id)
        for name, patch in zip(numbered([each.title for each in patches]), patches, strict=True):
            if patch.touches:
                _apply(scratch, patch)
            tree = scratch.extract(scratch.git("write-tree").strip())
            versions.append(Version(name, patch.title, f"kernel:{tree}"))
    return versions


def read_patches(repository: Repository, mailbox: Path) -> list[Patch]:
    """The patches of a mailbox, in the order of their numbers; cover letters and answers left out.

    InputError where there is none.
    """
    try:
        data = mailbox.read_bytes()
    except OSError as error:
        raise InputError(str(mailbox), error.strerror or str(error), "a mailbox") from None
    patches = []
    with tempfile.TemporaryDirectory(prefix="stage2fuzz-mails-") as folder:
        mails = Path(folder)
        if data.startswith(b"From "):
            split = repository.git("mailsplit", "--keep-cr", f"-o{folder}", data=data)
            count = int(split.strip() or 0)
            if count > MOST_MAILS:
                raise InputError(str(mailbox), f"{count} mails", f"at most {MOST_MAILS}")
        else:
            (mails / "0001").write_bytes(data)  # one bare mail or diff
        for path in sorted(each for each in mails.iterdir() if each.name.isdecimal()):
            patch = _patch(repository, path)
            if patch is not None:
                patches.append(patch)
    if not patches:
        raise InputError(str(mailbox), "holds no patch", "mails of git format-patch or b4")
    if len({each.number for each in patches}) == len(patches):
        patches.sort(key=lambda each: each.number)
    return patches


def _patch(repository: Repository, mail: Path) -> Patch | None:
    """The patch in a mail; None where it changes nothing."""
    data = mail.read_bytes()
    body, diff = mail.with_suffix(".body"), mail.with_suffix(".diff")
    about = repository.git("mailinfo", "-k", str(body.absolute()), str(diff.absolute()), data=data)
    text = diff.read_text(errors="surrogateescape")
    subject = next((line[9:] for line in about.splitlines() if line.startswith("Subject: ")), "")
    if "\n+++ " not in f"\n{text}":
        return None
    number = _NUMBER.search(subject)
    title = re.sub(r"^(\s*\[[^\]]*\])+\s*", "", subject) or mail.name
    return Patch(int(number[1]) if number else 0, readable(title), text)


def _apply(scratch: Repository, patch: Patch) -> None:
    """Apply a patch to the index of ``scratch``; InputError where it does not fit."""
    only = [f"--include={folder}/*" for folder in FOLDERS]
    data = patch.text.encode(errors="surrogateescape")
    try:
        scratch.git("apply", "--cached", "--3way", *only, data=data)
    except InputError as first:
        try:
            scratch.git("apply", "--cached", *only, data=data)
        except InputError:
            right = "the commit that the series is based on: BASE"
            raise InputError(patch.title[:80], first.what, right) from None


@contextmanager
def repository_of(tree: Path) -> Iterator[Repository]:
    """The repository at ``tree``, or one for the moment that has a plain tree as its one commit."""
    if Repository.is_at(tree):
        yield Repository(tree)
        return
    if not (tree / FOLDERS[0]).is_dir():
        raise InputError(str(tree), f"no {FOLDERS[0]}", "a git repository or a Linux tree")
    with tempfile.TemporaryDirectory(prefix="stage2fuzz-tree-") as folder:
        copy = Path(folder) / tree.absolute().name
        copy.mkdir()
        for each in filter(lambda name: (tree / name).is_dir(), FOLDERS):
            shutil.copytree(tree / each, copy / each, symlinks=True)
        made = Repository(copy)
        made.git("init", "--quiet")
        made.git("add", "--all", "--force")
        made.git("commit", "--quiet", "--no-verify", "-m", str(tree))
        yield made
