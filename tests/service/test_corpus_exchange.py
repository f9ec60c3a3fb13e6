"""A campaign's corpus and libFuzzer's: out as files, in again measured, nothing twice."""

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import Engine

from stage2fuzz.case.codec import decode
from stage2fuzz.case.profile import profile_named
from stage2fuzz.coordinator import loop
from stage2fuzz.findings import campaigns
from stage2fuzz.findings.corpus import Corpus
from stage2fuzz.findings.database import open_database
from stage2fuzz.findings.store import Store
from stage2fuzz.service.orders import CampaignSpec
from tests.cli.terminal import command

INPUTS = tuple(bytes(range(n, n + 40)) for n in (0, 90, 170))


@pytest.fixture
def night(tmp_path: Path) -> tuple[Engine, str]:
    database = f"sqlite:///{tmp_path}/night.db"
    engine = open_database(database, create=True)
    spec = CampaignSpec("night", ("model:v5.12",), ("map_race", "dirty_log"))
    campaigns.create(engine, spec)
    return engine, database


def handed_in(folder: Path) -> Path:
    """The inputs as libFuzzer's files, in a folder."""
    folder.mkdir()
    for data in INPUTS:
        (folder / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
    return folder


def test_what_is_imported_is_measured_merged_and_exported_byte_for_byte(
    night: tuple[Engine, str], tmp_path: Path
) -> None:
    engine, database = night
    given = handed_in(tmp_path / "given")
    into = ("campaign", "import-corpus", "night", given, "--target", "map_race")
    said = command(*into, "--database", database)
    assert (said.code, said.out) == (0, "3 of 3 inputs handed in to night; 0 were there\n")
    again = command(*into, "--database", database)
    assert again.out == "0 of 3 inputs handed in to night; 3 were there\n"
    loop.tick(Store(engine), 1)
    with engine.connect() as connection:
        assert Corpus(connection, 1).known(("model:v5.12", "map_race"))
    said = command("campaign", "export-corpus", "night", tmp_path / "out", "--database", database)
    kept = {path.name: path.read_bytes() for path in (tmp_path / "out" / "map_race").iterdir()}
    assert said.out.startswith(f"{len(kept)} inputs in ")
    assert kept
    for name, data in kept.items():
        assert (given / name).read_bytes() == data
        assert decode(data, "model:v5.12", profile_named("map_race")).scenario.vcpus


def test_inputs_that_nobody_can_take_are_refused_and_the_others_kept(
    night: tuple[Engine, str], tmp_path: Path
) -> None:
    _, database = night
    given = handed_in(tmp_path / "given")
    (given / "large").write_bytes(bytes(1 << 17))
    (given / "link").symlink_to("/etc/passwd")
    last = ("--database", database)
    into = ("campaign", "import-corpus", "night", given)
    assert "map_race or dirty_log" in command(*into, "--target", "series", *last).refused()
    assert (
        "no folder" in command(*into[:-1], given / "none", "--target", "map_race", *last).refused()
    )
    (tmp_path / "empty").mkdir()
    empty = command(*into[:-1], tmp_path / "empty", "--target", "map_race", *last)
    assert "holds no input" in empty.refused()
    wrong = ("--engine", "model:v5.10")
    out = ("campaign", "export-corpus", "night", tmp_path / "out")
    assert "no model:v5.10; model:v5.12" in command(*out, *wrong, *last).refused()
    said = command(*into, "--target", "map_race", *last)
    assert said.out == "3 of 4 inputs handed in to night; 0 were there\n"
    assert said.err == "stage2fuzz: 1 are larger than 65536 bytes\n"
