"""Random cases of host CPUs, and small ones with a purpose that chance makes seldom."""

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Final

from stage2fuzz.case.codec import decode
from stage2fuzz.case.el2 import HypCall, HypOp
from stage2fuzz.case.profile import HYPERCALLS
from stage2fuzz.case.scenario import Options, Scenario

SCENARIO_BYTES: Final = 128
H: Final = HypOp


def _cpus(*programs: tuple[HypCall, ...]) -> Scenario:
    return Scenario(vcpus=(), options=Options(teardown=True), cpus=programs)


def _guest(vm: int, *calls: HypCall, vcpu: int = 0) -> tuple[HypCall, ...]:
    """A vCPU is loaded, does this, and is put."""
    return (HypCall(H.LOAD, vm=vm, flag=vcpu), *calls, HypCall(H.PUT))


PURPOSES: Final = (
    _cpus(
        _guest(0, HypCall(H.GUEST_WRITE, page=0, gfn=0), HypCall(H.GUEST_READ, page=0, gfn=0)),
        _guest(1, HypCall(H.GUEST_READ, page=0, gfn=1), HypCall(H.MKYOUNG_GUEST, gfn=1)),
        (HypCall(H.UNSHARE_GUEST, vm=0), HypCall(H.UNSHARE_GUEST, vm=1, gfn=1)),
    ),
    _cpus(
        _guest(0, HypCall(H.GUEST_READ, page=0), HypCall(H.RELAX_GUEST, flag=1)),
        (HypCall(H.WRPROTECT_GUEST), HypCall(H.AGE_GUEST, flag=1), HypCall(H.UNSHARE_GUEST)),
        _guest(0, HypCall(H.GUEST_WRITE, page=0), HypCall(H.MKYOUNG_GUEST), vcpu=1),
    ),
    _cpus(
        _guest(2, HypCall(H.GUEST_WRITE, page=0), HypCall(H.GUEST_SHARE), vcpu=0),
        (HypCall(H.HOST_READ), HypCall(H.FORCE_RECLAIM), HypCall(H.HOST_READ)),
    ),
    _cpus(
        _guest(
            2,
            HypCall(H.GUEST_WRITE, page=0),
            HypCall(H.GUEST_SHARE),
            HypCall(H.GUEST_UNSHARE),
            HypCall(H.GUEST_WRITE, page=1),
        ),
        (HypCall(H.HOST_WRITE), HypCall(H.HOST_READ), HypCall(H.FORCE_RECLAIM)),
        _guest(2, HypCall(H.GUEST_SHARE), HypCall(H.GUEST_READ, page=2), vcpu=1),
    ),
    _cpus(
        _guest(2, HypCall(H.GUEST_WRITE, page=0), HypCall(H.GUEST_WRITE, page=1, gfn=1)),
        (
            HypCall(H.START_TEARDOWN, vm=2),
            HypCall(H.RECLAIM_GFN, vm=2),
            HypCall(H.FINALIZE_TEARDOWN, vm=2),
            HypCall(H.HOST_READ),
        ),
        _guest(2, HypCall(H.GUEST_READ, page=2), vcpu=1),
    ),
    _cpus(
        (HypCall(H.SHARE_HYP), HypCall(H.PIN), HypCall(H.UNPIN), HypCall(H.UNSHARE_HYP)),
        (HypCall(H.PIN), HypCall(H.UNSHARE_HYP), HypCall(H.UNPIN)),
        _guest(0, HypCall(H.GUEST_WRITE, page=0)),
    ),
    _cpus(
        (HypCall(H.SHARE_HYP), HypCall(H.PIN), HypCall(H.UNSHARE_HYP)),
        (HypCall(H.UNSHARE_HYP), HypCall(H.DONATE_HYP), HypCall(H.RECLAIM_HYP)),
    ),
    _cpus(
        (HypCall(H.HOST_WRITE), HypCall(H.DONATE_HYP), HypCall(H.RECLAIM_HYP)),
        (HypCall(H.HOST_READ), HypCall(H.SHARE_HYP), HypCall(H.HOST_WRITE)),
        (HypCall(H.SHARE_FFA), HypCall(H.UNSHARE_FFA), HypCall(H.DONATE_HYP)),
    ),
    _cpus(
        (HypCall(H.CREATE, vm=3), *_guest(3, HypCall(H.GUEST_WRITE, page=0))),
        (HypCall(H.START_TEARDOWN, vm=1), HypCall(H.FINALIZE_TEARDOWN, vm=1)),
        _guest(1, HypCall(H.GUEST_READ, page=1, gfn=1)),
    ),
    _cpus(
        (*_guest(0, HypCall(H.GUEST_WRITE, page=0)), HypCall(H.START_TEARDOWN, vm=0)),
        (
            HypCall(H.HOST_READ),
            HypCall(H.START_TEARDOWN, vm=0),
            HypCall(H.FINALIZE_TEARDOWN, vm=0, flag=1),
        ),
    ),
    _cpus(
        (*_guest(1, HypCall(H.GUEST_WRITE, page=2, gfn=3)), HypCall(H.START_TEARDOWN, vm=1)),
        (HypCall(H.FINALIZE_TEARDOWN, vm=1), HypCall(H.CREATE, vm=1), HypCall(H.LOAD, vm=1)),
        (HypCall(H.LOAD, vm=1, flag=1), HypCall(H.PUT), HypCall(H.FINALIZE_TEARDOWN, vm=1)),
    ),
)
"""Each is about one way in which calls meet."""


def draw(seed: int, number: int) -> Scenario:
    """Random scenario ``number``; the same for the same numbers."""
    data = Random(f"{seed} {number}").randbytes(SCENARIO_BYTES)
    return decode(data, "hyp:", HYPERCALLS).scenario


def draw_scenarios(seed: int) -> Iterator[Scenario]:
    """Those with a purpose, then random ones without end; the same for the same seed."""
    yield from PURPOSES
    yield from (draw(seed, number) for number in count())
