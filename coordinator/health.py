"""``python -m stage2fuzz.coordinator.health``: 0 while the coordinator beside us goes round."""

import sys
from http.client import HTTPConnection, HTTPException
from typing import Final

from stage2fuzz.errors import InputError
from stage2fuzz.service.settings import from_environment

SECONDS: Final = 4.0


def main() -> int:
    """0 where it answers and its loop has turned within the last minute."""
    try:
        address = from_environment().metrics_address
        port = address[1] if address else 0
        connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        connection.request("GET", "/healthz")
        return 0 if connection.getresponse().status == 200 else 1
    except (InputError, OSError, HTTPException) as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
