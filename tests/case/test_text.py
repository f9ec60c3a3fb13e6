"""Text <-> Case: exact for what is right, one clear line for what is wrong."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import (
    SLOT_STRIDE,
    Access,
    Backing,
    Host,
    HostOp,
    HostPage,
    Op,
    Options,
    Scenario,
    Slot,
    Tlb,
)
from stage2fuzz.case.text import format_case, parse, read_case
from stage2fuzz.errors import InputError
from stage2fuzz.schedule.base import FOREVER, Schedule
from tests.case.case_strategies import cases

BY_HAND = """\
stage2fuzz case 1
# Two vCPUs touch one page while the host reads its dirty log.
engine model:v5.10+p2

option ipa-bits 48
option tlb sticky
option pending-stores
slot 0: pages 512, backing pmd, logging
slot 1: pages 4, readonly
host-page 1: lazy          # a clean page of a shared file
vcpu 0: write 0, read 1/2
vcpu 1: execute 511
host 0: log-get 0, log-clear 511 pages 512
schedule 0*12 1*5
schedule 1*2 2
choices 0 1
choices 2 0
end
"""
VOCABULARY = """stage2fuzz case 1 engine model:v5.10 option tlb slot vcpu host host-page schedule
choices end 0: 1: 0 7 99999999999 , # 0*3 0* *1 -1 write read move pages 1/0 9/9 rw lazy é"""
WORDS = st.sampled_from([*VOCABULARY.split(), "\n"])


def test_what_a_person_writes_is_what_the_case_is() -> None:
    assert parse(BY_HAND, "by-hand.case") == Case(
        "model:v5.10+p2",
        Scenario(
            (Slot(512, Backing.PMD, logging=True), Slot(4, readonly=True)),
            ((Access(WRITE, 0), Access(READ, SLOT_STRIDE + 2)), (Access(EXECUTE, 511),)),
            ((HostOp(Op.LOG_GET), HostOp(Op.LOG_CLEAR, 511, 512)),),
            (HostPage(1, Host.LAZY),),
            Options(ipa_bits=48, tlb=Tlb.STICKY, pending_stores=True),
        ),
        Schedule(((0, 12), (1, 7), (2, FOREVER)), (0, 1, 2)),
    )


BUILD = "32b4f4411955222c15a59d2c"


@given(cases(), st.sampled_from(("", BUILD)))
def test_text_and_case_are_one_to_one(plain: Case, build: str) -> None:
    case = replace(plain, build=build)
    text = format_case(case, ["found by map_race\nC6 and more"])
    assert parse(text, "case") == case
    assert format_case(parse(text, "case")) == format_case(case)
    listed = [line for line in text.splitlines() if line.startswith(("schedule", "choices"))]
    assert max(map(len, listed), default=0) <= 80


@given(st.one_of(st.text(max_size=300), st.lists(WORDS, max_size=40).map(" ".join)))
def test_any_other_text_is_refused_in_one_line(text: str) -> None:
    for candidate in (text, f"stage2fuzz case 1\nengine model:v5.10\n{text}"):
        try:
            parse(candidate, "some.case")
        except InputError as error:
            assert str(error).startswith("some.case")
            assert "\n" not in str(error)


@given(cases(), st.data())
def test_a_text_that_is_cut_off_is_never_another_case(case: Case, data: st.DataObject) -> None:
    text = format_case(case)
    part = text[: data.draw(st.integers(0, len(text) - 2))]
    with pytest.raises(InputError):
        parse(part, "part.case")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("case 1", "case 2", "x.case:1: case format 2; this version of stage2fuzz reads 1"),
        ("model:v5.10+p2", "v5.10", "x.case:3: engine 'v5.10'; KIND:NAME, such as model:v5.10"),
        ("tlb sticky", "tlb stuck", "x.case:6: unknown TLB 'stuck'; one of fresh, sticky, sampled"),
        ("ipa-bits 48", "ipa-bits 41", "x.case:5: 41 IPA bits; one of 40, 48"),
        ("slot 1", "slot 2", "x.case:9: slot 2; slot 1 comes next"),
        ("pages 4,", "pages 6,", "x.case:9: a slot of 6 pages; one of 1, 2, 3, 4"),
        ("host-page 1:", "host-page 1/2000:", "x.case:10: page 2000 of a slot; one of 0, 1"),
        ("host-page 1:", "host-page 512:", "x.case:10: page 512 of slot 0; it has 512 pages"),
        (": lazy", ": rw", "x.case:10: host page rw; rw is what every other page has"),
        ("write 0", "store 0", "x.case:11: unknown access 'store'; one of read, write, execute"),
        ("1/2", "2/2", "x.case:11: a page in slot 2; slots 0 to 1"),
        ("log-get 0", "log-get 0 to 4", "x.case:13: host operation 'log-get 0 to 4'; such as"),
        ("1*5", "6*5", "x.case:14: thread: 6; 0 to 5"),
        ("1*5", "1*0", "x.case:14: points of a run: 0; 1 to 1073741824"),
        ("choices 2", "choices 256", "x.case:17: choice: 256; 0 to 255"),
        ("end\n", "", "x.case: the case is cut off; its last line must be 'end'"),
        ("end\n", "end\nengine model:v5.12\n", "x.case:19: a line after the end; nothing but"),
    ],
)
def test_an_error_names_file_line_fault_and_remedy(old: str, new: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(BY_HAND.replace(old, new, 1), "x.case")
    assert str(caught.value).startswith(message)


RACE = Scenario(vcpus=((Access(WRITE, 0),), (Access(READ, 0),)))
EXECUTED = Case("kernel:linux", RACE, Schedule(((0, 3), (1, 2))), BUILD)


def test_a_case_that_a_build_executed_names_it_until_somebody_edits_the_case() -> None:
    text = format_case(EXECUTED)
    assert parse(text, "x.case").build == EXECUTED.build
    assert parse(text.replace("0*3", "0*4"), "x.case").build == ""
    assert parse(text.replace("write 0", "execute 0"), "x.case").build == ""
    assert parse(text.replace("kernel:linux", "kernel:/moved"), "x.case").build == EXECUTED.build


def test_a_build_without_a_checksum_is_taken_at_its_word() -> None:
    checksum = format_case(EXECUTED).partition(EXECUTED.build)[2].partition("\n")[0]
    text = format_case(EXECUTED).replace(checksum, "").replace("0*3", "0*4")
    assert parse(text, "x.case").build == EXECUTED.build


@pytest.mark.parametrize("line", ["build", "build v5.10", "build 32b4f4411955222c15a59d2c 7"])
def test_a_build_that_is_no_key_is_refused(line: str) -> None:
    text = BY_HAND.replace("option pending-stores", line)
    with pytest.raises(InputError, match=r"x.case:7: not one build; a single line 'build KEY"):
        parse(text, "x.case")


def test_files_that_are_no_cases_are_refused(tmp_path: Path) -> None:
    binary, missing = tmp_path / "binary", tmp_path / "missing"
    binary.write_bytes(b"stage2fuzz case 1\n\xff\xfe")
    with pytest.raises(InputError, match="not text"):
        read_case(binary)
    with pytest.raises(InputError, match="No such file"):
        read_case(missing)
    with pytest.raises(InputError, match="directory"):
        read_case(tmp_path)


def test_a_file_reads_back_as_its_case(tmp_path: Path) -> None:
    path = tmp_path / "seed.case"
    path.write_text(BY_HAND)
    assert read_case(path) == parse(BY_HAND, "")
