"""Small helpers over dense rows, and the projection that raw descriptions go through."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.core.arrays import AnyArray, Floats


def unit_rows(matrix: AnyArray) -> Floats:
    """Rows scaled to length one; rows of zeros stay zeros."""
    largest = np.abs(matrix).max(axis=1, keepdims=True, initial=0)
    scaled = matrix / np.where(largest > 0, largest, 1)  # so that no square is too large or too small for a float
    length = np.sqrt((scaled * scaled).sum(axis=1, keepdims=True))
    return np.asarray(scaled / np.maximum(length, 1), dtype=np.float32)


@dataclass(frozen=True)
class Projection:
    """Mean (d,) and whitening projection (d, dims) of raw descriptions."""

    mean: Floats
    projection: Floats

    def of(self, raw: Floats) -> Floats:
        """The descriptions (n, d) projected (n, dims)."""
        return np.asarray((raw - self.mean) @ self.projection, dtype=np.float32)

    def save(self, path: Path) -> None:
        """Write both arrays as .npz."""
        with path.open("wb") as file:
            np.savez(file, mean=self.mean, projection=self.projection)

    @classmethod
    def load(cls, path: Path) -> "Projection":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["mean"], arrays["projection"])


def half_whitened(raw: Floats, dimensions: int, *, standardise: bool = False) -> Projection:
    """Principal components of `raw` (n, d), half-way between plain and whitened.

    So strong directions lead and weak ones are still heard. `standardise` first gives every column unit variance:
    for columns of different units. Fewer rows than dimensions give fewer components; no rows one of zeros.
    """
    if not len(raw):
        return Projection(np.zeros(raw.shape[1], np.float32), np.zeros((raw.shape[1], 1), np.float32))
    mean = raw.mean(axis=0)
    scale = np.maximum(raw.std(axis=0), 1e-6) if standardise else np.ones(raw.shape[1], dtype=np.float32)
    rank = max(1, min(dimensions, *raw.shape))
    _, values, right = np.linalg.svd((raw - mean) / scale, full_matrices=False)
    spread = values[:rank] / np.sqrt(max(len(raw) - 1, 1))
    weight = 1 / np.sqrt(np.maximum(spread, 1e-3 * max(float(spread[0]), 1e-6)))
    return Projection(mean.astype(np.float32), (right[:rank].T * weight / scale[:, None]).astype(np.float32))
