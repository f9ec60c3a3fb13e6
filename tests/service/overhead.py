"""Overhead: how much of a worker's time is fuzzing, and what the same target does on its own.

Run it from the root of the checkout: ``python tests/service/overhead.py --seconds 60``. The bare
figure is the fuzz target run by hand for one order; the service's is a local campaign. Its
overhead is the part of the time that orders took which their target did not spend fuzzing.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from stage2fuzz.findings import campaigns  # noqa: E402
from stage2fuzz.findings.figures import figures_of  # noqa: E402
from stage2fuzz.findings.store import Store  # noqa: E402
from stage2fuzz.service.local import running  # noqa: E402
from stage2fuzz.service.orders import CampaignSpec  # noqa: E402

ENGINE, TARGET = "model:v5.12", "map_race"
"""A fixed revision: findings would add follow-ups, which are work of another kind."""
LINE = re.compile(r"lease \d+, fuzz, attempt \d+: ([\d.]+) s")


def bare(seconds: int) -> None:
    """The target alone."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "corpus").mkdir()
        begun = time.monotonic()
        subprocess.run(
            [
                *(sys.executable, str(ROOT / "fuzz_targets" / f"{TARGET}.py")),
                *(f"--engine={ENGINE}", f"--outbox={folder}/outbox", f"-max_total_time={seconds}"),
                f"{folder}/corpus",
            ],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        took = time.monotonic() - begun
        stats = json.loads((Path(folder) / "outbox" / "stats.json").read_text())
        print(f"bare: {stats['schedules'] / took:.0f} schedules a second")


def service(workers: int, seconds: int, order_seconds: int) -> None:
    """A campaign on so many slots."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"sqlite:///{folder}/overhead.db")
        spec = CampaignSpec(
            "overhead", (ENGINE,), (TARGET,), seconds=seconds, order_seconds=order_seconds
        )
        number = campaigns.create(store.engine, spec)
        with running(campaigns.address(store.engine), workers) as parts:
            while (figures := figures_of(store.engine, number)).campaign.state != "done":
                time.sleep(0.5)
            log = (parts.folder / "worker.log").read_text()
        orders = [float(each) for each in LINE.findall(log)]
        fuzzing, busy = figures.campaign.fuzz_seconds, sum(orders)
        print(
            f"{workers} slots: {figures.campaign.schedules / figures.campaign.elapsed:.0f} "
            f"schedules a second, {len(orders)} orders, {busy / len(orders):.1f} s each, "
            f"overhead {100 * (1 - fuzzing / busy):.1f} %"
        )


def main() -> None:
    """Bare, one slot, two slots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--order-seconds", type=int, default=20)
    given = parser.parse_args()
    bare(given.order_seconds)
    for workers in (1, 2):
        service(workers, given.seconds, given.order_seconds)


if __name__ == "__main__":
    main()
