"""Images: the item names a stored file; decoding is guarded before a pixel is read, see `core.pictures`."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

from PIL import Image, ImageOps

from app.core.pictures import BROKEN, HEAD_BYTES, opened, opened_at, sniff
from app.modalities.base import FileInfo, StoredFileItem

TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
LOOK = (64, 64)  # pixels that a JPEG is decoded to when only its soundness is asked


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
    with opened_at(path, most_pixels=megapixels * 1e6) as image:
        found = _measured(image)
        image.draft(None, LOOK)  # every byte of a JPEG is read, a 64th of its pixels are kept
        image.load()
        return found


def header(file: BinaryIO, *, megapixels: float) -> FileInfo:
    """What an image's head says, of a file that is not read to its end; raises InvalidPayload as `probe` does."""
    with opened(file, most_pixels=megapixels * 1e6) as image:
        return _measured(image)


def _measured(image: Image.Image) -> FileInfo:
    return FileInfo(TYPES[str(image.format)], *image.size)


def decode(path: Path, side: int) -> Image.Image:
    """The image in RGB on white, turned upright, reduced so that its longer side is at most `side` pixels.

    Holds the image once in its own mode (a JPEG at a fraction of its size); copies are made of the reduced one.

    Raises:
        InvalidPayload: the file is not an image of the four types, or is damaged.
    """
    with opened_at(path) as image:
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


__all__ = ["HEAD_BYTES", "FileInfo", "ImageItem", "decode", "header", "probe", "sniff", "thumbnail"]
