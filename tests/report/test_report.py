"""What a report promises: every proof is shown, nothing is wider than asked, all is stable."""

import json
import xml.etree.ElementTree as ET

import pytest

from stage2fuzz import events as ev
from stage2fuzz.arch import (
    PTE_AF,
    PTE_READ,
    PTE_TABLE,
    PTE_VALID,
    PTE_WRITE,
    PTE_XN,
    READ,
    TRANSLATION,
    WRITE,
)
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Access, HostOp, Op, Scenario
from stage2fuzz.case.text import parse
from stage2fuzz.events import Event
from stage2fuzz.oracles.violation import Category, Violation
from stage2fuzz.report import event_log, event_record, mail, markdown, sequence_svg, text
from stage2fuzz.report.story import fold
from stage2fuzz.report.words import Words

IPA, HOST = 0x4000_0000, 0x10_0000_0000
ROOT, TABLE2, TABLE3 = 0x1000_0000, 0x1000_2000, 0x1000_3000
LEAF = HOST | PTE_VALID | PTE_TABLE | PTE_AF | PTE_READ | PTE_XN
CASE = Case(scenario=Scenario(vcpus=((Access(WRITE, 0),), (Access(READ, 0),))))
EVENTS: list[Event] = [
    (ev.ROOT, -1, ROOT, 1, 1, 40),
    (ev.SLOT, -1, IPA, 0x4000, 0, 0),
    (ev.WALK, 0, ROOT + 8, 0, 0, 1),
    (ev.FAULT, 0, IPA, WRITE, TRANSLATION, 1),
    (ev.LOCK, 0, ev.LOCK_MMU, 0, 0, 0),
    (ev.CALL, 0, IPA, 0x1000, HOST, ev.CALL_MAP | 6 << 8),
    (ev.STORE, 0, TABLE2, 0, TABLE3 | 3, ev.ORDER_PLAIN),
    (ev.STORE, 0, ROOT + 8, 0, TABLE2 | 3, ev.ORDER_RELEASE),
    (ev.STORE, 0, TABLE3, 0, LEAF | PTE_WRITE, ev.ORDER_RELEASE),
    (ev.RETURN, 0, IPA, 0x1000, 0, ev.CALL_MAP),
    (ev.UNLOCK, 0, ev.LOCK_MMU, 0, 0, 0),
    (ev.STORE, 1, TABLE3, LEAF | PTE_WRITE, LEAF, ev.ORDER_RELEASE | ev.PENDING),
    (ev.TLBI, 1, IPA, 0, 1, ev.tlbi_aux(ev.TLBI_IPAS2E1, True, 3)),
    (ev.RETURN, 1, IPA, 0x1000, -11, ev.CALL_MAP),
    (ev.ACCESS, 1, IPA, READ, HOST, 0),
]
VIOLATION = Violation(
    "C6",
    "permission taken away",
    Category.CORRECTNESS,
    "vCPU 1 takes away the write permission that vCPU 0 was just given & more.",
    (8, 11),
    "C6 read takes write",
)


def test_the_interleaving_is_numbered_decoded_and_marked() -> None:
    assert (
        text(CASE, EVENTS, [VIOLATION], 100)
        == """\
engine model:v5.10
slot 0: pages 4
vcpu 0: write 0
vcpu 1: read 0

      vCPU 0                                     vCPU 1
      ------                                     ------
   3  write 0x40000000: translation fault at L1
   4  lock mmu_lock
   5  kvm_pgtable_stage2_map(0x40000000, rw-)
   6  L2 0x40000000 = table 0x10003000
   7  L1 0x40000000 = table 0x10002000
>  8  L3 0x40000000 = page 0x1000000000 rw- AF
  10  unlock mmu_lock

> 11                                             L3 0x40000000 = page 0x1000000000 r-- AF (was rw-
                                                   AF) (not yet visible)
  12                                             tlbi ipas2e1is 0x40000000, level 3
  13                                             kvm_pgtable_stage2_map returns -EAGAIN
  14                                             read 0x40000000 done

> C6 permission taken away (correctness): vCPU 1 takes away the write permission that vCPU 0 was
  just given & more.
"""
    )


@pytest.mark.parametrize("width", [40, 56, 64, 80, 100, 160])
@pytest.mark.parametrize("full", [False, True])
def test_no_line_is_wider_than_asked(width: int, full: bool) -> None:
    report = text(CASE, EVENTS, [VIOLATION, VIOLATION], width, full)
    assert max(map(len, report.splitlines())) <= width


def test_columns_that_would_be_too_narrow_become_one() -> None:
    report = text(CASE, EVENTS, [VIOLATION], 50)
    assert "\n>  8  vCPU 0: L3 0x40000000 = page 0x1000000000\n" in report
    assert "\n  14  vCPU 1: read 0x40000000 done\n" in report


def test_several_verdicts_have_letters() -> None:
    other = Violation("E1", "needless", Category.ECONOMY, "No need.", (11,), "E1")
    report = text(CASE, EVENTS, [VIOLATION, other], 100)
    assert "\na>   8  L3" in report
    assert "\nab> 11  " in report
    assert "\na> C6 permission taken away" in report
    assert "\nb> E1 needless (economy): No need.\n" in report


def test_a_proof_is_never_hidden_and_full_hides_nothing() -> None:
    proof = Violation("C1", "rule", Category.CORRECTNESS, "So.", (0, 2, 9), "C1")
    report = text(CASE, EVENTS, [proof], 100)
    for number in (0, 2, 9):
        assert any(line.split()[:2] == [">", str(number)] for line in report.splitlines())
    full = text(CASE, EVENTS, [], 100, full=True)
    numbers = [line.split()[0] for line in full.splitlines() if line[:4].strip().isdigit()]
    assert numbers == [str(number) for number in range(len(EVENTS))]
    assert full.endswith("\nno violation\n")


def test_barriers_are_shown_where_a_verdict_is_about_the_architecture() -> None:
    events: list[Event] = [
        (ev.DSB, 0, 0, 0, 0, ev.DSB_ISHST),
        (ev.CONTEXT, 0, 0, 0, 1, 0),
        EVENTS[12],
    ]
    for oracle, shown in [("C6", (0, 0)), ("A2", (1, 0)), ("A6", (1, 1))]:
        violation = Violation(oracle, "rule", Category.CORRECTNESS, "So.", (2,), oracle)
        report = text(CASE, events, [violation], 80)
        assert (report.count("dsb(ishst)"), report.count("VTTBR_EL2")) == shown


def test_host_threads_are_named_after_the_vcpus() -> None:
    case = Case(scenario=Scenario(hosts=((HostOp(Op.LOG_GET),),)))
    events: list[Event] = [(ev.CALL, 1, IPA, 0x4000, 0, ev.CALL_LOG_GET)]
    report = text(case, events, [], 80)
    assert "host 0\n" in report
    assert "KVM_GET_DIRTY_LOG(0x40000000 +16 KiB)" in report


def test_markdown_holds_the_verdict_and_a_case_that_parses() -> None:
    report = markdown(CASE, EVENTS, [VIOLATION])
    assert report.startswith("# permission taken away: model:v5.10\n")
    assert VIOLATION.verdict in report
    assert report.count("```") == 4
    assert parse(report.split("```text\n")[-1].split("```")[0], "report") == CASE


def test_the_picture_is_xml_with_a_lane_for_each_thread_and_a_shaded_window() -> None:
    root = ET.fromstring(sequence_svg(CASE, EVENTS, [VIOLATION]))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    heads = [one.text for one in root.iter() if one.get("class") == "head"]
    assert heads == ["vCPU 0", "vCPU 1"]
    assert len([one for one in root.iter() if one.get("class") == "window"]) == 1
    assert "given & more." in " ".join(one.text or "" for one in root.iter())


def test_a_run_without_steps_still_has_its_reports() -> None:
    assert "no violation" in text(CASE, [], [], 80)
    assert "no violation" in markdown(CASE, [], [])
    ET.fromstring(sequence_svg(CASE, [], []))


def test_the_log_says_every_used_field_and_no_other() -> None:
    assert (
        event_log([*EVENTS[:4], EVENTS[13]])
        == """\
   0 setup root where=0x10000000 old=1 new=1 aux=40
   1 setup slot where=0x40000000 old=0x4000 new=0 aux=0
   2     0 walk where=0x10000008 new=0 aux=1
   3     0 fault where=0x40000000 old=2 new=1 aux=1
   4     1 return where=0x40000000 old=0x1000 new=-11 aux=1
"""
    )


def test_json_is_one_line_an_event() -> None:
    assert event_record(EVENTS[2]) == {
        "event": "walk",
        "thread": 0,
        "where": ROOT + 8,
        "new": 0,
        "aux": 1,
    }
    assert json.loads(json.dumps(event_record(EVENTS[0]))) == event_record(EVENTS[0])


@pytest.mark.parametrize("kind", sorted(ev.KINDS))
@pytest.mark.parametrize("payload", [(1, 1, 1, 1), (IPA, 0x1000, HOST, 0), (2, 0, -12, 2)])
def test_every_kind_of_event_has_words(kind: int, payload: tuple[int, int, int, int]) -> None:
    if kind in (ev.CALL, ev.RETURN, ev.TLBI):
        payload = (*payload[:3], 1)
    if kind in (ev.LOCK, ev.UNLOCK):
        payload = (ev.LOCK_SLOTS, *payload[1:])
    if kind == ev.ROOT:
        payload = (ROOT, 0, 1, 48)
    if kind == ev.FAULT:
        payload = (payload[0], READ, TRANSLATION, 3)
    if kind in (ev.ACCESS, ev.RESUME):
        payload = (payload[0], WRITE, *payload[2:])
    event: Event = (kind, 0, *payload)
    assert Words([event]).say(event).strip()


def test_words_fold_at_spaces_and_after_the_name_of_a_call() -> None:
    assert fold("kvm_pgtable_stage2_unmap(0x40000000 +2 MiB)", 26) == [
        "kvm_pgtable_stage2_unmap(",
        "  0x40000000 +2 MiB)",
    ]
    assert fold("L3 0x40000000 = page rw- AF (was r-- AF)", 32) == [
        "L3 0x40000000 = page rw- AF (was",
        "  r-- AF)",
    ]
    assert fold("x" * 45, 20) == ["x" * 20, "  " + "x" * 18, "  " + "x" * 7]
    assert fold("", 20) == [""]
    assert fold("x" * 20, -5) == ["x" * 12, "  " + "x" * 8]


def test_a_root_of_a_machine_with_features_is_decoded() -> None:
    root = (ev.ROOT, -1, ROOT, 1, 1, 40 | ev.ROOT_DIC | ev.ROOT_FWB)
    hyp = (ev.ROOT, -1, TABLE3, 1, -1, 39)
    words = Words([root, hyp])
    assert words.say(root) and words.say(hyp)
    assert words.entry(ROOT + 8) == "L1 0x40000000"
    assert words.entry(ROOT + 0x1008) == "L1 0x8040000000"
    assert words.entry(TABLE3 + 8) == "hyp L1 0x40000000"


def test_a_table_that_is_filled_before_it_is_linked_is_decoded() -> None:
    words = Words(EVENTS)
    assert [words.say(event) for event in EVENTS[6:8]] == [
        "L2 0x40000000 = table 0x10003000",
        "L1 0x40000000 = table 0x10002000",
    ]


def test_a_mail_fits_75_columns_and_can_be_a_commit_message() -> None:
    said = mail(CASE, EVENTS, [VIOLATION])
    lines = said.splitlines()
    assert lines[0] == f"Subject: permission taken away on {CASE.engine}"
    assert max(map(len, lines)) <= 75
    assert not any(line.startswith("#") for line in lines)
    assert "vCPU 1 takes away the write permission" in " ".join(said.split())
    begin = lines.index("stage2fuzz case 1")
    assert parse("\n".join(lines[begin:]) + "\n", "mail").scenario == CASE.scenario
