"""Trees out of a git repository: read from its object store, with no checkout touched.

A tree may be named ``REPOSITORY@COMMIT``, so an engine may be ``kernel:linux@1a2b3c4d5e6f``. Of a
commit only the folders that a build needs are read, into a cache whose key is their contents:
commits that differ elsewhere share one folder, and one build.
"""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError
from stage2fuzz.kernel.cache import default_cache
from stage2fuzz.process.confined import ConfinedProcess
from stage2fuzz.process.limits import Limits, is_confined

FOLDERS: Final = ("arch/arm64/kvm", "arch/arm64/include", "arch/arm64/tools")
"""All that a build reads of a tree."""
GIT_SECONDS: Final = 300.0
CONFINED: Final = Limits(memory=16 << 30, cpu=int(GIT_SECONDS))
"""Of a git that reads a repository which a name alone points to; it maps whole packs."""
CAGED: Final = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
"""No missing object is fetched: that would run what the repository's configuration names."""
HOMES: Final = ("HOME", "XDG_CONFIG_HOME", "LC_ALL")
"""Where the user's own settings are: git asks them which foreign repositories it may read."""
SHORT: Final = 12
"""Digits of a commit in names: what kernel people write in Fixes lines."""
_NAMED: Final = re.compile(r"(?P<repository>.+)@(?P<commit>[^@\s]+)")
_FIXED: Final = re.compile(r"[0-9a-f]{12,64}")
_REGULAR: Final = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit as a report names it."""

    id: str
    title: str
    date: str
    """Of its author, as ISO 8601 has a day."""
    author: str = ""

    @property
    def short(self) -> str:
        """The first digits of its id."""
        return self.id[:SHORT]

    def __str__(self) -> str:
        """As a Fixes line has it."""
        return f'{self.short} ("{self.title}")'


class Repository:
    """A git repository, bare or not, read only."""

    def __init__(
        self, path: Path, more: Mapping[str, str] | None = None, *, confined: bool = False
    ) -> None:
        """``more`` joins git's environment. InputError where there is no git, or no folder.

        ``confined`` is for a repository that nobody typed the name of: git runs in the cage.
        """
        self.path, self._more, self._confined = path, dict(more or {}), confined
        if shutil.which("git") is None:
            raise InputError(str(path), "git is not installed", "apt-get install git")
        if not path.is_dir():
            raise InputError(str(path), "there is no such folder", "a git repository")

    @property
    def objects(self) -> Path:
        """Its object store. InputError where this is no repository."""
        return (self.path / self.git("rev-parse", "--git-path", "objects").strip()).absolute()

    @staticmethod
    def is_at(path: Path) -> bool:
        """Whether a folder is the top of a checkout, or a bare repository."""
        return (path / ".git").exists() or ((path / "HEAD").is_file() and (path / "refs").is_dir())

    def git(self, *arguments: str, data: bytes | None = None) -> str:
        """What a git command prints; its complaint as an InputError."""
        return self.raw(*arguments, data=data).decode(errors="replace")

    def raw(self, *arguments: str, data: bytes | None = None) -> bytes:
        """What a git command prints, as bytes."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        quiet = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
        who = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "stage2fuzz"), ("EMAIL", "stage2fuzz@localhost"))
        }
        command = ["git", "-c", "core.fsmonitor=false", "-C", str(self.path), *arguments]
        told = kept | quiet | who | self._more
        try:
            done = self._run(command, data or b"", told)
        except subprocess.TimeoutExpired:
            what = f"git {arguments[0]} took more than {GIT_SECONDS:.0f} s"
            raise InputError(str(self.path), what) from None
        if done.returncode:
            lines = done.stderr.decode(errors="replace").strip().splitlines() or ["failed"]
            what = next((each for each in lines if each.startswith("fatal")), lines[0])
            what = what.removeprefix("fatal: ").removeprefix("error: ")
            right = "a clone that is not partial" if b"promisor" in done.stderr else ""
            raise InputError(str(self.path), f"git {arguments[0]}: {what}", right)
        return done.stdout

    def _run(
        self, command: Sequence[str], data: bytes, told: Mapping[str, str]
    ) -> subprocess.CompletedProcess[bytes]:
        if not self._confined or is_confined():
            return subprocess.run(
                command, input=data, capture_output=True, check=False, timeout=GIT_SECONDS, env=told
            )
        own = {name: told[name] for name in HOMES if name in told}
        more = own | {name: told[name] for name in told if name.startswith("GIT_")} | CAGED
        with tempfile.TemporaryDirectory(prefix="stage2fuzz-git-") as folder:
            confined = ConfinedProcess(
                [shutil.which("git") or "git", *command[1:]],
                Path(folder),
                CONFINED,
                more,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=Path.cwd(),
            )
            try:
                out, err = confined.process.communicate(data, GIT_SECONDS)
            finally:
                code = confined.close()
        return subprocess.CompletedProcess(command, code, out, err)

    def commit(self, revision: str) -> Commit:
        """The commit that a revision names; InputError where there is none."""
        try:
            full = self.git("rev-parse", "--verify", "--end-of-options", revision + "^{commit}")
        except InputError:
            right = "a commit of it; a shallow clone has few: git fetch --unshallow"
            raise InputError(str(self.path), f"no commit {revision[:80]!r}", right) from None
        return self.described([full.strip()])[0]

    def described(self, ids: Sequence[str]) -> list[Commit]:
        """Commits with titles and dates, in the order of ``ids``."""
        if not ids:
            return []
        form = "--format=%H%x00%s%x00%as%x00%an"
        text = self.git("show", "-s", "--no-show-signature", form, *ids)
        lines = text.removesuffix("\n").split("\n")
        return [Commit(*map(readable, line.split("\0"))) for line in lines]

    def merge_base(self, one: str, other: str) -> str:
        """The commit from which both come; InputError where they have nothing in common."""
        try:
            return self.git("merge-base", one, other).strip()
        except InputError:
            what = f"{one[:SHORT]} and {other[:SHORT]} have no commit in common"
            right = "more of their history: git fetch --unshallow"
            raise InputError(str(self.path), what, right) from None

    def between(self, base: str, head: str) -> list[Commit]:
        """The commits after ``base`` up to ``head``, the oldest first, along first parents."""
        span = f"{base}..{head}"
        text = self.git("rev-list", "--reverse", "--topo-order", "--first-parent", span)
        return self.described(text.split())

    def contents(self, revision: str) -> dict[str, str]:
        """The regular files of ``FOLDERS`` at a revision, with the ids of their contents."""
        listed = self.git("ls-tree", "-r", "-z", "--full-tree", revision, "--", *FOLDERS)
        found = {}
        for line in filter(None, listed.split("\0")):
            about, name = line.split("\t", 1)
            mode, _kind, blob = about.split()
            if mode in _REGULAR:
                found[name] = blob
        if not found:
            what = f"{revision[:SHORT]} has no {FOLDERS[0]}"
            raise InputError(str(self.path), what, "a repository of Linux")
        return found

    def extract(self, revision: str) -> Path:
        """The folder of the cache that holds ``FOLDERS`` as they are at a revision."""
        contents = self.contents(revision)
        text = "".join(f"{name}\0{blob}\0" for name, blob in contents.items())
        folder = trees() / hashlib.sha256(text.encode()).hexdigest()[:24]
        if folder.is_dir():
            return folder
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
                work = Path(temporary) / "tree"
                for name, data in self._blobs(contents):
                    (work / name).parent.mkdir(parents=True, exist_ok=True)
                    (work / name).write_bytes(data)
                with suppress(OSError):  # somebody else has read the same meanwhile
                    work.rename(folder)
        except OSError as error:
            what = error.strerror or str(error)
            raise InputError(str(folder.parent), what, "room in XDG_CACHE_HOME") from None
        return folder

    def _blobs(self, contents: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
        """Each file with its contents, from one run of git."""
        asked = "".join(f"{blob}\n" for blob in contents.values()).encode()
        data, at = self.raw("cat-file", "--batch", data=asked), 0
        for name, blob in contents.items():
            end = data.index(b"\n", at)
            head = data[at:end].split()
            if len(head) != 3 or ".." in Path(name).parts:
                raise InputError(str(self.path), f"{name} is not in the object store", blob)
            size = int(head[2])
            yield name, data[end + 1 : end + 1 + size]
            at = end + 2 + size


def readable(text: str) -> str:
    """What a stranger wrote, a patch's title, without what a terminal would take for an order."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def trees() -> Path:
    """Where trees that were read from repositories are kept."""
    return default_cache().parent / "trees"


def located(tree: Path) -> Path:
    """Where a tree lies: itself, or for ``REPOSITORY@COMMIT`` a folder of the cache.

    A commit named by its id is read once; later the repository is not asked again. git is confined:
    such a name may come from a case or a database, and nobody has looked at that repository.
    """
    match = None if tree.is_dir() else _NAMED.fullmatch(str(tree))
    if match is None:
        return tree
    repository, commit = Path(match["repository"]), match["commit"]
    if _FIXED.fullmatch(commit) is not None:
        alias = _alias(repository, commit)
        if alias.is_dir():
            return alias.resolve()
    return kept(Repository(repository, confined=True), commit)


def kept(repository: Repository, commit: str) -> Path:
    """The folder of the cache that holds a commit, found there by its name from now on."""
    alias = _alias(repository.path, commit)
    fixed = _FIXED.fullmatch(commit) is not None
    if fixed and alias.is_dir():
        return alias.resolve()
    folder = repository.extract(repository.commit(commit).id)
    if fixed:
        with suppress(OSError):
            alias.symlink_to(folder.name)
    return folder


def _alias(repository: Path, commit: str) -> Path:
    name = f"{repository.absolute().resolve()}@{commit}"
    return trees() / f"named-{hashlib.sha256(name.encode()).hexdigest()[:24]}"
