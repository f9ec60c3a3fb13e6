"""Plant a fault in a copy of a tree; the user's own is never touched."""

import re
import shutil
from pathlib import Path

from stage2fuzz.kernel.faults import Edit, PlantedFault
from stage2fuzz.kernel.units import ARCH


def copy_tree(tree: Path, to: Path) -> None:
    """Copy what a build needs of a tree."""
    for folder in (ARCH / "kvm", ARCH / "include", ARCH / "tools"):
        if (tree / folder).is_dir():
            shutil.copytree(tree / folder, to / folder, symlinks=True)


def plant(tree: Path, fault: PlantedFault) -> bool:
    """Apply the first way of ``fault`` that fits to ``tree``, a copy; False if none does."""
    for way in fault.ways:
        texts: dict[str, str] = {}
        for edit in way:
            file = tree / ARCH / "kvm" / edit.file
            if not file.is_file():
                break
            changed = _apply(texts.get(edit.file) or file.read_text(), edit)
            if changed is None:
                break
            texts[edit.file] = changed
        else:
            for name, text in texts.items():
                (tree / ARCH / "kvm" / name).write_text(text)
            return True
    return False


def _apply(text: str, edit: Edit) -> str | None:
    """The text with one edit made, None where its pattern is not there."""
    start, end = 0, len(text)
    if edit.function:
        head = re.search(
            rf"^[a-z][^;{{}}=]*\b{edit.function}\([^;{{}}]*\)\n\{{", text, re.MULTILINE
        )
        if head is None:
            return None
        start, end = head.end(), text.index("\n}", head.end())
    body, made = re.subn(edit.pattern, edit.replacement, text[start:end], count=edit.count)
    return text[:start] + body + text[end:] if made else None
