"""Small helpers over dense rows."""

import numpy as np

from app.core.arrays import AnyArray, Floats


def unit_rows(matrix: AnyArray) -> Floats:
    """Rows scaled to length one; rows of zeros stay zeros."""
    length = np.sqrt((matrix * matrix).sum(axis=1, keepdims=True))
    return np.asarray(matrix / np.maximum(length, 1e-12), dtype=np.float32)
