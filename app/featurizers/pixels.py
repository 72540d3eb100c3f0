"""Reading images' pixels for a featurizer; a damaged file is no reason to stop a pass over a million."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.core import pictures
from app.core.arrays import Floats


def read_pixels(paths: Sequence[Any], side: int) -> Iterator[Floats | None]:
    """Of each path the image (side, side, 3) in RGB from 0 to 1, upright, on white; None where it cannot be read.

    A JPEG is decoded at a fraction of its size, which is where nearly all the time goes.
    """
    for pixels in pictures.squares([None if path is None else Path(path) for path in paths], side):
        yield None if pixels is None else np.asarray(pixels, dtype=np.float32) / np.float32(255)
