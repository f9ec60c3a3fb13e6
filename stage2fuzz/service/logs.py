"""Structured logs: one JSON object a line, so that a person and a program read the same thing."""

import json
import logging
import sys
import time
from typing import Final

FORMAT: Final = "%Y-%m-%dT%H:%M:%S"
TALKATIVE: Final = ("alembic", "celery.app.trace", "celery.worker.strategy")
"""They say of each step what our own line says of the order."""


class JsonLines(logging.Formatter):
    """A log record as one line of JSON; text from outside is escaped by that alone."""

    def __init__(self, part: str) -> None:
        """``part`` names the process: ``worker`` or ``coordinator``."""
        super().__init__()
        self.part = part

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "at": time.strftime(FORMAT, time.gmtime(record.created)),
            "part": self.part,
            "level": record.levelname.lower(),
            "process": record.process,
            "text": record.getMessage(),
        }
        figures = getattr(record, "figures", None)
        if isinstance(figures, dict):
            line |= figures
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(part: str) -> None:
    """Send every log line of this process to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(part))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
