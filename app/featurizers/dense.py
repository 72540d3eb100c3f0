"""Small helpers over dense rows."""

import numpy as np

from app.core.arrays import AnyArray, Floats


def unit_rows(matrix: AnyArray) -> Floats:
    """Rows scaled to length one; rows of zeros stay zeros."""
    largest = np.abs(matrix).max(axis=1, keepdims=True, initial=0)
    scaled = matrix / np.where(largest > 0, largest, 1)  # so that no square is too large or too small for a float
    length = np.sqrt((scaled * scaled).sum(axis=1, keepdims=True))
    return np.asarray(scaled / np.maximum(length, 1), dtype=np.float32)
