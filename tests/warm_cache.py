"""A cache of a test's own in which what was compiled is there already."""

from pathlib import Path

from stage2fuzz.kernel.cache import default_cache

COMPILED = ("kernel", "judge")
"""Named by all that they are made of, so whoever made them, they are the same."""


def warm_cache(home: Path) -> Path:
    """Make ``home`` a folder for ``XDG_CACHE_HOME`` that shares compiled libraries with everybody,
    and nothing else: compiling tree and judge takes half a minute.
    """
    mine, everybody = home / "stage2fuzz", default_cache().parent
    mine.mkdir(parents=True)
    for name in COMPILED:
        (everybody / name).mkdir(parents=True, exist_ok=True)
        (mine / name).symlink_to(everybody / name)
    return home
