"""The tutorial's oracle does what the tutorial says."""

import re
import sys
from typing import Any

import pytest

from stage2fuzz.events import LOCK_SLOTS
from stage2fuzz.oracles.base import Oracle
from stage2fuzz.oracles.judge import Judge
from stage2fuzz.rules import Rules
from tests.docs.documents import ROOT
from tests.oracles.story import Story

TUTORIAL = ROOT / "docs" / "tutorial.md"


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Judge:
    """A judge that knows the tutorial's oracle, and no other."""
    [source] = re.findall(r"^```python\n(.*?)^```$", TUTORIAL.read_text(), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(source, "tutorial.md", "exec"), names)
    [made] = [
        each
        for each in names.values()
        if isinstance(each, type) and issubclass(each, Oracle) and each is not Oracle
    ]
    monkeypatch.setattr(sys.modules[Judge.__module__], "ORACLES", (made,))
    return Judge(Rules(), None)


def test_a_fault_after_the_lock_was_given_back_is_no_violation(judge: Judge) -> None:
    story = Story()
    story.lock(0)
    story.unlock(0)
    story.fault(0)
    story.lock(1, LOCK_SLOTS)
    story.fault(1)
    assert judge.judge(story.events, 2, 2) == ()


def test_a_fault_under_the_lock_is_one(judge: Judge) -> None:
    story = Story()
    begun = story.lock(0)
    proved = story.fault(0)
    [violation] = judge.judge(story.events, 1, 1)
    assert violation.signature == "F3 no fault under the lock: fault under mmu_lock"
    assert violation.events == (begun, proved)
