"""Images: the item names a stored file; decoding is guarded before a pixel is read."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image, ImageOps, UnidentifiedImageError

from app.core.errors import InvalidPayload

TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
)
HEAD_BYTES = 32
Image.MAX_IMAGE_PIXELS = None  # our own limit, which `probe` checks before a pixel is decoded, is stricter


@dataclass(frozen=True)
class ImageInfo:
    """What is known of an image file before it is decoded; `width` and `height` in pixels."""

    type: str
    width: int
    height: int


@dataclass(frozen=True)
class ImageItem:
    """`{"media": id, "sha256": ..., "width": ..., "height": ..., "name": ...}`, made when the item is stored."""

    name: ClassVar[str] = "image"
    field: ClassVar[str] = "image"
    viewer: ClassVar[str] = "image-item"
    featurizers: ClassVar[tuple[str, ...]] = ("descriptors", "onnx-image", "client")

    def check(self, payload: Any) -> Any:
        """The stored form; raises InvalidPayload when the file was not looked up."""
        if not isinstance(payload, dict) or not isinstance(payload.get("sha256"), str):
            raise InvalidPayload("image names a stored file: upload it to /media first")
        return payload

    def fingerprint(self, payload: Any) -> str:
        """Equal for files of the same bytes."""
        return str(payload["sha256"])[:32]


def sniff(head: bytes) -> str | None:
    """The format by the file's own first bytes, or None where it is not one of the four that are taken."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return next((name for signature, name in SIGNATURES if head.startswith(signature)), None)


def probe(path: Path, *, megapixels: float) -> ImageInfo:
    """Look at a file without decoding its pixels.

    Raises:
        InvalidPayload: not a PNG, JPEG, WebP or GIF; larger than `megapixels` million pixels; cut off.
    """
    with path.open("rb") as file:
        kind = sniff(file.read(HEAD_BYTES))
    if kind is None:
        raise InvalidPayload("the file is not a PNG, JPEG, WebP or GIF image")
    try:
        with _opened(path, kind) as image:
            width, height = image.size
            if width * height > megapixels * 1e6:
                raise InvalidPayload(f"the image has {width * height / 1e6:.0f} megapixels; {megapixels:g} are allowed")
            image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise InvalidPayload(f"the image cannot be read: {str(error)[:120] or 'it is cut off'}") from None
    return ImageInfo(TYPES[kind], width, height)


def decode(path: Path, side: int) -> Image.Image:
    """The image in RGB, turned upright, reduced so that its longer side is at most `side` pixels."""
    with path.open("rb") as file:
        kind = sniff(file.read(HEAD_BYTES))
    if kind is None:
        raise InvalidPayload("the file is not an image")
    with _opened(path, kind) as image:
        image.draft("RGB", (side, side))  # a JPEG is decoded at a fraction of its size
        upright = ImageOps.exif_transpose(image).convert("RGB")
    upright.thumbnail((side, side))
    return upright


def thumbnail(path: Path, side: int) -> bytes:
    """A PNG of at most `side` pixels a side."""
    out = io.BytesIO()
    decode(path, side).save(out, "PNG")
    return out.getvalue()


def _opened(path: Path, kind: str) -> Image.Image:
    return Image.open(path, formats=[kind])
