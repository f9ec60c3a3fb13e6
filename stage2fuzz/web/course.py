"""A campaign's course as a small SVG: features and findings over time, each on its own scale."""

from collections.abc import Sequence
from typing import Any, Final

WIDTH: Final = 640
HEIGHT: Final = 180
LEFT: Final = 8
SERIES: Final = (("features", "#1f6feb"), ("findings", "#b00020"), ("schedules", "#7a8294"))


def course_svg(course: Sequence[dict[str, Any]]) -> str:
    """The whole picture; one without lines where nothing was measured yet."""
    seconds = max((float(each["seconds"]) for each in course), default=0.0) or 1.0
    body, names = [], []
    for number, (name, colour) in enumerate(SERIES):
        most = max((float(each[name]) for each in course), default=0.0)
        x = LEFT + number * 200
        names.append(f'<text x="{x}" y="16" fill="{colour}">{name} {most:,.0f}</text>')
        points = " ".join(
            f"{LEFT + (WIDTH - 2 * LEFT) * float(each['seconds']) / seconds:.1f},"
            f"{HEIGHT - 8 - (HEIGHT - 40) * float(each[name]) / (most or 1.0):.1f}"
            for each in course
        )
        if points:
            body.append(
                f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
            )
    told = f"over {seconds:,.0f} s"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="features, findings and schedules {told}" font-family="sans-serif" '
        f'font-size="13">{"".join(names)}{"".join(body)}'
        f'<text x="{WIDTH - LEFT}" y="16" fill="#7a8294" text-anchor="end">{told}</text></svg>\n'
    )
