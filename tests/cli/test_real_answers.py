"""What a real kernel said of a finding is shown with it."""

import json
import subprocess
import sys
from pathlib import Path

from stage2fuzz.case.text import read_case
from stage2fuzz.findings.real import RealCounts
from stage2fuzz.findings.store import Store
from stage2fuzz.run import run

CASE = (
    Path(__file__).resolve().parent.parent
    / "cases"
    / "bad_v7_3_relax_of_a_block_loses_dirty_pages.case"
)


def stage2fuzz(*arguments: str) -> str:
    command = [sys.executable, "-m", "stage2fuzz", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_list_and_show_tell_what_a_real_kernel_said(tmp_path: Path) -> None:
    database = str(tmp_path / "findings.db")
    outcome = run(read_case(CASE))
    with Store.open(database) as store:
        number = store.record(outcome.case, outcome.violations[0], "").number
        assert "real" not in stage2fuzz("findings", "list", "--database", database)
        store.tried_on_real(number, RealCounts("6.12.117", "confirmed", 9, 0, 1))
    assert "confirmed" in stage2fuzz("findings", "list", "--database", database)
    told = stage2fuzz("findings", "show", str(number), "--database", database)
    assert "confirmed on Linux 6.12.117, 9 of 10 runs, 1 not reached" in told
    for form in ("mail", "md", "html", "json"):
        report = stage2fuzz("report", str(number), "--format", form, "--database", database)
        assert "9 of 10 runs, 1" in " ".join(report.split()), form
    (record,) = json.loads(stage2fuzz("findings", "list", "--json", "--database", database))
    assert record["real"][0]["kernel"] == "6.12.117"
