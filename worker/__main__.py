"""``python -m stage2fuzz.worker SLOTS``: a Celery worker that talks to broker and database alone.

Celery's own command line does the same and imports a shell with completion for it, which takes a
third of the time that a worker needs to start.
"""

import argparse
import sys

from stage2fuzz.worker.app import app


def main() -> int:
    """Run until a signal ends it; Celery's own exit code."""
    parser = argparse.ArgumentParser(
        "python -m stage2fuzz.worker", description="A worker of a stage2fuzz service."
    )
    parser.add_argument("slots", type=int, help="orders that run at once")
    given = parser.parse_args()
    worker = app.Worker(
        concurrency=given.slots,
        loglevel="INFO",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    return worker.exitcode or 0


if __name__ == "__main__":
    sys.exit(main())
