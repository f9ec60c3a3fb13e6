"""The byte format's versions: what bytes meant once they mean for ever."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import cast

import pytest

from stage2fuzz.case import codec, menus
from stage2fuzz.case.case import Case
from stage2fuzz.case.codec import change_body, decode, encode, newest
from stage2fuzz.case.menus import VersionedMenu, menus_of
from stage2fuzz.case.profile import ANY, NOTIFIER, PROFILES, Profile
from stage2fuzz.case.scenario import HostOp, Op, Scenario
from stage2fuzz.case.text import format_case
from stage2fuzz.fuzz import greybox
from stage2fuzz.fuzz.mutate import Lcg, cross, mutate

ENGINE = "model:v5.10"
MEANT = {
    "map_race": "bf4758aecff9a592e44bd3e30b02d07c",
    "permission_mix": "694bb7d2dad2d5ff411ad491eb17aaff",
    "dirty_logging": "88be6f7e13624462acf1b6720c103772",
    "notifier": "370102ecfa1df4a73400429ae01738c4",
    "block_split": "38a4a03013addef8ba94acde205ba1d0",
    "any": "e04f65def773565343e0b415f7d2793f",
}
"""What 400 inputs of version 1 meant under each profile before the format had versions."""
NEW = cast(Op, max(Op) + 1)
"""An operation of tomorrow; no test may leave it, a bare number, in a cache that others use."""
TOMORROW = menus.NEWEST + 1


@pytest.mark.parametrize("name", MEANT)
def test_an_old_input_means_what_it_meant(name: str) -> None:
    total = hashlib.sha256()
    for number in range(400):
        draw = Random(f"{name} {number}")
        data = draw.randbytes(draw.randrange(400))
        total.update(format_case(decode(data, ENGINE, PROFILES[name])).encode())
    assert total.hexdigest()[:32] == MEANT[name]


def grown(profile: Profile) -> Profile:
    """A copy that allows the new operation, too."""
    return replace(profile, operations=(*profile.operations, NEW))


@pytest.fixture
def tomorrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The menus with one operation more, in the next version of the format."""
    operations = VersionedMenu({**menus.OPERATIONS.groups, TOMORROW: (NEW,)})
    monkeypatch.setattr(menus, "OPERATIONS", operations)
    monkeypatch.setattr(menus, "NEWEST", TOMORROW)
    forget()
    yield
    forget()


def forget() -> None:
    """Empty every cache that a menu, or what was made from one, may be in."""
    for cached in (codec._scenario, codec._host_op, menus_of, menus.pages_of):
        cached.cache_clear()


def test_one_operation_more_changes_no_byte_of_an_old_input(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    draw = Random(7)
    inputs = [draw.randbytes(draw.randrange(200)) for _ in range(200)]
    before = {
        profile.name: (
            menus_of(profile, 1).operations,
            [decode(data, ENGINE, profile) for data in inputs],
        )
        for profile in PROFILES.values()
    }
    request.getfixturevalue("tomorrow")
    for profile in PROFILES.values():
        larger = grown(profile)
        after = [decode(data, ENGINE, larger) for data in inputs]
        assert (menus_of(larger, 1).operations, after) == before[profile.name]
        assert NEW in menus_of(larger, TOMORROW).operations


@pytest.mark.usefixtures("tomorrow")
def test_an_old_input_is_written_in_the_new_version_and_means_the_same() -> None:
    draw = Random(8)
    for _ in range(50):
        case = decode(draw.randbytes(150), ENGINE)
        again = encode(case)
        assert again.startswith(codec.MAGIC + bytes((TOMORROW,)))
        assert decode(again, ENGINE) == case


@pytest.mark.usefixtures("tomorrow")
def test_the_new_operation_has_bytes_and_is_drawn_at_random() -> None:
    case = Case(ENGINE, Scenario(hosts=((HostOp(NEW), HostOp(Op.MOVE)),)))
    profile = grown(ANY)
    assert decode(encode(case), ENGINE, profile).scenario == case.scenario
    assert NEW in operations_of(newest(Random(n).randbytes(97)) for n in range(200))
    assert NEW not in operations_of(Random(n).randbytes(97) for n in range(200))


def operations_of(inputs: Iterator[bytes]) -> set[Op]:
    cases = (decode(data, ENGINE, grown(NOTIFIER)) for data in inputs)
    return {each.op for case in cases for program in case.scenario.hosts for each in program}


@pytest.mark.usefixtures("tomorrow")
def test_mutation_keeps_the_version_of_an_input() -> None:
    data, profile = newest(Random(3).randbytes(120)), grown(ANY)
    for seed in range(50):
        draw = Lcg(seed)
        flipped = change_body(data, lambda body, draw=draw: greybox.flip(body, draw))  # type: ignore[misc]
        for changed in (
            flipped,
            mutate(data, ENGINE, profile, seed, 400),
            cross(data, flipped, ENGINE, profile, seed, 400),
        ):
            assert changed.startswith(codec.MAGIC + bytes((TOMORROW,)))


@pytest.mark.usefixtures("tomorrow")
def test_a_version_that_nobody_knows_is_read_as_the_newest() -> None:
    body, profile = Random(4).randbytes(120), grown(ANY)
    assert decode(codec.MAGIC + b"\xff" + body, ENGINE, profile) == decode(
        newest(body), ENGINE, profile
    )
