"""Survival curves as SVG: the share of trials that have not found their fault after so long."""

from collections.abc import Mapping, Sequence
from math import log10
from typing import Final

COLOURS: Final = ("#222222", "#c0392b", "#2471a3", "#1e8449", "#b9770e", "#7d3c98")
WIDTH, HEIGHT, LEFT, TOP = 720, 360, 60, 20
FIRST: Final = 0.001
"""Seconds at the left edge; the axis is logarithmic."""


def curves(lines: Mapping[str, Sequence[float | None]], limit: float) -> str:
    """A step curve for each name; a trial without a time never found its fault before ``limit``
    seconds."""
    right, bottom = LEFT + WIDTH, TOP + HEIGHT

    def across(seconds: float) -> float:
        return LEFT + WIDTH * log10(max(seconds, FIRST) / FIRST) / log10(limit / FIRST)

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{right + 130}" height="{bottom + 50}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{right + 130}" height="{bottom + 50}" fill="#ffffff"/>',
        f'<path d="M{LEFT},{TOP} V{bottom} H{right}" fill="none" stroke="#666666"/>',
        f'<text x="{LEFT}" y="{bottom + 40}">CPU seconds until found (logarithmic)</text>',
    ]
    tick = FIRST
    while tick <= limit * 1.001:
        drawn.append(
            f'<text x="{across(tick):.0f}" y="{bottom + 18}" text-anchor="middle">{tick:g}</text>'
        )
        tick *= 10
    drawn += [
        f'<text x="{LEFT - 8}" y="{TOP + HEIGHT * (1 - share) + 4:.0f}" text-anchor="end">'
        f"{share:.0%}</text>"
        for share in (0, 0.5, 1)
    ]
    for number, (name, times) in enumerate(lines.items()):
        colour, left, path = COLOURS[number % len(COLOURS)], 1.0, f"M{LEFT},{TOP}"
        for seconds in sorted(each for each in times if each is not None and each <= limit):
            left -= 1 / len(times)
            path += f" H{across(seconds):.1f} V{TOP + HEIGHT * (1 - left):.1f}"
        drawn.append(f'<path d="{path} H{right}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn.append(f'<text x="{right + 8}" y="{TOP + 16 + 18 * number}" fill="{colour}">{name}')
        drawn[-1] += "</text>"
    return "\n".join((*drawn, "</svg>")) + "\n"
