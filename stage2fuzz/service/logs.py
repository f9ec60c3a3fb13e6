"""Structured logs: one JSON object a line, so that a person and a program read the same thing."""

import logging
import sys
from typing import Final

from pythonjsonlogger.json import JsonFormatter

TALKATIVE: Final = ("alembic", "celery.app.trace", "celery.worker.strategy")
"""They say of each step what our own line says of the order."""


def formatter(part: str) -> logging.Formatter:
    """A record as one line of JSON, text from outside escaped; ``part`` names the process."""
    return JsonFormatter(
        ("asctime", "levelname", "process", "message"),
        style=",",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
        rename_fields={
            "asctime": "at",
            "levelname": "level",
            "message": "text",
            "exc_info": "trace",
        },
        static_fields={"part": part},
        json_ensure_ascii=True,
    )


def configure(part: str) -> None:
    """Send every log line of this process to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(part))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
