"""The way messages come in: Kombu's Redis transport, which a stranger's message must not end.

Kombu expects that only its own programs write to a queue: a text that is no JSON, or JSON of
another shape, raises out of its event loop and ends the worker. Whatever can't be read is dropped
here; the lease that a real message named is announced again.
"""

import logging
from typing import Any, Final

from kombu.transport import TRANSPORT_ALIASES, redis

LOG: Final = logging.getLogger("stage2fuzz.worker")
BROKEN: Final = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What Kombu raises for a message that is no JSON or lacks its parts."""


class TolerantChannel(redis.Channel):
    """A channel that drops what is no message."""

    def _brpop_read(self, **options: Any) -> Any:
        """Take one message from the queue; by the time that it fails to be read, it is gone."""
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except BROKEN as error:
            LOG.error("a message that can't be read is dropped (%s)", type(error).__name__)
            return True


class Transport(redis.Transport):
    """Kombu's transport with such channels."""

    Channel = TolerantChannel


def install() -> None:
    """Make every ``redis`` URL of this process use it."""
    TRANSPORT_ALIASES["redis"] = f"{__name__}:Transport"
