"""Bytes <-> Case: total, exact, local."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2fuzz.arch import READ, WRITE
from stage2fuzz.case import codec, menus
from stage2fuzz.case.case import Case
from stage2fuzz.case.codec import decode, encode, newest
from stage2fuzz.case.limits import check_case, normal
from stage2fuzz.case.profile import (
    ANY,
    DIRTY_LOGGING,
    MAP_RACE,
    NOTIFIER,
    PROFILES,
    Profile,
    profile_named,
)
from stage2fuzz.case.scenario import (
    PLACES,
    RANGE_PAGES,
    SLOT_FIRSTS,
    SLOT_PAGES,
    Access,
    Backing,
    Host,
    Op,
    Scenario,
    Tlb,
)
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.errors import InputError
from stage2fuzz.schedule.base import FOREVER, Schedule
from tests.case.case_strategies import cases

ENGINE = "model:v5.10"
profiles = st.sampled_from(list(PROFILES.values()))


@given(st.binary(max_size=400), profiles)
def test_every_byte_string_is_a_case_within_the_limits(data: bytes, profile: Profile) -> None:
    case = decode(data, ENGINE, profile)
    check_case(case, "decoded")
    assert case.engine == ENGINE
    assert len(case.scenario.vcpus) in profile.vcpus


@given(cases())
def test_every_case_has_bytes(case: Case) -> None:
    assert decode(encode(case), case.engine) == case


@given(st.binary(max_size=400), profiles)
def test_a_case_keeps_its_bytes_under_every_profile_that_allows_it(
    data: bytes, profile: Profile
) -> None:
    case = decode(data, ENGINE, profile)
    again = encode(case)
    assert decode(again, ENGINE, profile) == decode(again, ENGINE, ANY) == case


@given(cases(), st.data())
def test_bytes_that_are_cut_off_still_are_a_case(case: Case, data: st.DataObject) -> None:
    whole = encode(case)
    part = whole[: data.draw(st.integers(codec.HEADER_BYTES, len(whole)))]
    cut = decode(part, case.engine)
    check_case(cut, "cut off")
    missing = codec.HEADER_BYTES + codec.SCHEDULE_AT - len(part)
    assert cut == decode(part + bytes(max(0, missing)), case.engine)


def test_no_bytes_are_a_write_and_a_read_of_one_page() -> None:
    scenario = decode(b"", ENGINE).scenario
    assert scenario == Scenario(vcpus=((Access(WRITE, 0),), (Access(READ, 0),)))
    assert decode(bytes(codec.SCHEDULE_AT), ENGINE).scenario == scenario
    assert decode(newest(b""), ENGINE).scenario == scenario


@given(st.binary(min_size=codec.SCHEDULE_AT, max_size=300), st.integers(0, 255), st.data())
def test_a_changed_byte_changes_one_stream(data: bytes, value: int, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    changed = data[:at] + bytes([value]) + data[at + 1 :]
    before, after = decode(newest(data), ENGINE), decode(newest(changed), ENGINE)
    if at >= codec.CHOICES_AT:
        assert after.scenario == before.scenario
    if codec.CHOICES_AT <= at < codec.SCHEDULE_AT:
        assert after.schedule.runs == before.schedule.runs
    if at < codec.CHOICES_AT:
        assert after.schedule.choices == before.schedule.choices


def test_runs_of_one_thread_are_one_run() -> None:
    data = bytes(codec.SCHEDULE_AT) + bytes([0, 9, 0, 9, 1, 255, 1, 3, 0xF0, 7, 1, 0])
    schedule = decode(newest(data), ENGINE).schedule
    assert schedule.runs == ((0, 20), (1, FOREVER))
    assert schedule.choices[codec.CHOICES :] == (7,)


@pytest.mark.parametrize("points", [1, 240, 241, 255, 256, 257, 12_345, FOREVER - 1, FOREVER])
def test_every_number_of_points_has_bytes(points: int) -> None:
    case = replace(decode(b"", ENGINE), schedule=Schedule(((1, points), (0, 3))))
    assert decode(encode(case), ENGINE) == case


def test_normal_form_keeps_what_a_schedule_says() -> None:
    schedule = Schedule(((0, 2), (0, FOREVER), (1, 1)), (0, 3, 0, 0))
    assert normal(schedule) == Schedule(((0, FOREVER), (1, 1)), (0, 3))


def test_a_schedule_that_is_not_in_normal_form_is_written_in_it() -> None:
    schedule = Schedule(((0, 2), (0, 3), (1, 1)), (0, 3, 0))
    case = replace(decode(b"", ENGINE), schedule=schedule)
    wanted = replace(case, schedule=normal(schedule))
    assert decode(encode(case), ENGINE) == parse(format_case(case), "case") == wanted


def test_a_case_beyond_the_limits_is_refused() -> None:
    case = Case(scenario=Scenario(vcpus=((Access(READ, 9),),)))
    with pytest.raises(InputError, match=r"page 9 of a slot; one of 0, 1, 2, 511"):
        encode(case)


@given(st.binary(max_size=150))
def test_a_profile_holds_what_it_promises(data: bytes) -> None:
    race = decode(data, ENGINE, MAP_RACE).scenario
    assert len(race.vcpus) >= 2 and not race.hosts and not any(slot.logging for slot in race.slots)
    assert all(access.page < race.slots[0].pages for vcpu in race.vcpus for access in vcpu)
    assert all(slot.logging for slot in decode(data, ENGINE, DIRTY_LOGGING).scenario.slots)
    notified = decode(data, ENGINE, NOTIFIER).scenario
    assert notified.hosts
    assert all(op.op not in (Op.LOG_GET, Op.TEARDOWN) for host in notified.hosts for op in host)


def test_an_unknown_profile_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"profile 'nothing': no such profile; one of map_race"):
        profile_named("nothing")


def test_the_menus_leave_no_value_out() -> None:
    newest = menus.NEWEST
    assert sorted(menus.SIZES.values(newest)) == sorted(SLOT_PAGES)
    assert sorted(menus.OPERATIONS.values(newest)) == sorted(Op)
    assert set(menus.FIRSTS) == set(SLOT_FIRSTS)
    assert len(set(PLACES)) == len(PLACES) == 72
    assert len(set(RANGE_PAGES)) == len(RANGE_PAGES) == 17
    assert sorted(menus.BACKINGS.values(newest)) == sorted(Backing)
    assert sorted(menus.HOST_KINDS.values(newest)) == sorted(set(Host) - {Host.RW})
    assert sorted(menus.TLBS.values(newest)) == sorted(Tlb)
    for kinds in menus.KINDS:
        assert sorted(kinds.values(newest)) == [1, 2, 4]
