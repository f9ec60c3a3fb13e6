"""Tools for review bots: the same verbs as an MCP server, so that a bot brings an interleaving.

Nothing here writes: findings are read, cases are run in a confined process, and a check keeps what
it finds to itself. A tree or a repository is used only where whoever started the server allows it.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, Final

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from stage2fuzz import __version__
from stage2fuzz.case.text import format_case, parse
from stage2fuzz.check.check import CheckRequest
from stage2fuzz.check.forms import to_record, to_whole
from stage2fuzz.check.version import of_range
from stage2fuzz.check.whole import check_whole
from stage2fuzz.engine import kind_of, parts_of
from stage2fuzz.errors import InputError
from stage2fuzz.findings.states import State
from stage2fuzz.findings.store import Store
from stage2fuzz.kernel.repository import Repository
from stage2fuzz.oracles.catalogue import CATALOGUE
from stage2fuzz.process.end import DiedError
from stage2fuzz.prove.model_proof import prove_model
from stage2fuzz.prove.prover import Prover
from stage2fuzz.prove.request import ProofRequest
from stage2fuzz.prove.statement import statement
from stage2fuzz.report import text
from stage2fuzz.session.explain import explain
from stage2fuzz.studies.compare_apart import compare_apart
from stage2fuzz.web import records
from stage2fuzz.web.runner import Runner

WIDTH: Final = 100
MOST_SECONDS: Final = 600
MEMORY: Final = 512 << 20
"""Of a proof."""
ABOUT: Final = (
    "Concurrent fault schedules of KVM/arm64's stage-2 page tables. A claim about a race is worth "
    "most with a case that replays: run one with 'replay', ask 'check' what a commit adds."
)


class ReviewTools:
    """What a bot may ask."""

    def __init__(self, store: Store | None, allowed: Sequence[Path], jobs: int) -> None:
        """``allowed`` are folders of trees and repositories; without a ``store`` no findings."""
        self._store, self._jobs = store, jobs
        self._allowed = [each.resolve() for each in allowed]
        self._runner = Runner()

    def close(self) -> None:
        """End the process that runs cases."""
        self._runner.close()

    def rules(self) -> list[dict[str, str]]:
        """Every oracle: its number, rule, category and what it promises."""
        names = ("oracle", "rule", "category", "promise")
        return [dict(zip(names, map(str, row), strict=True)) for row in CATALOGUE]

    def list_findings(
        self, state: str = "", oracle: str = "", category: str = "", words: str = ""
    ) -> list[dict[str, Any]]:
        """Findings of the database, the gravest first, narrowed by what is given."""
        if state and state not in list(State):
            raise InputError("state", f"no state {state[:40]!r}", ", ".join(State))
        states = [State(state)] if state else []
        return records.findings(self._opened(), states, "", oracle, category, words)

    def show_finding(self, number: int) -> dict[str, Any]:
        """One finding: verdict, history, engines, and the case that replays it."""
        return records.whole_record(self._opened().get(number))

    def replay(self, case: str) -> dict[str, Any]:
        """Run a case text: the verdicts, and the interleaving in columns with source lines."""
        asked = parse(case, "case")
        self._check_engine(asked.engine)
        outcome = self._runner.run(asked)
        shown = text(outcome.case, outcome.events, outcome.violations, WIDTH, stacks=outcome.stacks)
        return {
            "ended": outcome.ended,
            "verdicts": [
                {
                    "oracle": each.oracle,
                    "category": str(each.category),
                    "verdict": each.verdict,
                    "signature": each.signature,
                    "source": [line.to_record() for line in each.source],
                }
                for each in outcome.violations
            ],
            "interleaving": shown,
        }

    def check(self, repository: str, commits: str, seconds: int = 20) -> dict[str, Any]:
        """What commits BASE..HEAD of an allowed repository add: new faults with their cases."""
        _check_seconds(seconds)
        self._check_path(Path(repository))
        versions = of_range(Repository(Path(repository), confined=True), commits)
        request = CheckRequest(seconds, self._jobs)
        results = check_whole(versions, request, lambda _line, _done: None)
        return to_whole([to_record(each, ()) for each in results])

    def compare(self, before: str, after: str, seconds: int = 20) -> dict[str, Any]:
        """What two engines do otherwise, run by run: model:v5.10, or kernel:TREE of an allowed
        folder; new and lost violations, other outcomes and costs, each with its cases."""
        _check_seconds(seconds)
        for name in (before, after):
            self._check_engine(name)
        return compare_apart(before, after, seconds=float(seconds)).to_record()

    def prove(self, case: str, seconds: int = 20) -> dict[str, Any]:
        """Search every interleaving of a case's scenario on its engine: what is known, in words,
        and a case for each violation."""
        _check_seconds(seconds)
        asked = parse(case, "case")
        self._check_engine(asked.engine)
        request = ProofRequest(replace(asked, build=""), float(seconds), MEMORY)
        if kind_of(asked.engine).isolated:
            with closing(Prover(MEMORY)) as prover:
                proof = prover.prove(request, lambda _: None)
        else:
            proof = prove_model(request, lambda _: None)
        return {
            "knowledge": str(proof.knowledge),
            "statement": statement(proof),
            "violations": [
                {
                    "oracle": violation.oracle,
                    "verdict": violation.verdict,
                    "signature": violation.signature,
                    "case": format_case(shown),
                }
                for violation, shown in proof.found.values()
            ],
        }

    def explain(self, oracle: str) -> dict[str, Any]:
        """What a rule promises and why, with a case that breaks it and one that keeps it."""
        return explain(oracle, self._runner.run).to_record()

    def _opened(self) -> Store:
        if self._store is None:
            raise InputError("findings", "there is no database", "--database")
        return self._store

    def _check_engine(self, name: str) -> None:
        """InputError for an engine that compiles code which nobody has allowed."""
        if kind_of(name).isolated:
            self._check_path(Path(parts_of(name)[1].partition("@")[0]))

    def _check_path(self, path: Path) -> None:
        real = path.resolve()
        if not any(real.is_relative_to(each) for each in self._allowed):
            named = ", ".join(map(str, self._allowed)) or "none; see --allow"
            raise InputError(str(path), "is not allowed here", f"below one of: {named}")


def _check_seconds(seconds: int) -> None:
    if not 1 <= seconds <= MOST_SECONDS:
        raise InputError("seconds", f"{seconds} is out of range", f"1 to {MOST_SECONDS}")


def refusing(verb: Callable[..., Any]) -> Callable[..., Any]:
    """``verb`` with what it refuses told to the bot in one line, and not as a crash of ours."""

    @wraps(verb)
    def asked(*given: Any, **named: Any) -> Any:
        try:
            return verb(*given, **named)
        except (InputError, DiedError) as error:
            raise ToolError(str(error)) from None

    return asked


def review_server(tools: ReviewTools) -> MCPServer[None]:
    """The server; ``run("stdio")`` answers until its input ends."""
    server: MCPServer[None] = MCPServer("stage2fuzz", version=__version__, instructions=ABOUT)
    for each in (
        *(tools.rules, tools.list_findings, tools.show_finding),
        *(tools.replay, tools.check, tools.compare, tools.prove, tools.explain),
    ):
        server.add_tool(refusing(each))
    return server
