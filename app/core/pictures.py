"""The one door to pictures: of four kinds by their own first bytes, decoded in processes of their own.

Decoders are written in C and are fed with what strangers send. So they run aside, bounded in memory and time
(`picture_decoder.py`); a file that ends one, or keeps it busy, is refused like any other that cannot be read. Asking
costs a few tenths of a millisecond a picture, or less where many are asked for at once.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from app.core.arrays import AnyArray
from app.core.aside import Decoders, GaveUp
from app.core.errors import InvalidPayload

SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
)
HEAD_BYTES = 32
BATCH = 32  # pictures in one request
STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # JPEG's markers without a length
SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # JPEG's markers that tell width and height

decoders = Decoders("picture_decoder", "image")


def sniff(head: bytes) -> str | None:
    """The format by the file's own first bytes, or None where it is not one of the four that are taken."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return next((name for signature, name in SIGNATURES if head.startswith(signature)), None)


def look(path: Path, *, most_pixels: float) -> tuple[str, int, int]:
    """The format, width and height of a file that is read whole.

    Raises:
        InvalidPayload: not a PNG, JPEG, WebP or GIF; more pixels than `most_pixels`; damaged.
    """
    kind = _kind(path)
    found, _ = decoders.ask("look", path=str(path), kind=kind, pixels=most_pixels)
    return kind, found["width"], found["height"]


def small(path: Path, side: int) -> AnyArray:
    """The picture (height, width, 3) of bytes in RGB on white, upright, its longer side at most `side`.

    Raises:
        InvalidPayload: not a PNG, JPEG, WebP or GIF, or damaged.
    """
    head, content = decoders.ask("small", path=str(path), kind=_kind(path), side=side)
    width, height = head["size"]
    return np.frombuffer(content, dtype=np.uint8).reshape(height, width, 3)


def squares(paths: Sequence[Path | None], side: int) -> Iterator[AnyArray | None]:
    """Of each path the picture (side, side, 3) of bytes in RGB, stretched, upright, on white; None if it has none."""
    for start in range(0, len(paths), BATCH):
        yield from _batch(paths[start : start + BATCH], side)


def head(file: BinaryIO, *, most_pixels: float) -> tuple[str, int, int]:
    """The format, width and height that a file says at its beginning; reads no further, and decodes nothing.

    Raises:
        InvalidPayload: not a PNG, JPEG, WebP or GIF; more pixels than `most_pixels`; its beginning is damaged.
    """
    beginning = file.read(HEAD_BYTES)
    kind = sniff(beginning)
    if kind is None:
        raise InvalidPayload("the file is not a PNG, JPEG, WebP or GIF image")
    size = _jpeg_size(file) if kind == "JPEG" else _size(kind, beginning)
    if size is None or 0 in size:
        raise InvalidPayload("the image cannot be read: its head is damaged or cut off")
    pixels = size[0] * size[1]
    if pixels > most_pixels:
        raise InvalidPayload(f"the image has {pixels / 1e6:.0f} megapixels; {most_pixels / 1e6:g} are allowed")
    return kind, *size


def _kind(path: Path) -> str:
    with path.open("rb") as file:
        kind = sniff(file.read(HEAD_BYTES))
    if kind is None:
        raise InvalidPayload("the file is not a PNG, JPEG, WebP or GIF image")
    return kind


def _kind_or_none(path: Path | None) -> str | None:
    try:
        return None if path is None else _kind(path)
    except (InvalidPayload, OSError):
        return None


def _batch(paths: Sequence[Path | None], side: int) -> Iterator[AnyArray | None]:
    left = list(paths)
    while left:
        read = _read(left, side)
        yield from read
        del left[: len(read)]


def _read(paths: Sequence[Path | None], side: int) -> list[AnyArray | None]:
    """The first of these pictures, as many as one answer has; one that ends the decoder is one that cannot be read."""
    asked: dict[str, Any] = {"kinds": [_kind_or_none(path) for path in paths], "side": side}
    try:
        found, content = decoders.attempt("squares", paths=[str(path) for path in paths], **asked)
    except GaveUp:
        if len(paths) == 1:
            return [None]
        return [each for path in paths for each in _read([path], side)]
    pixels = iter(np.frombuffer(content, dtype=np.uint8).reshape(-1, side, side, 3))
    return [next(pixels) if read else None for read in found["read"]]


def _size(kind: str, head: bytes) -> tuple[int, int] | None:
    """Width and height where they stand at a fixed place."""
    if kind == "PNG":
        return _pair(head[16:24], 4, "big") if head[12:16] == b"IHDR" else None
    if kind == "GIF":
        return _pair(head[6:10], 2, "little")
    if head[12:16] == b"VP8X":
        found = _pair(head[24:30], 3, "little")
        return found and (found[0] + 1, found[1] + 1)
    if head[12:16] == b"VP8L" and head[20:21] == b"\x2f" and len(head) >= 25:
        packed = int.from_bytes(head[21:25], "little")
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    if head[12:16] == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        found = _pair(head[26:30], 2, "little")
        return found and (found[0] & 0x3FFF, found[1] & 0x3FFF)
    return None


def _pair(content: bytes, size: int, order: Any) -> tuple[int, int] | None:
    if len(content) < 2 * size:
        return None
    return int.from_bytes(content[:size], order), int.from_bytes(content[size : 2 * size], order)


def _jpeg_size(file: BinaryIO) -> tuple[int, int] | None:
    """Width and height of the first frame, found by walking over the segments before it."""
    file.seek(2)
    while (start := file.read(2)) and start[0] == 0xFF and len(start) == 2:
        marker = start[1]
        if marker == 0xFF:  # one that fills
            file.seek(-1, 1)
            continue
        if marker in STANDALONE:
            continue
        length = int.from_bytes(file.read(2), "big")
        if length < 2:
            return None
        if marker in SIZES:
            size = _pair(file.read(5)[1:], 2, "big")
            return size and (size[1], size[0])
        file.seek(length - 2, 1)
    return None
