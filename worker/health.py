"""``python -m stage2fuzz.worker.health``: 0 while this container's worker shows signs of life.

The sign is written by the worker's own event loop, so that a worker that hangs, or has lost its
database, is seen to be ill and restarted.
"""

import socket
import sys

from stage2fuzz.errors import InputError
from stage2fuzz.findings import workers
from stage2fuzz.findings.outage import Trouble
from stage2fuzz.findings.store import Store
from stage2fuzz.service.settings import from_environment


def main() -> int:
    """0 where the worker lives."""
    try:
        with Store.open(from_environment().database) as store:
            return 0 if workers.workers_on(store.engine, socket.gethostname()) else 1
    except (InputError, Trouble) as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
