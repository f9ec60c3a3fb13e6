"""What holds for all tests: how hypothesis searches, and that CI skips nothing that it can have."""

import os
import re
from collections.abc import Generator
from typing import Final

import pytest
from hypothesis import settings

CI: Final = os.environ.get("STAGE2FUZZ_CI") == "1"
"""Set by ``.ci/run``, which has installed all that the tests need."""
NOT_TO_BE_HAD: Final = (
    r"no revision of the model is of the era",
    r"the tree (has|is from before) the series",
    r"the tree has no script of its own",
    r"the tree has no EL2 with guests",
    r"the tree has no nested\.c",
    r"this machine is one itself",
    r"root may write everything",
    r"no file system may be mounted here",
    r"this machine's name has no address",
    r"setarch -R is not to be had here",
    r"no Atheris on this platform",
)
"""Reasons to skip that no installation ends: what the tree, the machine or the user is."""

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if CI else "here")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one where CI should have had what it needs."""
    report = yield
    if CI and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(re.search(each, reason) for each in NOT_TO_BE_HAD):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid}: in CI a skipped test is a failed one: {reason}"
    return report
