"""A service to break: real processes, a target that does as it is told, faults on demand."""

import json
import os
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from msgspec.structs import replace
from sqlalchemy import create_engine, func, select, update

from stage2fuzz.findings import campaigns
from stage2fuzz.findings.campaign_tables import campaign, lease, result, sighting
from stage2fuzz.findings.figures import CampaignFigures, figures_of, to_record
from stage2fuzz.findings.models import Finding
from stage2fuzz.findings.states import CampaignState
from stage2fuzz.findings.store import Store
from stage2fuzz.service import settings
from stage2fuzz.service.local import Service
from stage2fuzz.service.orders import CampaignSpec

STAND_IN = Path(__file__).parent / "stand_in"
ROOT = Path(__file__).parents[2]
LEASE_SECONDS = 3


PLANTED = "STAGE2FUZZ_PLANTED"
WORKER = b"stage2fuzz.worker"
"""What the command line of a worker and of each process of its pool holds."""
FORK_SERVERS = (b"stage2fuzz.process.fork_server", b"stage2fuzz.process.zygote")


def command_of(process: int) -> bytes:
    """The command line of a process; empty where it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def name_of(process: int) -> str:
    """The name that a process gave itself, which a fork of another program can be told by."""
    with suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text().strip()
    return ""


def below(process: int) -> list[int]:
    """A process's children and their children and so on, those above before those below."""
    found: list[int] = []
    with suppress(OSError):
        text = Path(f"/proc/{process}/task/{process}/children").read_text()
        for child in map(int, text.split()):
            found += [child, *below(child)]
    return found


def fork_servers(process: int) -> list[int]:
    """Zygotes and fork servers below a process, without what they run by the same command line."""
    found = [
        each for each in below(process) if any(name in command_of(each) for name in FORK_SERVERS)
    ]
    zygotes = [each for each in found if FORK_SERVERS[1] in command_of(each)]
    depth = {each: sum(each in below(other) for other in found) for each in found}
    return [each for each in found if depth[each] <= bool(zygotes)]


class PlantedService(Service):
    """A service whose processes have a fault of ``planted/sitecustomize.py``."""

    def environment(self) -> dict[str, str]:
        """The way to the fault before the way to the package."""
        plain = super().environment()
        folder = Path(__file__).parent / "planted"
        return plain | {"PYTHONPATH": f"{folder}{os.pathsep}{plain['PYTHONPATH']}"}


class Rig:
    """One campaign on a service of its own."""

    def __init__(
        self,
        folder: Path,
        database: str,
        workers: int = 2,
        plant: str = "",
        **behaviour: object,
    ) -> None:
        self.targets = folder / "targets"
        shutil.copytree(STAND_IN, self.targets)
        self.behaviour = behaviour
        self.behave()
        os.environ[settings.TARGETS] = str(self.targets)
        os.environ[settings.LEASE] = str(LEASE_SECONDS)
        self.store = Store.open(database)
        kind = PlantedService if plant else Service
        self.service = kind(campaigns.address(self.store.engine), workers)
        os.environ[PLANTED] = plant

    def start(self, **more: object) -> int:
        """Start the service and a campaign of short orders; the campaign's number."""
        plain = CampaignSpec("broken", ("model:v5.10",), ("map_race",), seconds=6, order_seconds=1)
        spec = replace(plain, **more)
        self.campaign = campaigns.create(self.store.engine, spec)
        self.service.start()
        return self.campaign

    def behave(self, **more: object) -> None:
        """Tell the stand-in what to do from its next start on."""
        part = self.targets / f"behaviour.{threading.get_ident()}"
        part.write_text(json.dumps(self.behaviour | more))
        part.replace(self.targets / "behaviour.json")

    def close(self) -> None:
        """End everything."""
        self.service.stop()
        self.store.close()
        for name in (settings.TARGETS, settings.LEASE, PLANTED):
            os.environ.pop(name, None)

    def figures(self) -> CampaignFigures:
        """The campaign's figures."""
        return figures_of(self.store.engine, self.campaign)

    def until(self, what: Callable[[CampaignFigures], bool], seconds: float = 60.0) -> float:
        """Wait until the figures are so; how long it took. Fails loudly after ``seconds``."""
        begun = time.monotonic()
        while not what(self.figures()):
            if time.monotonic() - begun > seconds:
                logs = self.service.folder.glob("*.log")
                tails = "\n".join(f"{p.name}: {p.read_text()[-1500:]}" for p in sorted(logs))
                raise AssertionError(f"still {to_record(self.figures())}\n{tails}")
            time.sleep(0.05)
        return time.monotonic() - begun

    def can_write(self) -> bool:
        """Whether nobody holds SQLite's lock for longer than a write takes."""
        path = self.store.engine.url.database
        if self.store.engine.dialect.name != "sqlite" or path is None:
            return True
        with closing(sqlite3.connect(path, timeout=1.0, isolation_level=None)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            except sqlite3.OperationalError:
                return False
        return True

    def drain(self) -> None:
        """Let the campaign end with what is begun, whatever its budget."""
        with self.store.engine.begin() as connection:
            connection.execute(update(campaign).values(state=CampaignState.DRAINING))

    def until_done(self, seconds: float = 90.0) -> float:
        """Wait for the end of the campaign."""
        return self.until(lambda figures: figures.campaign.state == "done", seconds)

    def kill(self, name: str) -> None:
        """``kill -9`` of a process and its pool."""
        process = self.service.processes[name]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and its pool, not to the targets that they run."""
        main = self.service.processes[name].pid
        for process in (main, *below(main)):
            if WORKER in command_of(process) or b"coordinator" in command_of(process):
                with suppress(ProcessLookupError):
                    os.kill(process, number)

    def expect_books_in_order(self) -> None:
        """Every finding once, every result once, no lease left over, the sums right."""
        with self.store.engine.connect() as connection:
            found = connection.execute(select(Finding.engine, Finding.signature)).all()
            assert len(found) == len(set(found))
            seen = connection.execute(select(func.count()).select_from(sighting)).scalar_one()
            assert seen == len(found) == self.figures().campaign.findings
            counted = select(lease.c.state, func.count().label("number"))
            rows = connection.execute(counted.group_by(lease.c.state))
            states: dict[str, int] = {each.state: each.number for each in rows}
            assert set(states) <= {"committed", "poisoned", "cancelled"}
            bodies = connection.execute(select(result.c.body, result.c.merged)).all()
            late = select(func.count()).where(
                result.c.lease_id == lease.c.id, result.c.epoch.not_in((0, lease.c.epoch))
            )
            assert connection.execute(late).scalar_one() == 0, "a worker wrote that was given up"
        assert all(merged for _body, merged in bodies)
        assert len(bodies) == sum(states.values()) - states.get("cancelled", 0)
        records = [json.loads(body) for body, _merged in bodies]
        schedules = sum(each.get("schedules", 0) for each in records)
        assert schedules == self.figures().campaign.schedules


def fresh(url: str) -> None:
    """Forget everything a former test wrote."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
