"""A courier that comes back in time, whatever the server at the other end does.

A timeout of a socket bounds each silence and not the whole: a server that answers a letter at a
time would hold its courier for hours, and with it everybody who waits for the next message.
"""

from threading import Thread
from typing import Final

from stage2fuzz.errors import InputError
from stage2fuzz.web.notifier import Courier, Message

SECONDS: Final = 60.0
"""For one message, from the name of the server to its answer."""


class PunctualCourier:
    """Another courier, bounded in time: one message at a time, each in a thread of its own."""

    def __init__(self, courier: Courier, seconds: float = SECONDS) -> None:
        self._courier, self._seconds = courier, seconds
        self._last: Thread | None = None
        self.channel, self.name = courier.channel, courier.name

    def send(self, message: Message) -> None:
        """Deliver it. InputError where it was not taken in time, or where the server still sits on
        the last one, so that a server that never answers holds one thread and no more.
        """
        if self._last is not None and self._last.is_alive():
            raise InputError(self.name, "still sits on the last message")
        troubles: list[Exception] = []

        def deliver() -> None:
            try:
                self._courier.send(message)
            except Exception as trouble:  # handed to whoever waits
                troubles.append(trouble)

        self._last = Thread(target=deliver, daemon=True)
        self._last.start()
        self._last.join(self._seconds)
        if self._last.is_alive():
            raise InputError(self.name, f"did not take the message in {self._seconds:g} s")
        if troubles:
            raise troubles[0]
