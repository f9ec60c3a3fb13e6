"""Cases of host CPUs: text, bytes, mutation, and a scenario that only this engine runs."""

from random import Random

import pytest

from stage2fuzz.case.case import Case
from stage2fuzz.case.codec import decode, encode
from stage2fuzz.case.el2 import EL2_FIELDS, HypCall, HypOp
from stage2fuzz.case.profile import HYPERCALLS, profile_named
from stage2fuzz.case.scenario import Access, Scenario
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.errors import InputError
from stage2fuzz.fuzz.mutate import mutate
from stage2fuzz.hyp.draw import PURPOSES
from stage2fuzz.kernel.native import encode as kernel_encode
from stage2fuzz.minimise.order import cost
from stage2fuzz.run import run

ENGINE = "hyp:linux"
TEXT = """stage2fuzz case 1
engine hyp:linux
option teardown
cpu 0: load vm 2 flag, guest-write page 1 gfn 2, put
cpu 1: force-reclaim page 1, share-hyp page 3
schedule 0*12 1
end
"""


def test_a_text_is_what_it_says() -> None:
    case = parse(TEXT, "here")
    assert case.scenario.cpus[0][0] == HypCall(HypOp.LOAD, vm=2, flag=1)
    assert case.scenario.threads == 2
    assert format_case(case) == TEXT


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("cpu 0: load", "'load vm N flag'"),
        ("cpu 0: put vm 1", "'put'"),
        ("cpu 0: share-hyp page 9", "0 to 3"),
        ("cpu 0: fly", "unknown call of a host CPU"),
        ("vcpu 0: read 0\ncpu 0: put", "host CPUs alone"),
    ],
)
def test_a_wrong_line_is_told(line: str, told: str) -> None:
    wrong = TEXT.replace("cpu 0: load vm 2 flag, guest-write page 1 gfn 2, put", line)
    with pytest.raises(InputError, match=told):
        parse(wrong, "here")


def test_every_byte_string_is_a_case_and_every_case_a_byte_string() -> None:
    for number in range(300):
        draw = Random(number)
        case = decode(draw.randbytes(draw.randrange(260)), ENGINE, HYPERCALLS)
        assert decode(encode(case), ENGINE, HYPERCALLS) == case
        assert parse(format_case(case), "here") == case


def test_every_call_has_bytes_with_a_vcpu_loaded_and_without() -> None:
    for op in HypOp:
        for before in ((), (HypCall(HypOp.LOAD),)):
            fields = dict.fromkeys(EL2_FIELDS[op], 1)
            case = Case(ENGINE, Scenario(vcpus=(), cpus=((*before, HypCall(op, **fields)),)))
            assert decode(encode(case), ENGINE, HYPERCALLS) == case


def test_a_mutated_input_is_another_case_of_host_cpus() -> None:
    data = encode(Case(ENGINE, PURPOSES[3]))
    changed = {mutate(data, ENGINE, HYPERCALLS, seed, 600) for seed in range(40)}
    cases = [decode(each, ENGINE, HYPERCALLS) for each in changed]
    assert all(case.scenario.cpus and not case.scenario.vcpus for case in cases)
    assert any(case.scenario != PURPOSES[3] for case in cases)


def test_another_engine_refuses_host_cpus() -> None:
    with pytest.raises(InputError, match="hyp:TREE"):
        kernel_encode(PURPOSES[0])
    with pytest.raises(InputError, match="hyp:TREE"):
        run(Case("model:v5.12", PURPOSES[0]))
    assert profile_named("hypercalls") is HYPERCALLS


def test_a_call_less_is_simpler() -> None:
    calls = PURPOSES[0].cpus
    fewer = Scenario(vcpus=(), options=PURPOSES[0].options, cpus=(calls[0][:1], *calls[1:]))
    assert cost(Case(ENGINE, fewer), 9) < cost(Case(ENGINE, PURPOSES[0]), 0)
    assert Scenario(vcpus=((Access(1, 0),),)).cpus == ()
