"""A command line run in this process: exit code, standard output, standard error."""

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from stage2fuzz.cli import main

CORPUS = Path(__file__).parents[2] / "corpus"
RACE = CORPUS / "map_race" / "situation-1-late-loser.case"


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def refused(self) -> str:
        """The one line of a refusal."""
        assert self.code == 2, self
        assert self.err.endswith("\n"), self
        lines = self.err.splitlines()
        assert len(lines) == 1, self
        assert lines[0].startswith("stage2fuzz: "), self
        return lines[0]


def command(*arguments: object) -> Said:
    """Run ``stage2fuzz`` with these arguments."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    argv = ["stage2fuzz", *map(str, arguments)]
    with (
        mock.patch.object(sys, "argv", argv),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return Said(code, out.getvalue(), err.getvalue())
