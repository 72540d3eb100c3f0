"""Clips of video: the item names a stored clip; `core.clips` decodes it, in a process of its own."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from PIL import Image

from app.core import clips
from app.core.clips import HEAD_BYTES, sniff
from app.modalities.base import FileInfo, StoredFileItem

TYPES = {"mp4": "video/mp4", "webm": "video/webm"}


@dataclass(frozen=True)
class VideoItem(StoredFileItem):
    """A stored clip of video; its payload also has `width`, `height`, `seconds` and `frames_per_second`."""

    name: ClassVar[str] = "video"
    field: ClassVar[str] = "video"
    viewer: ClassVar[str] = "video-item"
    media: ClassVar[str | None] = "video/"
    featurizers: ClassVar[tuple[str, ...]] = ("frames", "onnx-frames", "client")


def probe(path: Path, *, megapixels: float, longest: float) -> FileInfo:
    """Look at a file: read whole, and a few of its pictures decoded.

    Raises:
        InvalidPayload: not MP4 or WebM; of more `megapixels` or seconds than `longest`; without pictures, cut off,
            damaged, or of a coding that browsers do not play.
    """
    with path.open("rb") as file:
        kind = sniff(file.read(HEAD_BYTES))
    found = clips.look(path, longest=longest, pixels=megapixels * 1e6)
    return FileInfo(TYPES[str(kind)], found["width"], found["height"], found["seconds"], found["frames_per_second"])


def thumbnail(path: Path, side: int) -> bytes:
    """A picture of the clip as a PNG of at most `side` pixels a side.

    Raises:
        InvalidPayload: the clip cannot be read.
    """
    out = io.BytesIO()
    Image.fromarray(clips.picture(path, side)).save(out, "PNG")
    return out.getvalue()


__all__ = ["HEAD_BYTES", "VideoItem", "probe", "sniff", "thumbnail"]
