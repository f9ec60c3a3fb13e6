"""What a review bot gets over the protocol, and what it does not."""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp import ClientSession, StdioServerParameters, stdio_client

from stage2fuzz.findings.store import Store
from tests.web.conftest import RACE


def answers(*asked: tuple[str, dict[str, Any]], options: tuple[str, ...] = ()) -> list[Any]:
    """Ask a server process over standard input and output; (is it an error, text) of each."""
    told: list[Any] = []

    async def talk() -> None:
        arguments = ["-m", "stage2fuzz", "mcp", *options]
        parameters = StdioServerParameters(command=sys.executable, args=arguments)
        async with (
            stdio_client(parameters) as (read, write),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            told.append(sorted(tool.name for tool in (await session.list_tools()).tools))
            for name, given in asked:
                answer = await session.call_tool(name, given)
                texts = [part.text for part in answer.content if part.type == "text"]
                told.append((answer.is_error, "".join(texts)))

    anyio.run(talk)
    return told


def test_a_bot_replays_a_case_and_reads_findings_and_writes_nothing(
    store: Store, tmp_path: Path
) -> None:
    names, replayed, listed, proved, explained = answers(
        ("replay", {"case": RACE.read_text()}),
        ("list_findings", {"oracle": "C6"}),
        ("prove", {"case": RACE.read_text(), "seconds": 2}),
        ("explain", {"oracle": "C6"}),
        options=("--database", str(tmp_path / "findings.db")),
    )
    assert names == [
        *("check", "compare", "explain", "list_findings", "prove", "replay", "rules"),
        "show_finding",
    ]
    assert json.loads(proved[1])["knowledge"] == "refuted"
    assert "engine model:v5.12" in json.loads(explained[1])["kept"]
    assert not replayed[0]
    assert json.loads(replayed[1])["verdicts"][0]["oracle"] == "C6"
    assert '"C6"' in listed[1]
    assert store.count() == 2


def test_a_tree_that_nobody_allowed_is_not_touched(tmp_path: Path) -> None:
    case = RACE.read_text().replace("model:v5.10", f"kernel:{tmp_path}")
    _, *refusals = answers(
        ("replay", {"case": case}),
        ("prove", {"case": case}),
        ("compare", {"before": "model:v5.10", "after": f"kernel:{tmp_path}"}),
        ("check", {"repository": str(tmp_path), "commits": "HEAD~1..HEAD"}),
    )
    for refused, text in refusals:
        assert refused
        assert "is not allowed here" in text
