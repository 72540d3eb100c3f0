"""Images: the item names a stored file; `core.pictures` decodes it, in a process of its own."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

from PIL import Image

from app.core import pictures
from app.core.pictures import HEAD_BYTES, sniff
from app.modalities.base import FileInfo, StoredFileItem

TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}


@dataclass(frozen=True)
class ImageItem(StoredFileItem):
    """A stored picture; its payload also has `width` and `height`, in pixels."""

    name: ClassVar[str] = "image"
    field: ClassVar[str] = "image"
    viewer: ClassVar[str] = "image-item"
    media: ClassVar[str | None] = "image/"
    featurizers: ClassVar[tuple[str, ...]] = ("descriptors", "onnx-image", "client")


def probe(path: Path, *, megapixels: float) -> FileInfo:
    """Look at a file; its pixels are decoded, to see that it is whole, only when they are few enough.

    Raises:
        InvalidPayload: not a PNG, JPEG, WebP or GIF; larger than `megapixels` million pixels; cut off.
    """
    kind, *size = pictures.look(path, most_pixels=megapixels * 1e6)
    return FileInfo(TYPES[kind], *size)


def header(file: BinaryIO, *, megapixels: float) -> FileInfo:
    """What an image's head says, of a file that is not read to its end; raises InvalidPayload as `probe` does."""
    kind, *size = pictures.head(file, most_pixels=megapixels * 1e6)
    return FileInfo(TYPES[kind], *size)


def thumbnail(path: Path, side: int) -> bytes:
    """A PNG of at most `side` pixels a side, in RGB on white, upright.

    Raises:
        InvalidPayload: the file is not an image of the four types, or is damaged.
    """
    out = io.BytesIO()
    Image.fromarray(pictures.small(path, side)).save(out, "PNG")
    return out.getvalue()


__all__ = ["HEAD_BYTES", "FileInfo", "ImageItem", "header", "probe", "sniff", "thumbnail"]
