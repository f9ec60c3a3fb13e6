"""Several examples of a finding, the most different ones."""

from dataclasses import replace

import pytest

from stage2fuzz.arch import EXECUTE, READ, WRITE
from stage2fuzz.case.case import Case
from stage2fuzz.case.scenario import Access, Scenario
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.cli.named import load
from stage2fuzz.errors import InputError
from stage2fuzz.findings.examples import KEPT, distance, traits
from stage2fuzz.findings.store import Store
from stage2fuzz.schedule.base import Schedule
from tests.findings.test_store import BUILT, CASE, REBUILT, violation


def other(number: int) -> Case:
    """A case that has little in common with that of another number."""
    kind = (READ, WRITE, EXECUTE)[number % 3]
    accesses = tuple(Access(kind, (number + page) % 8) for page in range(3))
    schedule = Schedule(((number % 2, 1 << number), (1 - number % 2, 3 << number), (0, 5)))
    return replace(CASE, scenario=Scenario(vcpus=(accesses, accesses[:1])), schedule=schedule)


def test_a_sighting_by_another_interleaving_is_an_example(store: Store) -> None:
    number = store.record(CASE, violation(), "").number
    longer = replace(CASE, schedule=Schedule(((0, 7), (1, 31))))
    for case in (CASE, longer, other(1), other(1), other(2)):
        store.record(case, violation(), "")
    finding = store.get(number)
    assert [each.case_text for each in finding.examples] == [
        format_case(other(1)),
        format_case(other(2)),
    ]
    assert parse(finding.case_text, "first") == CASE
    assert load(f"{number}.2", finding) == other(2)
    with pytest.raises(InputError, match="there is no such example"):
        load(f"{number}.3", finding)


def test_the_most_different_are_kept_and_never_more_than_a_few(store: Store) -> None:
    first = store.record(CASE, violation(), "").number
    alike = [replace(other(2), schedule=Schedule(((0, 1 << n), (1, 9)))) for n in range(KEPT)]
    for case in alike:
        store.record(case, violation(), "")
    for number in range(12):
        store.record(other(number), violation(), "")
    examples = [traits(parse(each.case_text, "one")) for each in store.get(first).examples]
    assert len(examples) == KEPT
    apart = [distance(a, b) for a in examples for b in examples if a is not b]
    assert min(apart) > min(distance(traits(alike[0]), traits(each)) for each in alike[1:])


def test_examples_of_a_build_that_is_no_more_are_forgotten(store: Store) -> None:
    number = store.record(BUILT, violation(), "").number
    changed = replace(other(1), engine=BUILT.engine, build=BUILT.build)
    store.record(changed, violation(), "")
    assert len(store.get(number).examples) == 1
    store.record(REBUILT, violation(), "")
    assert store.get(number).examples == []
