"""A kernel image by its own headers: whether it is one for arm64, and whether all of it is there.

Told here, it takes a moment; a machine that is given half a kernel says nothing, until a time-out.
"""

import zlib
from pathlib import Path
from typing import Final

from stage2fuzz.errors import InputError

HEAD: Final = 4096
"""Bytes in which all headers lie."""
GZIP: Final = b"\x1f\x8b"
SECTION: Final = 40
"""Bytes of one section's header."""
LARGEST: Final = 1 << 28
"""Bytes that are unpacked of one; Debian's cloud kernels have 40 MB."""


def check_image(image: Path) -> None:
    """Refuse by one line what is no arm64 kernel image, and one that was cut off."""
    try:
        with image.open("rb") as file:
            head = file.read(HEAD)
            size = file.seek(0, 2)
            if head.startswith(GZIP):
                file.seek(0)
                head, size = _unpack(file.read())
    except OSError as error:
        raise InputError(str(image), error.strerror or "cannot be read") from None
    if head[56:60] != b"ARMd":
        right = "an arm64 Image, such as boot/vmlinuz-* of a linux-image-*-cloud-arm64 package"
        raise InputError(str(image), "no arm64 kernel image", right)
    wanted = _size(head)
    if size < wanted:
        what = f"is cut off: {size:,} bytes, and its header tells of {wanted:,}"
        raise InputError(str(image), what, "the whole file; fetch it once more")


def _unpack(packed: bytes) -> tuple[bytes, int]:
    """The head of a packed image, and how many bytes there are of it; nothing of what is none."""
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        unpacked = unpack.decompress(packed, LARGEST)
    except zlib.error:
        return b"", 0
    return unpacked[:HEAD], len(unpacked)


def _size(head: bytes) -> int:
    """Where the last section ends, by the header that EFI reads; 0 for an image without one."""
    at = int.from_bytes(head[60:64], "little")
    if head[:2] != b"MZ" or head[at : at + 4] != b"PE\0\0":
        return 0
    count = int.from_bytes(head[at + 6 : at + 8], "little")
    first = at + 24 + int.from_bytes(head[at + 20 : at + 22], "little")
    sections = (head[first + SECTION * each :][:SECTION] for each in range(count))
    ends = (
        int.from_bytes(each[16:20], "little") + int.from_bytes(each[20:24], "little")
        for each in sections
    )
    return max(ends, default=0)
