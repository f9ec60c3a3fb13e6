"""The tasks: a message names a lease, and the lease says what to do."""

import time
from collections.abc import Callable
from typing import Any, Final, TypeGuard

from stage2fuzz.errors import InputError, ModelError
from stage2fuzz.findings import leases
from stage2fuzz.findings.outage import RefusalError, one_line, patiently
from stage2fuzz.process.wait import NoRoomError
from stage2fuzz.service.orders import MAX_COUNT, NAMES, REAL, Order, read_order
from stage2fuzz.worker import checking, fuzzing, real
from stage2fuzz.worker.job import LOG, Job, LeaseLostError, claimed

NO_ROOM_PAUSE: Final = 5.0
WORK: Final[dict[str, Callable[[Job, Any], None]]] = {
    "fuzz": fuzzing.fuzz,
    "confirm": checking.confirm,
    "minimise": checking.minimise,
    "regress": checking.regress,
    "prune": checking.prune,
    REAL: real.confirm,
}


def fuzz(campaign: int, lease: int) -> None:
    """Fuzz one target for some seconds."""
    carry_out(campaign, lease)


def confirm(campaign: int, lease: int) -> None:
    """Reproduce a finding in clean processes."""
    carry_out(campaign, lease)


def minimise(campaign: int, lease: int) -> None:
    """Make a finding's case smaller."""
    carry_out(campaign, lease)


def regress(campaign: int, lease: int) -> None:
    """Try a finding on other engines."""
    carry_out(campaign, lease)


def prune(campaign: int, lease: int) -> None:
    """Find the inputs that kill the process."""
    carry_out(campaign, lease)


def confirm_real(campaign: int, lease: int) -> None:
    """Force a finding's schedule on a real kernel."""
    carry_out(campaign, lease)


TASKS: Final = {each.__name__: each for each in (fuzz, confirm, minimise, regress, prune)} | {
    REAL: confirm_real
}


def carry_out(campaign: object, lease: object) -> None:
    """Claim a lease and do what its order says; whatever goes wrong ends as a state of the lease.

    Nothing is raised: an exception would only make Celery log it, while the lease waited for its
    deadline. A message that is not two numbers is dropped.
    """
    if not _is_number(campaign) or not _is_number(lease):
        LOG.error("a message names no lease: dropped")
        return
    try:
        job = claimed(campaign, lease)
    except NoRoomError as error:
        LOG.error("lease %d left alone: %s", lease, error)
        time.sleep(NO_ROOM_PAUSE)
        return
    if job is not None:
        try:
            _do(job)
        finally:
            job.clean()


def _is_number(value: object) -> TypeGuard[int]:
    """Whether this can be the number of a row; true is a number to Python, and not to us."""
    return type(value) is int and 0 < value <= MAX_COUNT


def _do(job: Job) -> None:
    held, engine = job.held, job.store.engine
    start = time.monotonic()
    try:
        order: Order = read_order(held.body)
        WORK[NAMES[type(order)]](job, order)
    except LeaseLostError:
        LOG.warning("lease %d is lost", held.lease)
    except NoRoomError as error:
        LOG.error("lease %d given back: %s", held.lease, error)
        why = str(error)
        patiently(lambda: leases.release(engine, held, why))
        time.sleep(NO_ROOM_PAUSE)
    except (InputError, ModelError, OSError, ValueError, RuntimeError, RefusalError) as error:
        LOG.error("lease %d failed: %s", held.lease, error)
        why = one_line(error)
        patiently(lambda: leases.fail(engine, held, why))
    else:
        seconds = time.monotonic() - start
        LOG.info("lease %d, %s, attempt %d: %.1f s", held.lease, held.kind, held.attempt, seconds)
