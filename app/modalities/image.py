"""Images: the item names a stored file; decoding is guarded before a pixel is read."""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

from PIL import Image, ImageOps

from app.core.errors import InvalidPayload
from app.modalities.base import FileInfo, StoredFileItem

TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
)
HEAD_BYTES = 32
LOOK = (64, 64)  # pixels that a JPEG is decoded to when only its soundness is asked
# What Pillow's parsers raise on hostile files, seen by feeding them cut and changed ones.
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, ArithmeticError)
BROKEN = (*UNREADABLE, struct.error, zlib.error, MemoryError, AttributeError)
Image.MAX_IMAGE_PIXELS = None  # our own limit, which `probe` checks before a pixel is decoded, is stricter


@dataclass(frozen=True)
class ImageItem(StoredFileItem):
    """A stored picture; its payload also has `width` and `height`, in pixels."""

    name: ClassVar[str] = "image"
    field: ClassVar[str] = "image"
    viewer: ClassVar[str] = "image-item"
    media: ClassVar[str | None] = "image/"
    featurizers: ClassVar[tuple[str, ...]] = ("descriptors", "onnx-image", "client")


def sniff(head: bytes) -> str | None:
    """The format by the file's own first bytes, or None where it is not one of the four that are taken."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return next((name for signature, name in SIGNATURES if head.startswith(signature)), None)


def probe(path: Path, *, megapixels: float) -> FileInfo:
    """Look at a file; its pixels are decoded, to see that it is whole, only when they are few enough.

    Raises:
        InvalidPayload: not a PNG, JPEG, WebP or GIF; larger than `megapixels` million pixels; cut off.
    """
    with _opened(path) as image:
        found = _measured(image, megapixels)
        image.draft(None, LOOK)  # every byte of a JPEG is read, a 64th of its pixels are kept
        image.load()
        return found


def header(file: BinaryIO, *, megapixels: float) -> FileInfo:
    """What an image's head says, of a file that is not read to its end; raises InvalidPayload as `probe` does."""
    with _decoding(file) as image:
        return _measured(image, megapixels)


def _measured(image: Image.Image, megapixels: float) -> FileInfo:
    width, height = image.size
    if width * height > megapixels * 1e6:
        raise InvalidPayload(f"the image has {width * height / 1e6:.0f} megapixels; {megapixels:g} are allowed")
    return FileInfo(TYPES[str(image.format)], width, height)


def decode(path: Path, side: int) -> Image.Image:
    """The image in RGB on white, turned upright, reduced so that its longer side is at most `side` pixels.

    Holds the image once in its own mode (a JPEG at a fraction of its size); copies are made of the reduced one.

    Raises:
        InvalidPayload: the file is not an image of the four types, or is damaged.
    """
    with _opened(path) as image:
        image.draft("RGB", (side, side))
        small = _reduced(image, side)
        if exif_turns(image):
            small = ImageOps.exif_transpose(small)
        return _on_white(small)


def thumbnail(path: Path, side: int) -> bytes:
    """A PNG of at most `side` pixels a side; raises InvalidPayload as `decode` does."""
    out = io.BytesIO()
    decode(path, side).save(out, "PNG")
    return out.getvalue()


def exif_turns(image: Image.Image) -> bool:
    """Whether the file says that it lies on its side; damaged EXIF data says nothing."""
    try:
        return image.getexif().get(0x0112, 1) in range(2, 9)
    except BROKEN:
        return False


def _reduced(image: Image.Image, side: int) -> Image.Image:
    if image.mode in ("P", "1"):  # neither can be averaged: thin out to four times the side, then average
        image.thumbnail((4 * side, 4 * side), Image.Resampling.NEAREST)
        image = image.convert("RGBA" if image.mode == "P" else "L")
    elif image.mode.startswith("I"):  # 16 bits of grey
        image.thumbnail((side, side), Image.Resampling.NEAREST)
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    image.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return image


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    layers = Image.new("RGBA", image.size, "white")
    layers.alpha_composite(image.convert("RGBA"))
    return layers.convert("RGB")


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image, opened by our own look at its first bytes; what its decoder raises becomes InvalidPayload."""
    with path.open("rb") as file, _decoding(file) as image:
        yield image


@contextmanager
def _decoding(file: BinaryIO) -> Iterator[Image.Image]:
    kind = sniff(file.read(HEAD_BYTES))
    if kind is None:
        raise InvalidPayload("the file is not a PNG, JPEG, WebP or GIF image")
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata that we do not use
            with Image.open(file, formats=[kind]) as image:
                yield image
    except BROKEN as error:
        raise InvalidPayload(f"the image cannot be read: {str(error)[:120] or 'it is cut off'}") from None
