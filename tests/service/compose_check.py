"""Compose, for real: build the images, run a campaign, kill containers, look at the database.

Run it as root from the root of the checkout: ``python -m tests.service.compose_check``. It needs
a Docker engine, or the packages docker.io, docker-compose and debootstrap to start one by hand;
where neither works it says so in one line and ends with 77, the code for a skipped test. Images
that can't be pulled are made (``docker_bases``). Everything it makes has a project name of its
own and is removed again.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.service import docker_bases

ROOT: Final = Path(__file__).resolve().parents[2]
PROJECT: Final = "stage2fuzzcheck"
SKIPPED: Final = 77
ENGINE_SECONDS: Final = 30
FAULT_SECONDS: Final = 10
KILLED: Final = 137
"""The exit code of a container that did not end in time."""
CAMPAIGN_SECONDS: Final = 600
SERVICES: Final = ("redis", "postgres", "coordinator", "worker")
"""Those with a health check."""


class Compose:
    """The compose file with secrets of its own."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.secrets = {name: secrets.token_hex(16) for name in ("POSTGRES", "REDIS")}
        trees = folder / "kernel-trees"
        trees.mkdir()
        environment = folder / "env"
        lines = [f"{name}_PASSWORD={value}" for name, value in self.secrets.items()]
        lines += [
            f"KERNEL_TREES={trees}",
            "BUILD_NETWORK=host",
            f"PAGE_TOKEN={secrets.token_hex(16)}",
        ]
        environment.write_text("\n".join(lines) + "\n")
        environment.chmod(0o600)
        self.command = [*command, "-p", PROJECT, "--env-file", str(environment)]

    def run(self, *words: str) -> str:
        """One compose command; its standard output."""
        done = subprocess.run(
            [*self.command, *words], cwd=ROOT, text=True, capture_output=True, check=False
        )
        if done.returncode != 0:
            raise SystemExit(f"compose {' '.join(words)}: {done.stderr[-3000:]}")
        return done.stdout

    def cli(self, *words: str) -> Any:
        """One stage2fuzz command inside; the JSON that it prints."""
        text = self.run("exec", "-T", "cli", "stage2fuzz", *words, "--json")
        return json.loads(text[text.index("{") if "{" in text else text.index("[") :])


def main() -> int:
    """0 where everything held."""
    command = compose_command()
    with docker_engine() as runs:
        if not command or not runs:
            print("skipped: no Docker engine or no compose command can be run here")
            return SKIPPED
        print(f"base images made here: {', '.join(docker_bases.make()) or 'none'}")
        folder = Path(tempfile.mkdtemp(prefix="stage2fuzz-compose-"))
        compose = Compose(command, folder)
        try:
            check(compose)
        except SystemExit:
            print(compose.run("logs", "--tail", "40", "worker", "coordinator"))
            raise
        finally:
            compose.run("down", "--volumes", "--timeout", "10")
            shutil.rmtree(folder)
    print("compose: all well")
    return 0


def check(compose: Compose) -> None:
    """The life of one deployment."""
    compose.run("build")
    compose.run("up", "-d", "--scale", "worker=2")
    wait("all healthy", lambda: all(healthy(name) for name in SERVICES))
    for name in SERVICES:
        expect_hardened(compose, name)
    begun = time.monotonic()
    compose.cli(
        *("campaign", "start", "night", "--order-seconds", "8"),
        *("--seconds", str(CAMPAIGN_SECONDS)),
    )
    wait("first schedules", lambda: status(compose)["schedules"] > 0)
    for name in ("worker", "coordinator", "redis", "postgres"):
        output("kill", container(name))
        compose.run("up", "-d", "--scale", "worker=2")
        wait(f"{name} back", lambda name=name: healthy(name))  # type: ignore[misc]
        expect_work(compose, name)
    with disk_full(compose):
        time.sleep(FAULT_SECONDS)
    expect_work(compose, "a full disk")
    with frozen(container("postgres")):
        time.sleep(FAULT_SECONDS)
    expect_work(compose, "a database that answers nobody")
    wait("the campaign's end", lambda: status(compose)["state"] == "done", 600)
    print(f"campaign done after {time.monotonic() - begun:.0f} s: {status(compose)}")
    before = findings(compose)
    expect_found(before)
    compose.run("down", "--timeout", "10")
    compose.run("up", "-d")
    wait("all healthy again", lambda: all(healthy(name) for name in SERVICES))
    if findings(compose) != before:
        raise SystemExit("findings changed over down and up")
    print(f"{len(before)} findings survive down and up")
    expect_clean_end(compose)


def expect_work(compose: Compose, after: str) -> None:
    """It was in the phase of fuzzing, and orders are carried out again."""
    at = status(compose)
    before = committed(at)
    wait(f"next result after {after}", lambda: committed(status(compose)) > before, 300)
    if at["state"] != "running":
        raise SystemExit(f"{after}: not in the phase of fuzzing any more, but {at['state']}")


def committed(figures: dict[str, Any]) -> int:
    """Orders whose results are in."""
    return int(figures["orders"].get("committed", 0))


@contextmanager
def disk_full(compose: Compose) -> Iterator[None]:
    """No room where the workers work."""
    fill = "head -c 3G /dev/zero > /scratch/full 2>/dev/null; df -h /scratch | tail -1"
    workers = range(1, 3)
    for number in workers:
        told = compose.run("exec", "-T", "--index", str(number), "worker", "sh", "-c", fill).strip()
        if "100%" not in told:
            raise SystemExit(f"the disk of worker {number} is not full: {told}")
        print(told)
    yield
    for number in workers:
        compose.run("exec", "-T", "--index", str(number), "worker", "rm", "/scratch/full")


@contextmanager
def frozen(name: str) -> Iterator[None]:
    """A container stands still."""
    output("pause", name)
    yield
    output("unpause", name)


def expect_clean_end(compose: Compose) -> None:
    """A command through ``cli`` in seconds, and every container ends by itself and in time."""
    for words in (["exec", "-T", "cli"], ["run", "--rm", "-T", "cli"]):
        begun = time.monotonic()
        compose.run(*words, "stage2fuzz", "campaign", "list")
        print(f"compose {' '.join(words)} stage2fuzz campaign list: ", end="")
        print(f"{time.monotonic() - begun:.1f} s")
    names = {name: container(name) for name in (*SERVICES, "page", "cli")}
    begun = time.monotonic()
    compose.run("stop")
    print(f"compose stop: {time.monotonic() - begun:.1f} s")
    codes = {
        name: int(output("inspect", "-f", "{{.State.ExitCode}}", each))
        for name, each in names.items()
    }
    print(f"exit codes: {codes}")
    if KILLED in codes.values():
        raise SystemExit("a container had to be killed")


def expect_found(found: list[dict[str, Any]]) -> None:
    """The faults of the series: confirmed, minimised, fixed in v5.12."""
    oracles = {each["oracle"] for each in found}
    missing = {"C6", "G1"} - oracles
    if missing:
        raise SystemExit(f"the faults of the series are missing: {missing} of {oracles}")
    of_series = [each for each in found if each["oracle"] == "C6"]
    done = [each for each in of_series if each["state"] == "minimised" and each["fixed_in"]]
    print(f"findings: {len(found)}; C6: {len(of_series)}, minimised and fixed later: {len(done)}")
    if not done:
        raise SystemExit("no C6 finding is minimised and has a revision in which it is fixed")
    for each in done:
        assert each["confirmations"] == each["attempts"] > 1, each
        assert each["fixed_in"] == "model:v5.12", each


def expect_hardened(compose: Compose, name: str) -> None:
    """Read-only, no rights, no published port, a user that is not root."""
    record = json.loads(output("inspect", container(name)))[0]
    host = record["HostConfig"]
    assert host["ReadonlyRootfs"], name
    assert host["CapDrop"] == ["ALL"], name
    assert "no-new-privileges:true" in host["SecurityOpt"], name
    assert host["Memory"] > 0, name
    for bindings in (host["PortBindings"] or {}).values():
        assert all(each["HostIp"] == "127.0.0.1" for each in bindings), name
    assert record["Config"]["User"] not in ("", "0", "root"), name
    command = " ".join([record["Path"], *record["Args"]])
    assert not [each for each in compose.secrets.values() if each in command], name


def status(compose: Compose) -> dict[str, Any]:
    """The campaign's figures."""
    record: dict[str, Any] = compose.cli("campaign", "status", "night")
    return record


def findings(compose: Compose) -> list[dict[str, Any]]:
    """All findings, from PostgreSQL."""
    text = compose.run("exec", "-T", "cli", "stage2fuzz", "findings", "list", "--json")
    found: list[dict[str, Any]] = json.loads(text[text.index("[") :])
    return found


def container(name: str) -> str:
    """The first container of a service, as either version of compose names it."""
    for separator in "_-":
        full = f"{PROJECT}{separator}{name}{separator}1"
        if succeeds("docker", "inspect", full):
            return full
    raise SystemExit(f"no container of {name}")


def healthy(name: str) -> bool:
    """What Docker's health check says."""
    return output("inspect", "-f", "{{.State.Health.Status}}", container(name)) == "healthy"


def output(*words: str) -> str:
    """What a docker command prints."""
    done = subprocess.run(["docker", *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def succeeds(*command: str) -> bool:
    """Whether a command is there and ends well."""
    return bool(shutil.which(command[0])) and (
        subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


def wait(what: str, until: Callable[[], bool], seconds: float = 180) -> None:
    """Wait, and say how long it took."""
    begun = time.monotonic()
    while not until():
        if time.monotonic() - begun > seconds:
            raise SystemExit(f"{what}: not after {seconds:.0f} s")
        time.sleep(1)
    print(f"{what}: {time.monotonic() - begun:.0f} s", flush=True)


def compose_command() -> list[str]:
    """``docker compose`` where it is, else ``docker-compose``; empty where neither is."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if succeeds(*command, "version"):
            return command
    return []


@contextmanager
def docker_engine() -> Iterator[bool]:
    """Whether an engine runs; one that had to be started ends with the block."""
    started = None
    if not succeeds("docker", "info") and os.geteuid() == 0 and shutil.which("dockerd"):
        silent = subprocess.DEVNULL
        started = subprocess.Popen(["dockerd"], stdout=silent, stderr=silent)
        for _ in range(ENGINE_SECONDS):
            time.sleep(1)
            if succeeds("docker", "info"):
                break
    try:
        yield succeeds("docker", "info")
    finally:
        if started is not None:
            started.terminate()
            started.wait()


if __name__ == "__main__":
    sys.exit(main())
