"""Linear heads over frozen features: what they are once fitted, how they score and how they are stored."""

import tokenize
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from app.core.arrays import Doubles, Floats, Indices
from app.core.block import Block
from app.core.disk import sync

# What reading a model's file raises where it is not what was written.
DAMAGED = (
    OSError, ValueError, KeyError, EOFError, TypeError, AttributeError, SyntaxError, tokenize.TokenError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True)
class LinearModel:
    """p = softmax((x W + b) / T), or a sigmoid a class where several may hold.

    `weights` is (k, c) float32 over `columns` (k,) of the sparse features, or over all dense columns where
    `columns` is None; `width` is the full number of columns. Scoring costs O(n d c), or O(nnz c) when sparse.
    """

    weights: Floats
    bias: Floats
    temperature: float
    multiple: bool
    width: int
    columns: Indices | None = None

    @property
    def classes(self) -> int:
        return int(self.bias.shape[0])

    def logits(self, block: Block) -> Floats:
        """(n, c) float32, not yet divided by the temperature."""
        if self.columns is None:
            return np.asarray(block.dense @ self.weights + self.bias, dtype=np.float32)
        if block.sparse is None:
            raise ValueError("this model was fitted on sparse features and these rows have none")
        # Columns without a weight share one row of zeros, so that the weights stay small enough for the cache.
        place = np.full(self.width, len(self.columns), dtype=np.int32)
        place[self.columns] = np.arange(len(self.columns), dtype=np.int32)
        compact = np.vstack([self.weights, np.zeros((1, self.classes), dtype=np.float32)])
        parts = (block.sparse.data, place[block.sparse.indices], block.sparse.indptr)
        rows = csr_matrix(parts, shape=(block.sparse.shape[0], len(self.columns) + 1))
        return np.asarray(rows @ compact + self.bias, dtype=np.float32)

    def probabilities(self, block: Block) -> Floats:
        """(n, c) float32: rows sum to one, or are independent where several classes may hold."""
        return link(self.logits(block) / np.float32(self.temperature), self.multiple)

    def tempered(self, temperature: float) -> "LinearModel":
        """The same head with another temperature."""
        return replace(self, temperature=temperature)

    def save(self, path: Path) -> None:
        """Write one .npz of plain arrays; the file can run no code."""
        arrays: dict[str, Any] = {
            "weights": self.weights,
            "bias": self.bias,
            "settings": np.array([self.temperature, float(self.multiple), float(self.width)]),
        }
        if self.columns is not None:
            arrays["columns"] = self.columns
        with path.open("wb") as file:
            np.savez(file, **arrays)
            sync(file)


def load_model(path: Path) -> LinearModel | None:
    """Read what `save` wrote; None for the file of another kind of model. Anything but plain arrays is refused.

    Raises:
        One of DAMAGED: the file is gone, cut, or holds other bytes than were written; each array has a checksum.
    """
    with np.load(path, allow_pickle=False) as arrays:
        if not {"weights", "bias", "settings"} <= set(arrays.files):
            return None
        temperature, multiple, width = arrays["settings"]
        columns = arrays["columns"] if "columns" in arrays.files else None
        return LinearModel(arrays["weights"], arrays["bias"], float(temperature), bool(multiple), int(width), columns)


def link(logits: Floats, multiple: bool) -> Floats:
    """Softmax over the columns, or a sigmoid in each."""
    if multiple:
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), dtype=np.float32)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)


def row_space(block: Block) -> tuple[Doubles, "RowSpace"]:
    """Coordinates (n, r) of the rows in a space of at most n dimensions, and the way back to weights.

    An L2-regularised linear head's optimum lies in the span of its training rows, so for n rows over many
    columns the fit is done in n dimensions: O(n^2) for the Gram matrix and O(n^3) once, whatever the width.

    Source: Kimeldorf, Wahba. Some results on Tchebycheffian spline functions. J. Math. Anal. Appl. 1971.
    """
    if block.sparse is None:
        matrix = np.asarray(block.dense, dtype=np.float64)
        if matrix.shape[1] <= matrix.shape[0]:
            return matrix, RowSpace(None, None, matrix.shape[1])
        touched = None
        gram = matrix @ matrix.T
        width = matrix.shape[1]
    else:
        touched = np.unique(block.sparse.indices).astype(np.int64)
        gram = (block.sparse @ block.sparse.T).toarray().astype(np.float64)
        width = int(block.sparse.shape[1])
    values, vectors = np.linalg.eigh(gram)
    kept = values > max(values[-1], 1e-12) * 1e-10
    scale = np.sqrt(values[kept])
    return vectors[:, kept] * scale, RowSpace(vectors[:, kept] / scale, touched, width)


def touched_columns(block: Block) -> tuple[csr_matrix, "RowSpace"]:
    """The sparse columns (n, k) in which any row has a value, and the way back to weights.

    For many rows: an iteration costs O(nnz c) there, where the row space would cost O(n^3) once.
    """
    assert block.sparse is not None
    touched = np.unique(block.sparse.indices).astype(np.int64)
    return block.sparse[:, touched].astype(np.float64), RowSpace(None, touched, int(block.sparse.shape[1]))


@dataclass(frozen=True)
class RowSpace:
    """Turns weights over row-space coordinates into weights over feature columns."""

    back: Doubles | None  # (n, r); None where the coordinates are the columns themselves
    touched: Indices | None
    width: int

    def start(self, warm: Any, classes: int) -> Doubles | None:
        """An earlier model of the same features and classes as a place to start from, (k + 1, classes), bias last.

        None where there is no such model, or where the search runs in the rows' space, which is quick without.
        """
        same = isinstance(warm, LinearModel) and warm.width == self.width and warm.classes == classes
        if self.back is not None or not same or (warm.columns is None) != (self.touched is None):
            return None
        weights = warm.weights
        if self.touched is not None:
            place = np.minimum(np.searchsorted(warm.columns, self.touched), len(warm.columns) - 1)
            known = warm.columns[place] == self.touched
            weights = np.where(known[:, None], weights[place], 0.0)  # columns that are new to the labels start at zero
        return np.vstack([weights, warm.bias]).astype(np.float64)

    def model(self, block: Block, weights: Doubles, bias: Doubles, multiple: bool) -> LinearModel:
        """The head whose scores on the training rows are those of the row-space weights (r, c)."""
        if self.back is None:
            found = (weights.astype(np.float32), bias.astype(np.float32))
            return LinearModel(*found, 1.0, multiple, self.width, self.touched)
        mix = self.back @ weights
        if block.sparse is not None:
            full = np.asarray(block.sparse.T @ mix)
            return LinearModel(
                full[self.touched].astype(np.float32), bias.astype(np.float32), 1.0, multiple, self.width, self.touched
            )
        full = np.asarray(block.dense, dtype=np.float64).T @ mix
        return LinearModel(full.astype(np.float32), bias.astype(np.float32), 1.0, multiple, self.width)
