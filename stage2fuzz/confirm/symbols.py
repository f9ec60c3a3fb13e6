"""Addresses and names of a kernel's functions, asked for once and kept for the image.

The machine boots without address randomisation, so they are the same at each boot; reading
/proc/kallsyms takes seconds under emulation.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stage2fuzz.confirm.anchors import wanted_symbols
from stage2fuzz.confirm.initrd import default_cache
from stage2fuzz.confirm.machine import VirtualMachine

VERSION: Final = 1


class Symbols:
    """Those of one image; what the cache lacks is asked of the running machine."""

    def __init__(self, image: Path, machine: VirtualMachine, cache: Path | None = None) -> None:
        with image.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:24]
        self._path = (cache or default_cache()) / f"symbols-{VERSION}-{digest}.json"
        self._machine = machine
        self._addresses: dict[str, int] = {}
        self._names: dict[int, str] = {}
        try:
            kept = json.loads(self._path.read_text())
            self._addresses = {str(name): int(at) for name, at in kept["addresses"].items()}
            self._names = {int(at): str(name) for at, name in kept["names"].items()}
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            pass  # no cache, or not ours: ask again

    def addresses(self) -> dict[str, int]:
        """Of all functions that may be an anchor; 0 is kept for those that the kernel lacks."""
        wanted = [name for name in wanted_symbols() if name not in self._addresses]
        if wanted:
            found = self._machine.symbols(wanted)
            self._addresses |= {name: found.get(name, 0) for name in wanted}
            self._keep()
        return {name: at for name, at in self._addresses.items() if at}

    def names(self, addresses: Sequence[int]) -> dict[int, str]:
        """The functions that the addresses lie in."""
        wanted = [each for each in addresses if each not in self._names]
        if wanted:
            found = self._machine.names(wanted)
            self._names |= {each: found.get(each, "") for each in wanted}
            self._keep()
        return {each: self._names[each] for each in addresses if self._names[each]}

    def _keep(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        kept = {"addresses": self._addresses, "names": self._names}
        whole = self._path.with_suffix(".new")
        whole.write_text(json.dumps(kept))
        whole.replace(self._path)
