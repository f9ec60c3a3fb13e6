"""Nothing that a case can say is out of reach of the fuzz targets."""

from dataclasses import fields
from functools import cache
from random import Random

from stage2fuzz.arch import INSTRUCTIONS
from stage2fuzz.case.codec import CHOICES_AT, decode, newest
from stage2fuzz.case.profile import OPTION_NAMES, PROFILES
from stage2fuzz.case.scenario import Backing, Host, Op, Options, Scenario, Slot

TARGETS = [profile for name, profile in PROFILES.items() if name != "any"]
INPUTS = 1500
"""Random inputs a target."""


@cache
def drawn() -> tuple[Scenario, ...]:
    """Scenarios of random inputs of every target."""
    return tuple(
        decode(newest(_bytes(profile.name, n)), "model:", profile).scenario
        for profile in TARGETS
        for n in range(INPUTS)
    )


def _bytes(name: str, number: int) -> bytes:
    return Random(f"{name} {number}").randbytes(CHOICES_AT)


def test_some_target_draws_each_operation_of_the_host() -> None:
    assert {op.op for each in drawn() for host in each.hosts for op in host} == set(Op)


def test_some_target_draws_each_instruction_of_the_guest() -> None:
    kinds = {access.kind for each in drawn() for vcpu in each.vcpus for access in vcpu}
    assert kinds == set(INSTRUCTIONS.values())


def test_some_target_draws_each_grant_of_the_host_and_each_backing() -> None:
    grants = {page.host for each in drawn() for page in each.host_pages}
    assert grants == set(Host) - {Host.RW}
    assert {slot.backing for each in drawn() for slot in each.slots} == set(Backing)


def test_some_target_sets_each_option_and_each_flag_of_a_slot() -> None:
    plain, slot = Options(), Slot()
    options = {
        name
        for each in drawn()
        for name in OPTION_NAMES
        if getattr(each.options, name) != getattr(plain, name)
    }
    # With a ring, kernels of today show one known fault in nearly every run: explore draws it.
    assert options == set(OPTION_NAMES) - {"dirty_ring"}
    assert set(OPTION_NAMES) == {field.name for field in fields(Options)}
    flags = {
        f.name
        for each in drawn()
        for s in each.slots
        for f in fields(s)
        if getattr(s, f.name) != getattr(slot, f.name)
    }
    assert flags == {field.name for field in fields(Slot)}
