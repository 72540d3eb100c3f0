"""Reading an image's pixels for a featurizer; a damaged file is no reason to stop a pass over a million."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from app.core.arrays import Floats
from app.core.errors import InvalidPayload
from app.core.pictures import opened_at


def read_pixels(path: Any, side: int) -> Floats | None:
    """The image (side, side, 3) in RGB from 0 to 1, upright, on white; None where it cannot be read.

    A JPEG is decoded at a fraction of its size, which is where nearly all the time goes.
    """
    if path is None:
        return None
    try:
        return _decoded(Path(path), side)
    except (InvalidPayload, OSError):
        return None


def _decoded(path: Path, side: int) -> Floats:
    with opened_at(path) as image:
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
