"""Places by source line: what the DWARF of a kernel that was built here adds to function names.

A stock image offers functions alone. Where the ``vmlinux`` beside an image has debug information of
KVM's files, a thread can be held at a statement of the user's source, and a stack names its lines.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from stage2fuzz.confirm.anchors import FUNCTIONS, Anchor

UNITS: Final = ("kvm/mmu.c", "kvm/hyp/pgtable.c", "kvm/kvm_main.c")
SAMPLE: Final = re.compile(r"\bmmu_seq\s*=.*\bmmu_(?:invalidate|notifier)_seq\s*;")
LOCK: Final = re.compile(r"\b(?:kvm_fault_lock\(\w+\)|(?:read|write|spin)_lock\(.*mmu_lock\))\s*;")
FAULT_LOCK: Final = re.compile(r"_lock\(&vcpu->kvm->mmu_lock\)\s*;")
NEAR: Final = 3
"""Lines within which two lock statements are the branches of one."""
EVERYWHERE: Final = 1 << 64
CALL_MASK, CALL = 0xFC000000, 0x94000000  # BL


@dataclass(frozen=True, slots=True)
class _Row:
    """From ``address`` on the code is of that line."""

    address: int
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class _Inlined:
    """Code of ``function`` that lies in its caller, which calls it in that line."""

    spans: tuple[tuple[int, int], ...]
    file: str
    line: int
    function: str
    depth: int


class SourceLines:
    """The lines of KVM's own files in one ``vmlinux``."""

    def __init__(self, vmlinux: Path) -> None:
        """Read them; they are empty for a file without debug information of these units."""
        self.sources: list[Path] = []
        self.entries: dict[str, int] = {}
        """Where the units' functions begin, as linked."""
        self._rows: list[_Row] = []
        self._inlined: list[_Inlined] = []
        self._functions: list[tuple[int, int, str]] = []
        self._code = b""
        self._base = 0
        try:
            with vmlinux.open("rb") as file:
                self._read(ELFFile(file))
        except (OSError, ELFError):
            pass  # none, or no ELF file: functions alone
        self._rows.sort(key=lambda row: row.address)
        self._functions.sort()
        self._starts = [row.address for row in self._rows]

    @classmethod
    def beside(cls, image: Path) -> "SourceLines":
        """Those of the ``vmlinux`` that an image in its build folder was made from."""
        image = image.resolve()
        if image.name != "Image" or len(image.parents) < 4:
            return cls(Path("/nonexistent"))
        vmlinux = image.parents[3] / "vmlinux"
        return cls(vmlinux if _same_kernel(image, vmlinux) else Path("/nonexistent"))

    def anchors(self) -> dict[Anchor, list[int]]:
        """Anchor -> the addresses, as linked, of its statements; empty without lines."""
        found: dict[Anchor, list[int]] = {}
        for source in self.sources:
            if not source.as_posix().endswith(UNITS[0]) or not source.is_file():
                continue
            for anchor, numbers in statements(source.read_text(errors="replace")).items():
                addresses = {at for number in numbers for at in self.addresses(source.name, number)}
                if addresses:
                    found[anchor] = sorted(addresses)
        return found

    def addresses(self, name: str, line: int) -> list[int]:
        """Where the statement of that line begins: its calls, what it inlines, or its first row."""
        spans = [
            (row.address, following.address)
            for row, following in zip(self._rows, self._rows[1:], strict=False)
            if row.line == line and row.file == name
        ]
        calls = [at for first, end in spans for at in range(first, end, 4) if self._is_call(at)]
        inlined = [
            min(low for low, _high in each.spans)
            for each in self._inlined
            if (each.file, each.line) == (name, line)
        ]
        return sorted(calls or inlined or [first for first, _end in spans][:1])

    def place(self, address: int) -> str:
        """``mmu.c:1661 user_mem_abort`` for an address as linked; empty where it is not known.

        Of what is inlined there the innermost that is no header's.
        """
        number = bisect_right(self._functions, (address, EVERYWHERE, "")) - 1
        if number < 0 or address >= self._functions[number][1]:
            return ""
        row = self._rows[bisect_right(self._starts, address) - 1]
        function = self._functions[number][2]
        chain = [
            each for each in self._inlined if any(low <= address < high for low, high in each.spans)
        ]
        here = ""
        for each in sorted(chain, key=lambda each: each.depth):
            if each.file.endswith(".c"):
                here = f"{each.file}:{each.line} {function}"
            function = each.function
        return f"{row.file}:{row.line} {function}" if row.file.endswith(".c") or not here else here

    def _is_call(self, address: int) -> bool:
        at = address - self._base
        return int.from_bytes(self._code[at : at + 4], "little") & CALL_MASK == CALL

    def _read(self, elf: ELFFile) -> None:
        if not elf.has_dwarf_info():
            return
        text = elf.get_section_by_name(".text")
        if text is not None:
            self._code, self._base = text.data(), text["sh_addr"]
        dwarf = elf.get_dwarf_info()
        for unit in dwarf.iter_CUs():
            top = unit.get_top_DIE()
            name = _text(top, "DW_AT_name")
            if name.endswith(UNITS):
                self.sources.append(Path(_text(top, "DW_AT_comp_dir")) / name)
                files = self._read_rows(dwarf.line_program_for_CU(unit))
                for die in top.iter_children():
                    if die.tag == "DW_TAG_subprogram":
                        self._read_function(dwarf, die, files)

    def _read_rows(self, program: Any) -> list[str]:
        """The line table; the names of its files by number."""
        names = [entry.name.decode("utf-8", "replace") for entry in program["file_entry"]]
        files = names if program["version"] >= 5 else ["", *names]
        files = [Path(name).name for name in files]
        for entry in program.get_entries():
            state = entry.state
            if state is not None and state.is_stmt and state.file < len(files):
                self._rows.append(_Row(state.address, files[state.file], state.line))
        return files

    def _read_function(self, dwarf: Any, die: Any, files: list[str]) -> None:
        spans = list(_spans(dwarf, die))
        if not spans:
            return
        name = _text(die, "DW_AT_name") or _origin(die)
        self._functions += [(low, high, name) for low, high in spans]
        self.entries.setdefault(name, spans[0][0])
        work = [(each, 1) for each in die.iter_children()]
        while work:
            each, depth = work.pop()
            if each.tag == "DW_TAG_inlined_subroutine":
                line = each.attributes.get("DW_AT_call_line")
                file = each.attributes.get("DW_AT_call_file")
                inside = tuple(_spans(dwarf, each))
                if line and file and inside and file.value < len(files):
                    made = _Inlined(inside, files[file.value], line.value, _origin(each), depth)
                    self._inlined.append(made)
            if each.has_children:
                work += [(child, depth + 1) for child in each.iter_children()]


def statements(source: str) -> dict[Anchor, list[int]]:
    """The lines of ``mmu.c`` that are anchors: a fault's sample of the sequence, its lock."""
    lines = source.splitlines()
    samples = [number for number, line in enumerate(lines, 1) if SAMPLE.search(line)]
    locks = [number for number, line in enumerate(lines, 1) if LOCK.search(line)]
    wanted = {number for number in locks if FAULT_LOCK.search(lines[number - 1])}
    for sample in samples:
        after = [number for number in locks if number > sample]
        wanted.update(number for number in after if number - after[0] < NEAR)
    return {Anchor.SAMPLE: samples, Anchor.LOCK: sorted(wanted)}


def offset_of(lines: SourceLines, symbols: dict[str, int]) -> int:
    """What the running kernel's addresses are above those it was linked at."""
    for name in FUNCTIONS[Anchor.FAULT]:
        if name in lines.entries and name in symbols:
            return symbols[name] - lines.entries[name]
    return 0


def _same_kernel(image: Path, vmlinux: Path) -> bool:
    """Whether both are of one build, by the banner that the kernel greets with."""
    try:
        banner = re.search(rb"Linux version [^\n\0%]{10,}", image.read_bytes())
        return banner is not None and banner[0] in vmlinux.read_bytes()
    except OSError:
        return False


def _text(die: Any, attribute: str) -> str:
    value = die.attributes.get(attribute)
    return value.value.decode("utf-8", "replace") if value else ""


def _origin(die: Any) -> str:
    if "DW_AT_abstract_origin" not in die.attributes:
        return "?"
    return _text(die.get_DIE_from_attribute("DW_AT_abstract_origin"), "DW_AT_name")


def _spans(dwarf: Any, die: Any) -> Iterator[tuple[int, int]]:
    """The addresses of a function or of what was inlined of one."""
    low, high = die.attributes.get("DW_AT_low_pc"), die.attributes.get("DW_AT_high_pc")
    if low and high:
        end = high.value if high.form == "DW_FORM_addr" else low.value + high.value
        yield low.value, end
    elif "DW_AT_ranges" in die.attributes:
        ranges = dwarf.range_lists()
        value = die.attributes["DW_AT_ranges"].value
        base = die.cu.get_top_DIE().attributes.get("DW_AT_low_pc")
        start = base.value if base else 0
        for entry in ranges.get_range_list_at_offset(value, die.cu):
            if hasattr(entry, "base_address"):
                start = entry.base_address
            elif getattr(entry, "is_absolute", False):
                yield entry.begin_offset, entry.end_offset
            else:
                yield start + entry.begin_offset, start + entry.end_offset
