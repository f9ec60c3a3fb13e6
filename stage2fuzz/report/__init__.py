"""Reports: one run as text, Markdown, a picture, JSON lines, or a plain log.

The aim is the form that commit messages already use: a numbered interleaving in columns, entries
decoded, and one sentence that says what is wrong.
"""

from stage2fuzz.report.log import event_json, event_log
from stage2fuzz.report.markdown import markdown_report
from stage2fuzz.report.svg import svg_report
from stage2fuzz.report.text import text_report

__all__ = ["event_json", "event_log", "markdown_report", "svg_report", "text_report"]
