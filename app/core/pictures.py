"""The one place that opens pictures: of four kinds by their own first bytes, bounded before a pixel is decoded.

Whoever wants pixels, a look at a new file or a featurizer, comes through here, so that a limit or a fault of a decoder
is dealt with once. A test looks for others who call Pillow's `open`.
"""

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from app.core.errors import InvalidPayload

SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
)
HEAD_BYTES = 32
MOST_PIXELS = 100_000_000  # a last guard: `image_megapixels` takes fewer
# What Pillow's parsers raise on hostile files, seen by feeding them cut and changed ones.
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, ArithmeticError)
BROKEN = (*UNREADABLE, struct.error, zlib.error, MemoryError, AttributeError)
Image.MAX_IMAGE_PIXELS = None  # our own limit is stricter


def sniff(head: bytes) -> str | None:
    """The format by the file's own first bytes, or None where it is not one of the four that are taken."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return next((name for signature, name in SIGNATURES if head.startswith(signature)), None)


@contextmanager
def opened(file: BinaryIO, *, most_pixels: float = MOST_PIXELS) -> Iterator[Image.Image]:
    """The picture in a file, whose head is read and whose pixels are not yet.

    What its decoder raises, also later in the block, becomes InvalidPayload.

    Raises:
        InvalidPayload: not a PNG, JPEG, WebP or GIF; more pixels than `most_pixels`; damaged.
    """
    kind = sniff(file.read(HEAD_BYTES))
    if kind is None:
        raise InvalidPayload("the file is not a PNG, JPEG, WebP or GIF image")
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata that we do not use
            with Image.open(file, formats=[kind]) as image:
                pixels = image.width * image.height
                if pixels > most_pixels:
                    raise InvalidPayload(
                        f"the image has {pixels / 1e6:.0f} megapixels; {most_pixels / 1e6:g} are allowed"
                    )
                yield image
    except BROKEN as error:
        raise InvalidPayload(f"the image cannot be read: {str(error)[:120] or 'it is cut off'}") from None


@contextmanager
def opened_at(path: Path, *, most_pixels: float = MOST_PIXELS) -> Iterator[Image.Image]:
    """As `opened`, of a file on the disk."""
    with path.open("rb") as file, opened(file, most_pixels=most_pixels) as image:
        yield image
