"""Draw ``page.png``: a finding of the model on the page, as a browser shows it.

Run it from a checkout after a change of the page: ``python docs/pictures/page.py``.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from stage2fuzz.case.text import read_case
from stage2fuzz.findings.store import Store
from stage2fuzz.places import CORPUS
from stage2fuzz.report import event_log
from stage2fuzz.run import run

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CASE = CORPUS / "map_race/situation-1-late-loser.case"


def main() -> None:
    """Serve one finding, and take its picture."""
    browser = next(found for found in map(shutil.which, BROWSERS) if found)
    out = Path(__file__).with_name("page.png")
    with tempfile.TemporaryDirectory() as folder:
        database = f"{folder}/findings.db"
        outcome = run(read_case(CASE))
        with Store.open(database) as store:
            for violation in outcome.violations:
                store.record(outcome.case, violation, event_log(outcome.events))
        served = [sys.executable, "-m", "stage2fuzz", "serve", "--port", "0"]
        with subprocess.Popen(
            [*served, "--database", database], stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            address = server.stdout.readline().split()[0]
            options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
            size = [f"--user-data-dir={folder}/browser", "--window-size=1360,1060"]
            picture = [f"--screenshot={out}", f"{address}findings/1"]
            subprocess.run([browser, *options, *size, *picture], check=True, capture_output=True)
            server.terminate()


if __name__ == "__main__":
    main()
