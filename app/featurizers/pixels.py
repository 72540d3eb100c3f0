"""Reading an image's pixels for a featurizer; a damaged file is no reason to stop a pass over a million."""

import struct
import warnings
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from app.core.arrays import Floats

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MOST_PIXELS = 100_000_000  # a last guard: the door takes fewer
BROKEN = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, AttributeError)


def read_pixels(path: Any, side: int) -> Floats | None:
    """The image (side, side, 3) in RGB from 0 to 1, upright, on white; None where it cannot be read.

    A JPEG is decoded at a fraction of its size, which is where nearly all the time goes.
    """
    if path is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata that we do not use
            return _decoded(path, side)
    except (*BROKEN, MemoryError, struct.error, zlib.error):
        return None


def _decoded(path: Any, side: int) -> Floats | None:
    with Image.open(path, formats=FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            return None
        turned = image.format == "JPEG" and image.getexif().get(0x0112, 1) != 1
        image.draft("RGB", (side * 4, side * 4))
        small: Image.Image = image
        if image.mode.startswith("I"):  # 16 bits of grey
            small = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
        elif image.has_transparency_data:
            white = Image.new("RGBA", image.size, "white")
            white.alpha_composite(image.convert("RGBA"))
            small = white
        small = small.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
        if turned:
            small.getexif()[0x0112] = image.getexif()[0x0112]
            small = ImageOps.exif_transpose(small)
    return np.asarray(np.asarray(small, dtype=np.float32) / np.float32(255), dtype=np.float32)
