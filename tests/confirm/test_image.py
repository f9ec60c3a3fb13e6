"""What is no whole arm64 kernel image is refused before anything boots."""

import gzip
from pathlib import Path

import pytest

from stage2fuzz.confirm.image import check_image
from stage2fuzz.errors import InputError
from tests.confirm.stand_in import IMAGE


def with_sections(*sections: tuple[int, int]) -> bytes:
    """An image whose header for EFI tells of these sections: (size, place) of each."""
    head = b"MZ".ljust(56, b"\0") + b"ARMd" + (64).to_bytes(4, "little")
    head += b"PE\0\0" + b"\0" * 2 + len(sections).to_bytes(2, "little")
    head += b"\0" * 12 + (8).to_bytes(2, "little") + b"\0" * 2 + b"\0" * 8
    for size, place in sections:
        header = b"\0" * 16 + size.to_bytes(4, "little") + place.to_bytes(4, "little")
        head += header.ljust(40, b"\0")
    whole = max(size + place for size, place in sections)
    return head.ljust(whole, b"\0")


@pytest.mark.parametrize(
    "content",
    [IMAGE, gzip.compress(IMAGE), with_sections((6000, 4096), (1000, 10096))],
    ids=("bare", "packed", "with sections"),
)
def test_an_arm64_image_is_taken(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "Image"
    path.write_bytes(content)
    check_image(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x7fELF" + b"\0" * 100,
        b"MZ\xea\x07".ljust(4096, b"\0"),
        gzip.compress(b"\x7fELF" + b"\0" * 100),
        b"\x1f\x8b and no more of it",
    ],
    ids=("empty", "ELF", "x86", "packed ELF", "no gzip"),
)
def test_a_file_that_is_no_arm64_image_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no arm64 kernel image"):
        check_image(path)
    with pytest.raises(InputError, match="No such file"):
        check_image(tmp_path / "missing")


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=("bare", "packed"))
def test_an_image_that_was_cut_off_is_refused(tmp_path: Path, pack: type[bytes]) -> None:
    path = tmp_path / "Image"
    path.write_bytes(pack(with_sections((6000, 4096), (1000, 10096))[:9000]))
    with pytest.raises(InputError, match="is cut off: 9,000 bytes, and its header tells of 11,096"):
        check_image(path)
    whole = gzip.compress(with_sections((6000, 4096)))
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"no arm64 kernel image|is cut off"):
        check_image(path)
