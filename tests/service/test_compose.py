"""The compose file, read as compose reads it, and its shell lines really run."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from stage2fuzz.coordinator.metrics import COUNTERS, GAUGES
from stage2fuzz.service.local import SERVERS
from tests.cli.terminal import command
from tests.service.rig import ROOT

FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("coordinator", "worker", "cli")
KEYS = {
    "build", "cap_drop", "command", "cpus", "depends_on", "environment", "healthcheck", "image",
    "init", "logging", "mem_limit", "networks", "pids_limit", "ports", "profiles", "read_only",
    "restart", "security_opt", "shm_size", "stop_grace_period", "stop_signal", "tmpfs", "user",
    "volumes", "working_dir",
}  # fmt: skip
"""Keys of a service that compose 1.29 and compose 2 both know."""


def with_defaults(text: str) -> str:
    """A value as compose fills it in where .env says nothing but the passwords."""
    asked = r"\$\{\w+(:-([^}]*)|:\?[^}]*)?\}"
    return re.sub(asked, lambda found: "secret" if found[2] is None else found[2], text)


def shell(service: str) -> str:
    """The shell line of a service's command, as the container's shell sees it."""
    words = SERVICES[service]["command"]
    assert words[:2] == ["sh", "-c"]
    return str(words[2]).replace("$$", "$")


def test_every_key_is_one_that_both_versions_of_compose_know() -> None:
    assert set(COMPOSE) == {"version", "x-service", "x-alive", "services", "networks", "volumes"}
    for name, service in SERVICES.items():
        assert set(service) <= KEYS, name
        for network in service["networks"]:
            assert network in COMPOSE["networks"], name
        for other in service.get("depends_on", ()):
            assert other in SERVICES, name
        for volume in service.get("volumes", ()):
            source = with_defaults(volume).split(":")[0]
            assert source in COMPOSE["volumes"] or source.startswith("./"), (name, volume)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_has_its_rights_taken_away_and_its_limits(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"] and service["pids_limit"]
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:"), port


def test_nothing_inside_can_reach_out() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    options = COMPOSE["networks"]["figures"]["driver_opts"]
    assert options == {"com.docker.network.bridge.enable_ip_masquerade": "false"}
    for name in ("redis", "postgres", "worker", "cli"):
        assert SERVICES[name]["networks"] == ["inside"]


def test_who_sends_has_a_way_out_one_password_and_nobody_who_waits_for_it() -> None:
    reach = {name for name, each in SERVICES.items() if "outside" in each["networks"]}
    assert reach == {"notify"}
    assert not [name for name, each in SERVICES.items() if "notify" in each.get("depends_on", ())]
    given = SERVICES["notify"]["environment"]
    assert given["STAGE2FUZZ_DATABASE"] == SERVICES["cli"]["environment"]["STAGE2FUZZ_DATABASE"]
    assert not {"STAGE2FUZZ_BROKER", "STAGE2FUZZ_WEB_TOKEN"} & set(given)
    assert SERVICES["notify"]["profiles"] == ["notify"]


def test_notify_takes_all_that_compose_gives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SERVICES["notify"]["environment"].items():
        monkeypatch.setenv(name, with_defaults(value))
    monkeypatch.setenv("STAGE2FUZZ_DATABASE", f"sqlite:///{tmp_path}/none.db")

    def say(name: str, value: str) -> str:
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            return command(*SERVICES["notify"]["command"][1:], "--once").refused()

    assert "nobody is to be told" in say("STAGE2FUZZ_NOTIFY_MOST", "")
    assert "no category 'grave'" in say("STAGE2FUZZ_NOTIFY_CATEGORY", "grave")
    assert "--most: 0 is out of range" in say("STAGE2FUZZ_NOTIFY_MOST", "0")
    assert "'two' is no address" in say("STAGE2FUZZ_MAIL", "one@example.org two")


def test_passwords_have_no_default() -> None:
    for use in re.findall(r"(?<!\$)\$\{?(\w*PASSWORD\w*)(.*?)[}\"\s]", FILE.read_text()):
        assert use[1].startswith(":?"), use


def test_the_example_says_every_variable_that_the_file_asks_for() -> None:
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", FILE.read_text()))
    told = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert asked == told


def test_whoever_runs_a_tree_has_the_trees_and_a_place_to_compile() -> None:
    for name in ("worker", "cli"):
        trees = [each for each in SERVICES[name]["volumes"] if each.endswith(":/kernel-trees:ro")]
        assert len(trees) == 1, name
        assert SERVICES[name]["environment"]["XDG_CACHE_HOME"] == "/scratch/cache"
        assert any(each.startswith("/scratch:exec") for each in SERVICES[name]["tmpfs"])


def test_files_go_in_and_out_of_the_command_line_s_container() -> None:
    assert any(each.endswith(":/exchange") for each in SERVICES["cli"]["volumes"])
    assert SERVICES["cli"]["command"] == ["sleep", "infinity"]
    assert "profiles" not in SERVICES["cli"]


def test_a_health_check_costs_milliseconds_and_sees_a_dead_process(tmp_path: Path) -> None:
    for name in ("coordinator", "worker"):
        kind, line = SERVICES[name]["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        alive = Path(SERVICES[name]["environment"]["STAGE2FUZZ_ALIVE"])
        assert str(alive) in line
        mine = tmp_path / f"{name}-alive"

        def healthy(line: str = line.replace(str(alive), str(mine))) -> bool:
            command = ["sh", "-c", line]
            return subprocess.run(command, capture_output=True, check=False).returncode == 0

        assert not healthy()
        mine.touch()
        before = os.times()
        assert healthy()
        after = os.times()
        spent = after.children_user + after.children_system
        assert spent - before.children_user - before.children_system < 0.2
        os.utime(mine, (time.time() - 60, time.time() - 60))
        assert not healthy()


def test_redis_takes_the_shell_s_place_asks_a_password_and_ends_cleanly(tmp_path: Path) -> None:
    server = next((found for name in SERVERS[::-1] if (found := shutil.which(name))), None)
    if server is None:
        pytest.skip("no Redis server is installed")
    line = shell("redis").replace("redis-server", server).replace("/tmp/", f"{tmp_path}/")
    line = line.replace("dir /data", f"dir {tmp_path}")
    line = line.replace("protected-mode no", f"port 0\\nunixsocket {tmp_path}/socket")
    process = subprocess.Popen(
        ["sh", "-c", line], env=os.environ | {"REDIS_PASSWORD": "secret"}, stdout=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            if (tmp_path / "socket").exists():
                break
            time.sleep(0.05)
        command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert b"redis" in command and b"secret" not in command
        assert (tmp_path / "redis.conf").stat().st_mode & 0o077 == 0
        redis = pytest.importorskip("redis")
        with (
            redis.Redis(unix_socket_path=str(tmp_path / "socket")) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()
        with redis.Redis(unix_socket_path=str(tmp_path / "socket"), password="secret") as known:
            assert known.ping()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()


def test_the_worker_takes_the_shell_s_place_and_ends_at_once() -> None:
    assert shell("worker").startswith("exec python -m stage2fuzz.worker ")
    assert SERVICES["worker"]["stop_signal"] == "SIGQUIT"
    assert all(SERVICES[name]["init"] for name in OURS)


def test_the_dashboard_shows_figures_that_there_are() -> None:
    folder = ROOT / "deploy"
    dashboard = json.loads((folder / "grafana" / "stage2fuzz.json").read_text())
    asked = set()
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            asked |= set(re.findall(r"stage2fuzz_\w+", target["expr"]))
    known = {f"stage2fuzz_{name}_total" for name in COUNTERS}
    known |= {f"stage2fuzz_{name}" for name in (*GAUGES, "workers", "slots", "orders")}
    assert asked <= known
    scrape = yaml.safe_load((folder / "prometheus.yml").read_text())["scrape_configs"][0]
    [target] = scrape["static_configs"][0]["targets"]
    host, port = target.split(":")
    assert host in SERVICES
    assert SERVICES[host]["environment"]["STAGE2FUZZ_METRICS"].endswith(f":{port}")


def test_the_figures_are_what_prometheus_reads() -> None:
    from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415

    from stage2fuzz.coordinator.metrics import RecordCollector  # noqa: PLC0415

    registry = CollectorRegistry()
    registry.register(RecordCollector())
    names = {
        each.name for each in text_string_to_metric_families(generate_latest(registry).decode())
    }
    assert {"stage2fuzz_workers", "stage2fuzz_schedules"} <= names


def test_every_file_that_is_mounted_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = with_defaults(volume).split(":")[0]
            if source.startswith("./deploy"):
                assert (ROOT / source).is_file(), source


def test_the_image_s_packages_are_those_of_a_lock_with_hashes() -> None:
    lock = (ROOT / "deploy" / "requirements.lock").read_text()
    assert "://" not in lock
    entries = [each for each in re.split(r"\n(?=\S)", lock) if not each.startswith("#")]
    locked = {}
    for each in entries:
        assert "--hash=sha256:" in each, each.splitlines()[0]
        name, version = each.split(maxsplit=1)[0].split("==")
        locked[name] = version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for needed in (*project["dependencies"], *extras["service"], *extras["web"]):
        name, floor, ceiling = re.fullmatch(
            r"([\w-]+)(?:\[\w+\])?>=([\d.]+)(?:,<([\d.]+))?(?:;.*)?", needed
        ).groups()  # type: ignore[union-attr]
        version = numbers(locked[name])
        assert numbers(floor) <= version, needed
        assert ceiling is None or version < numbers(ceiling), needed
    install = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes -r requirements.lock" in install
    assert "!deploy/requirements.lock" in (ROOT / ".dockerignore").read_text().splitlines()


def numbers(version: str) -> tuple[int, ...]:
    """A release as something to compare."""
    return tuple(int(each) for each in version.split(".") if each.isdecimal())
