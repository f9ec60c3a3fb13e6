#!/usr/bin/env python3
"""Draw the two pictures of the documents: ``python docs/pictures/draw.py`` writes them beside it.

Plain SVG with text that can be selected; its colours follow the reader's light or dark theme.
"""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

STYLE: Final = """
  text { font: 13px ui-sans-serif, system-ui, sans-serif; fill: #1f2328 }
  .code { font: 12px ui-monospace, monospace; fill: #57606a }
  .box { fill: #f6f8fa; stroke: #57606a }
  .kept { fill: #ddf4ff; stroke: #0969da }
  .wild { fill: #fff1e5; stroke: #bc4c00; stroke-dasharray: 5 3 }
  .group { fill: none; stroke: #d0d7de }
  path { fill: none; stroke: #57606a; stroke-width: 1.4 }
  marker path { fill: #57606a; stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .code { fill: #9198a1 } .box { fill: #161b22; stroke: #9198a1 }
    .kept { fill: #0c2d4a; stroke: #58a6ff } .wild { fill: #3d2008; stroke: #f0883e }
    .group { stroke: #3d444d } path { stroke: #9198a1 } marker path { fill: #9198a1 }
  }"""
HEAD: Final = (
    '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker>'
)


@dataclass(frozen=True)
class Box:
    """A rectangle with lines of text; the first is its name, the others are code."""

    x: int
    y: int
    width: int
    height: int
    lines: tuple[str, ...]
    look: str = "box"

    def svg(self) -> str:
        """The rectangle and its text, centred."""
        middle = self.x + self.width // 2
        top = self.y + self.height // 2 - 9 * (len(self.lines) - 1) + 4
        text = "".join(
            f'<text x="{middle}" y="{top + 18 * i}" text-anchor="middle"'
            f"{' class=' + chr(34) + 'code' + chr(34) if i else ''}>{escape(line)}</text>\n"
            for i, line in enumerate(self.lines)
        )
        return (
            f'<rect class="{self.look}" x="{self.x}" y="{self.y}" width="{self.width}" '
            f'height="{self.height}" rx="6"/>\n{text}'
        )


def arrow(points: str, label: str = "", at: tuple[int, int] = (0, 0)) -> str:
    """A line along ``points`` with a head at its end, and a label whose left end is ``at``."""
    path = f'<path d="M{points}" marker-end="url(#head)"/>\n'
    text = f'<text class="code" x="{at[0]}" y="{at[1]}">{escape(label)}</text>\n'
    return path + (text if label else "")


def group(x: int, y: int, width: int, height: int, name: str) -> str:
    """A frame around boxes, with its name in the corner."""
    return (
        f'<rect class="group" x="{x}" y="{y}" width="{width}" height="{height}" rx="10"/>\n'
        f'<text x="{x + 12}" y="{y + 20}">{escape(name)}</text>\n'
    )


def picture(title: str, width: int, height: int, parts: list[str]) -> str:
    """A whole SVG file."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{escape(title)}">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}\n</style>\n<defs>{HEAD}</defs>\n{''.join(parts)}</svg>\n"
    )


def bytes_to_row() -> str:
    """How an input of the fuzzer becomes a row of the database."""
    steps = (
        ("bytes", "an input", "case/codec.py  decode"),
        ("Case", "scenario, schedule, engine", "run.py  run -> engine.run"),
        ("Trace", "events, executed schedule", "oracles/judge.py  judge"),
        ("Violation", "verdict, signature", "fuzz/outbox.py"),
        ("file in the outbox", "the case as text", "session/intake.py, worker/fuzzing.py"),
        ("run again, apart", "from its text, clean process", "findings/store.py  record"),
        ("row", "(engine, signature), count", "session/reproduce.py  minimise_finding"),
        ("reproducer", "the simplest case", ""),
    )
    parts: list[str] = []
    for number, (name, what, how) in enumerate(steps):
        y = 20 + 84 * number
        look = "kept" if name in ("row", "reproducer") else "box"
        look = "wild" if name == "Trace" else look
        parts.append(Box(30, y, 240, 50, (name, what), look).svg())
        if how:
            parts.append(arrow(f"150 {y + 50} V{y + 82}", how, (164, y + 71)))
    parts.append(Box(390, 104, 200, 50, ("portfolio", "strategies beside it")).svg())
    parts.append(arrow("390 129 H272"))
    parts.append(Box(390, 188, 200, 50, ("features", "fuzz/features.py")).svg())
    parts.append(arrow("270 213 H388"))
    parts.append(arrow("590 213 H620 V45 H272", "a new feature: the input is kept", (380, 38)))
    return picture("From bytes to a row of the database", 640, 690, parts)


def processes() -> str:
    """Who runs where, in a session and in a campaign; dashed: may die at any time."""
    parts = [
        group(10, 10, 640, 190, "./run fuzz, ./run kernel explore: one command"),
        Box(40, 60, 170, 60, ("session", "keeps findings", "runs no kernel code")).svg(),
        Box(250, 130, 170, 50, ("database", "SQLite"), "kept").svg(),
        Box(450, 45, 180, 50, ("fuzz targets", "one a core, confined"), "wild").svg(),
        Box(450, 130, 180, 50, ("case server", "confined"), "wild").svg(),
        arrow("210 75 H448", "starts, reads the outbox", (232, 66)),
        arrow("210 100 H430 V150 H448", "runs a case again", (290, 94)),
        arrow("125 120 V155 H248", "record", (160, 149)),
        group(10, 220, 640, 330, "a campaign"),
        Box(40, 270, 170, 60, ("coordinator", "plans orders, merges", "coordinator/")).svg(),
        Box(
            250, 360, 170, 60, ("database", "PostgreSQL, SQLite", "leases, findings"), "kept"
        ).svg(),
        Box(450, 270, 180, 60, ("broker", "Redis, Valkey", "wakes, knows nothing")).svg(),
        Box(40, 450, 170, 70, ("worker, many", "carries out orders", "worker/")).svg(),
        Box(450, 430, 180, 50, ("fuzz target", "confined, one an order"), "wild").svg(),
        Box(450, 490, 180, 50, ("case server", "confined"), "wild").svg(),
        arrow("210 300 H448", "a message: two numbers", (262, 292)),
        arrow("125 330 V390 H248", "leases", (160, 384)),
        arrow("540 330 V345 H25 V470 H38", "wakes", (548, 343)),
        arrow("150 450 V410 H248", "claim, commit", (160, 428)),
        arrow("210 470 H448"),
        arrow("210 500 H430 V515 H448", "starts; reads files only", (226, 494)),
    ]
    return picture("The processes of a session and of a campaign", 660, 565, parts)


PICTURES: Final = {"bytes-to-row.svg": bytes_to_row, "processes.svg": processes}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        Path(__file__).with_name(name).write_text(draw())
