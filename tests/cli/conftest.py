"""What the commands of one test file work on."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from stage2fuzz.case.text import format_case, read_case
from stage2fuzz.findings.store import Store
from stage2fuzz.report import event_log
from stage2fuzz.run import run as run_case
from tests.cli.terminal import RACE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An own working directory with ``race.case`` and ``stage2fuzz.db``, one finding in it."""
    path = tmp_path_factory.mktemp("cli")
    case = read_case(RACE)
    (path / "race.case").write_text(format_case(case))
    outcome = run_case(case)
    store = Store.open(str(path / "stage2fuzz.db"))
    store.record(case, outcome.violations[0], event_log(outcome.events))
    store.close()
    before = Path.cwd()
    os.chdir(path)
    with mock.patch.dict(os.environ):
        os.environ.pop("STAGE2FUZZ_DATABASE", None)
        yield path
    os.chdir(before)
