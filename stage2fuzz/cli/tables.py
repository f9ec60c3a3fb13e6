"""Tables as plain lines that fit: columns where there is room, else a block for each row."""

from itertools import chain
from textwrap import wrap
from typing import Final

from stage2fuzz.cli.output import plain, width

GAP: Final = "  "
LEAST_FOLD: Final = 24
"""Columns of the folding column below which a block reads better."""


class Table:
    """Rows under titles; the column ``fold``, the last, takes what room is left and folds."""

    def __init__(
        self, *titles: str, fold: bool = False, head: bool = True, numbers: tuple[str, ...] = ()
    ) -> None:
        """``numbers`` are the titles whose cells stand to the right; without ``head`` no titles."""
        self._titles, self._fold, self._head, self._numbers = titles, fold, head, numbers
        self._rows: list[tuple[str, ...]] = []

    def add(self, *cells: object) -> None:
        """One row, a cell for each title."""
        self._rows.append(tuple(plain(str(cell)) for cell in cells))

    def show(self) -> None:
        """Print it, no wider than the terminal."""
        for line in self.lines(width()):
            print(line)

    def lines(self, room: int) -> list[str]:
        """Lines of at most ``room`` characters, none with spaces at its end."""
        every = [self._titles, *self._rows] if self._head else self._rows
        widths = [max(map(len, column), default=0) for column in zip(*every, strict=True)]
        fixed = widths[:-1] if self._fold else widths
        left = room - sum(fixed) - len(GAP) * (len(self._titles) - 1)
        if left < (min(LEAST_FOLD, widths[-1]) if self._fold and widths else 0):
            return [line for row in self._rows for line in self._block(row, room)]
        return [line for row in every for line in self._columns(row, fixed, left)]

    def _columns(self, row: tuple[str, ...], widths: list[int], left: int) -> list[str]:
        cells = [
            cell.rjust(size) if title in self._numbers else cell.ljust(size)
            for title, cell, size in zip(self._titles, row, widths, strict=False)
        ]
        if not self._fold:
            return [GAP.join(cells).rstrip()]
        begin = "".join(cell + GAP for cell in cells)
        folded = wrap(row[-1], left, break_on_hyphens=False) or [""]
        indent = " " * len(begin)
        return [(indent if number else begin) + line for number, line in enumerate(folded)]

    def _block(self, row: tuple[str, ...], room: int) -> list[str]:
        """A row on its own lines: as many cells in each as fit, the folding one below them."""
        cells = [
            f"{title} {cell}" if self._head else cell
            for title, cell in zip(self._titles, row, strict=True)
            if cell
        ]
        last = [row[-1]] if self._fold and row[-1] else []
        lines = [""]
        for cell in cells[: len(cells) - len(last)]:
            if lines[-1] and len(lines[-1] + GAP + cell) > room:
                lines.append("")
            lines[-1] += GAP + cell if lines[-1] else cell
        whole = [wrap(line, room, subsequent_indent=GAP, break_on_hyphens=False) for line in lines]
        folded = [wrap(each, room - len(GAP), break_on_hyphens=False) for each in last]
        return [*chain(*whole), *(GAP + line for line in chain(*folded))]
