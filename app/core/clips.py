"""Clips of video, decoded in processes of their own: nothing else opens a clip.

A decoder has parsers for hundreds of hostile things and is written in C. So it runs aside, bounded in memory and time
(`aside.py`, `clip_decoder.py`); a file that ends it, or keeps it busy, is refused like any other that cannot be read.
Asking about a short clip takes a few milliseconds.
"""

from pathlib import Path
from typing import Any

import numpy as np

from app.core.arrays import AnyArray, Floats
from app.core.aside import Decoders
from app.core.errors import InvalidPayload

HEAD_BYTES = 64

decoders = Decoders("clip_decoder", "clip")


def sniff(head: bytes) -> str | None:
    """`mp4` or `webm` by the file's own first bytes, or None where it is neither."""
    if head[4:8] == b"ftyp" and head[8:12] not in (b"qt  ", b"heic", b"heix", b"mif1", b"avif", b"avis"):
        return "mp4"
    if head[:4] == b"\x1a\x45\xdf\xa3" and b"webm" in head[4:HEAD_BYTES]:
        return "webm"
    return None


def look(path: Path, *, longest: float, pixels: float) -> dict[str, Any]:
    """`width`, `height`, `seconds`, `frames_per_second` and whether there is `sound`; reads the file once.

    Raises:
        InvalidPayload: no clip, longer than `longest` seconds, of more `pixels`, cut off, of a coding that browsers
            do not play, or damaged.
    """
    return _ask("look", path, longest=longest, pixels=pixels)[0]


def frames(path: Path, *, count: int, gap: float, side: int, budget: float) -> tuple[AnyArray, Floats, float]:
    """Pictures (count, 2, side, side, 3) of bytes in RGB, upright, stretched to squares; see `clip_decoder.frames`.

    With them when each is shown (count, 2), and the length, in seconds. Decodes at most about `budget` pixels.

    Raises:
        InvalidPayload: the clip cannot be read.
    """
    head, content = _ask("frames", path, count=count, gap=gap, side=side, budget=budget)
    pixels = np.frombuffer(content, dtype=np.uint8).reshape(head["shape"])
    return pixels, np.asarray(head["moments"], dtype=np.float32), float(head["seconds"])


def picture(path: Path, side: int) -> AnyArray:
    """A picture (height, width, 3) of bytes that stands for the clip; raises InvalidPayload as `frames` does."""
    head, content = _ask("picture", path, side=side)
    return np.frombuffer(content, dtype=np.uint8).reshape(head["shape"])


def sound(path: Path, rate: int, longest: float) -> Floats:
    """The first `longest` seconds of its sound (n,) as one channel at `rate` samples a second; empty without sound.

    Raises:
        InvalidPayload: the clip cannot be read.
    """
    return np.frombuffer(_ask("sound", path, rate=rate, longest=longest)[1], dtype=np.float32)


def _ask(call: str, path: Path, **parameters: Any) -> tuple[dict[str, Any], bytes]:
    return decoders.ask(call, path=str(path), kind=_kind(path), **parameters)


def _kind(path: Path) -> str:
    with path.open("rb") as file:
        kind = sniff(file.read(HEAD_BYTES))
    if kind is None:
        raise InvalidPayload("the file is no MP4 or WebM clip")
    return kind
