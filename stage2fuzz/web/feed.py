"""The findings as an Atom feed."""

from collections.abc import Sequence
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

MOST: Final = 50


def feed(found: Sequence[dict[str, Any]], base: str) -> str:
    """The newest ``MOST`` of the findings, for readers at ``base``."""
    newest = sorted(found, key=lambda each: each["first_seen"], reverse=True)[:MOST]
    updated = newest[0]["first_seen"] if newest else "1970-01-01T00:00:00Z"
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        '<feed xmlns="http://www.w3.org/2005/Atom">',
        "<title>stage2fuzz: findings</title>",
        f"<id>{escape(base)}/feed.atom</id>",
        f'<link rel="self" href={quoteattr(base + "/feed.atom")}/>',
        f"<updated>{updated}</updated>",
    ]
    for each in newest:
        link = f"{base}/findings/{each['id']}"
        lines += [
            "<entry>",
            f"<title>{escape(' '.join((each['oracle'], each['rule'], each['engine'])))}</title>",
            f"<id>{escape(link)}</id>",
            f"<link href={quoteattr(link)}/>",
            f"<updated>{each['first_seen']}</updated>",
            "<author><name>stage2fuzz</name></author>",
            f"<summary>{escape(each['verdict'])}</summary>",
            "</entry>",
        ]
    return "\n".join([*lines, "</feed>", ""])
