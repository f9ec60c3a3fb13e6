"""Carry out an order for a real kernel: ``stage2fuzz confirm`` as a confined process.

A worker can do it where QEMU and a cross compiler are installed and its settings name an image.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from stage2fuzz.confirm.image import check_image
from stage2fuzz.confirm.initrd import cross_compiler
from stage2fuzz.confirm.machine import QEMU
from stage2fuzz.errors import InputError
from stage2fuzz.process.confined import ConfinedProcess
from stage2fuzz.process.limits import Limits
from stage2fuzz.process.wait import last_words
from stage2fuzz.service.orders import RealOrder, RealResult
from stage2fuzz.service.settings import Settings
from stage2fuzz.worker.job import LOG, Job

BOOT_SECONDS: Final = 240.0
RUN_SECONDS: Final = 60.0
"""The most that one forced run may take: each of its waits has an end of its own."""
ANSWERED: Final = (0, 1, 3)
BAD_INPUT: Final = 2


def has_real_kernel(settings: Settings) -> bool:
    """Whether this worker can carry out such orders; what is missing is logged once."""
    if settings.real_image is None:
        return False
    try:
        check_image(settings.real_image)
        cross_compiler()
    except InputError as error:
        LOG.error("no orders for a real kernel here: %s", error)
        return False
    if shutil.which(os.environ.get("STAGE2FUZZ_QEMU", QEMU)) is None:
        LOG.error("no orders for a real kernel here: %s not found", QEMU)
        return False
    return True


def confirm(job: Job, order: RealOrder) -> None:
    """Boot, force, hand in what the kernel said."""
    image = job.settings.real_image
    if image is None:
        raise InputError("STAGE2FUZZ_REAL_IMAGE", "is not set for this worker")
    (job.folder / "order.case").write_text(order.case)
    job.commit(_result(job, image.resolve(), order))


def _result(job: Job, image: Path, order: RealOrder) -> RealResult:
    command = [sys.executable, "-m", "stage2fuzz", "confirm", "order.case", "--json"]
    command += ["--kernel", str(image), "--times", str(order.times)]
    command += ["--oracle", order.signature.partition(" ")[0].partition("/")[0]]
    said, complaint = job.folder / "answer.json", job.folder / "complaint"
    end = time.monotonic() + BOOT_SECONDS + order.times * RUN_SECONDS
    with said.open("wb") as out, complaint.open("wb") as errors:
        confined = ConfinedProcess(
            command, job.folder, Limits(memory=0, file=0), stdout=out, stderr=errors
        )
        try:
            while confined.process.poll() is None and time.monotonic() < end:
                job.beat()
                try:
                    confined.process.wait(0.5)
                except subprocess.TimeoutExpired:
                    continue
            code = confined.process.poll()
        finally:
            confined.close()
    if code == BAD_INPUT:
        return RealResult(why=last_words(complaint))
    if code not in ANSWERED:
        raise RuntimeError(f"confirm ended with {code}: {last_words(complaint)}")
    return counted(json.loads(said.read_text()))


def counted(told: dict[str, Any]) -> RealResult:
    """What the answer of ``confirm --json`` comes to."""
    runs = [run["answer"] for run in told["kernel"]["runs"]]
    confirmed, refuted, missed = map(runs.count, ("confirmed", "refuted", "not reached"))
    return RealResult(told["kernel"]["release"], told["answer"], confirmed, refuted, missed)
