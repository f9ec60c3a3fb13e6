"""Reports: one run as text, Markdown, a picture, JSON lines, or a plain log.

The aim is the form that commit messages already use: a numbered interleaving in columns, entries
decoded, and one sentence that says what is wrong.
"""

from stage2fuzz.report.columns import text
from stage2fuzz.report.diagram import sequence_svg
from stage2fuzz.report.log import event_log, event_record, run_record
from stage2fuzz.report.message import mail, markdown

__all__ = [
    "event_log",
    "event_record",
    "mail",
    "markdown",
    "run_record",
    "sequence_svg",
    "text",
]
