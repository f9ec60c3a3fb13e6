"""The Celery application: JSON only, one message at a time, and nothing a message can abuse.

A message is a wake-up of two numbers, so delivery needs no guarantee of the broker's: it is
acknowledged at once and its result ignored. (Acknowledged late, a message whose broker went away
meanwhile could never be acknowledged, and held its slot for ever; measured with Celery 5.7.) Tasks
that Celery registers by itself (``celery.map`` and others, which call further tasks by name) are
taken out, remote control is off.
"""

import os
import signal
import socket
from typing import Any, Final

from celery import Celery
from celery.signals import celeryd_init, setup_logging, worker_ready
from kombu.entity import Queue

from stage2fuzz.errors import InputError
from stage2fuzz.findings import announcements, workers
from stage2fuzz.findings.outage import OutageError, one_line
from stage2fuzz.findings.states import Part
from stage2fuzz.process.cage import hide
from stage2fuzz.service.logs import configure
from stage2fuzz.service.orders import QUEUE, REAL_QUEUE, TASKS
from stage2fuzz.service.settings import from_environment, show_alive
from stage2fuzz.worker import fuzzing, tasks, transport
from stage2fuzz.worker.job import LOG, database, owner
from stage2fuzz.worker.real import has_real_kernel

ALIVE_SECONDS: Final = 10.0
ZYGOTE_SECONDS: Final = 2.0
"""Between two looks whether the process that others are forked from is there."""
TASK_SECONDS: Final = 2 * 3600 + 600
"""The last resort: longer than any order, with what comes after it, may take."""
IDLE_SIGNS: Final = 6
"""Signs of life, one after the other, with work about and none of it ours: the broker's connection
is dead though it looks alive, and only a new process helps."""

QUEUES: Final = (QUEUE, REAL_QUEUE) if has_real_kernel(from_environment()) else (QUEUE,)

transport.install()
hide()  # what runs confined below us must not read the passwords in our environment
app = Celery("stage2fuzz")
app.conf.update(
    broker_url=from_environment().broker,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "socket_timeout": 30,
        "socket_keepalive": True,
        "health_check_interval": 15,
    },
    accept_content=["json"],
    task_serializer="json",
    result_serializer="json",
    event_serializer="json",
    result_accept_content=["json"],
    result_backend=None,
    task_ignore_result=True,
    task_acks_late=False,
    task_time_limit=TASK_SECONDS,
    task_queues=[Queue(name) for name in QUEUES],  # type: ignore[no-untyped-call]
    task_default_queue=QUEUE,
    task_create_missing_queues=False,
    worker_prefetch_multiplier=1,
    worker_disable_prefetch=True,
    worker_max_tasks_per_child=200,
    worker_max_memory_per_child=512 * 1024,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_hijack_root_logger=False,
    enable_utc=True,
)

for _kind, _task in tasks.TASKS.items():
    app.task(name=TASKS[_kind], typing=False)(_task)
app.finalize()
for _name in [name for name in app.tasks if name.startswith("celery.")]:
    app.tasks.unregister(_name)


@setup_logging.connect  # type: ignore[untyped-decorator]
def _logging(**_more: Any) -> None:
    configure("worker")


@celeryd_init.connect  # type: ignore[untyped-decorator]
def _check(**_more: Any) -> None:
    """Refuse to start where anything but JSON would be read; import what every slot needs once."""
    if app.conf.accept_content != ["json"]:
        raise RuntimeError("the worker must accept JSON only")
    fuzzing.zygote().keep()


@worker_ready.connect  # type: ignore[untyped-decorator]
def _ready(sender: Any, **_more: Any) -> None:
    """Give a sign of life now and every ten seconds, from the worker's own event loop."""
    slots = sender.pool.num_processes if hasattr(sender.pool, "num_processes") else 1
    sign = SignOfLife(slots)
    sign()
    sender.timer.call_repeatedly(ALIVE_SECONDS, sign)
    sender.timer.call_repeatedly(ZYGOTE_SECONDS, fuzzing.zygote().keep)


class SignOfLife:
    """Writes down that this worker lives, and ends it where it lives but gets no work."""

    def __init__(self, slots: int) -> None:
        """``slots`` orders run here at once."""
        self.slots = slots
        self.idle = 0

    def __call__(self) -> None:
        """Called every ten seconds; trouble is logged, for it may pass."""
        try:
            settings = from_environment()
            engine = database(os.getpid(), settings.database).engine
            workers.seen(engine, Part.WORKER, owner(), self.slots, settings.service)
            if REAL_QUEUE in QUEUES:
                workers.seen(engine, Part.REAL, f"{owner()}:real", 1, settings.service)
            idle = announcements.overlooked(engine, socket.gethostname(), settings.service)
            self.idle = self.idle + 1 if idle else 0
            show_alive()
        except (OutageError, InputError) as error:
            LOG.warning("no sign of life: %s", one_line(error))
        if self.idle >= IDLE_SIGNS:
            LOG.error("there is work and none comes here: ending, to be started anew")
            os.kill(os.getpid(), signal.SIGTERM)
