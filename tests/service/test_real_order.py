"""An order for a real kernel: who may take one, and what is handed in."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stage2fuzz.case.text import format_case, read_case
from stage2fuzz.confirm import initrd
from stage2fuzz.service.orders import RealOrder, RealResult, read_order, read_result, to_json
from stage2fuzz.service.settings import from_environment
from stage2fuzz.worker import real
from stage2fuzz.worker.job import Job

CASE = (
    Path(__file__).resolve().parent.parent
    / "cases"
    / "bad_v7_3_relax_of_a_block_loses_dirty_pages.case"
)
ORDER = RealOrder(3, "D1 lost", format_case(read_case(CASE)), 2)


def job(folder: Path, image: Path | None) -> tuple[Job, list[Any]]:
    done: list[Any] = []
    made = SimpleNamespace(
        folder=folder,
        settings=SimpleNamespace(real_image=image),
        beat=lambda: None,
        commit=done.append,
    )
    return cast(Job, made), done


def test_order_and_result_are_read_as_they_were_written() -> None:
    result = RealResult("6.12.117", "confirmed", 2, 0, 1)
    assert read_order(to_json(ORDER)) == ORDER
    assert read_result(to_json(result)) == result


def test_a_worker_without_image_qemu_or_compiler_takes_no_such_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = tmp_path / "Image"
    image.write_bytes(b"\0" * 56 + b"ARMd" + b"\0" * 4)
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("STAGE2FUZZ_QEMU", str(program))
    monkeypatch.setattr(initrd, "COMPILERS", (str(program),))
    settings = {"STAGE2FUZZ_REAL_IMAGE": str(image)}
    assert real.has_real_kernel(from_environment(settings))
    assert not real.has_real_kernel(from_environment({}))
    missing = {"STAGE2FUZZ_REAL_IMAGE": str(tmp_path / "none")}
    assert not real.has_real_kernel(from_environment(missing))
    monkeypatch.setenv("STAGE2FUZZ_QEMU", "no-such-program")
    assert not real.has_real_kernel(from_environment(settings))
    monkeypatch.setenv("STAGE2FUZZ_QEMU", str(program))
    monkeypatch.setattr(initrd, "COMPILERS", ("no-such-compiler",))
    assert not real.has_real_kernel(from_environment(settings))


def test_what_no_machine_can_show_is_handed_in_with_its_reason(tmp_path: Path) -> None:
    work, done = job(tmp_path, tmp_path / "Image")
    real.confirm(work, ORDER)
    (result,) = done
    assert result.answer == ""
    assert "not of a kernel" in result.why


def test_runs_are_counted_by_what_they_said(tmp_path: Path) -> None:
    runs = [{"answer": each} for each in ("confirmed", "not reached", "confirmed")]
    told = {"answer": "confirmed", "kernel": {"release": "6.12.117", "runs": runs}}
    assert real.counted(told) == RealResult("6.12.117", "confirmed", 2, 0, 1)
