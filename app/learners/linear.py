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
PARTS = ("columns", "space")  # of a model of sparse features
BESIDE = 0.5  # the length of a row's dense part beside its sparse part of length one, with many labels
LENGTHS = (BESIDE, 1.0, 2.0)  # that fits of few labels choose from


@dataclass(frozen=True)
class LinearModel:
    """p = softmax((x W + b) / T), or a sigmoid a class where several may hold.

    `weights` is (k, c) float32 over `columns` (k,) of the sparse features, beside `space` (d, c) over the dense ones;
    or over all dense columns where `columns` is None. `width` is the full number of columns that `weights` is of.
    Scoring costs O(n d c), and O(nnz c) where there are sparse features.
    """

    weights: Floats
    bias: Floats
    temperature: float
    multiple: bool
    width: int
    columns: Indices | None = None
    space: Floats | None = None  # None in the models of earlier releases, which knew the sparse features alone

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
        scores = rows @ compact + self.bias
        if self.space is not None:
            # In float64: the last bits of a dense product depend on how many rows it has, and float32 would show them.
            scores = scores + block.dense.astype(np.float64) @ self.space.astype(np.float64)
        return np.asarray(scores, dtype=np.float32)

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
        arrays |= {name: each for name in PARTS if (each := getattr(self, name)) is not None}
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
        parts = [arrays[name] if name in arrays.files else None for name in PARTS]
        return LinearModel(arrays["weights"], arrays["bias"], float(temperature), bool(multiple), int(width), *parts)


def link(logits: Floats, multiple: bool) -> Floats:
    """Softmax over the columns, or a sigmoid in each."""
    if multiple:
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), dtype=np.float32)
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)


class Coordinates:
    """Sparse and dense columns of the same rows (n, k + d) side by side, multiplied each in its own way."""

    def __init__(self, sparse: csr_matrix, dense: Doubles) -> None:
        self.sparse, self.dense = sparse, dense
        self.shape = (sparse.shape[0], sparse.shape[1] + dense.shape[1])

    def __matmul__(self, weights: Doubles) -> Doubles:
        """(n, c) of weights (k + d, c)."""
        k = self.sparse.shape[1]
        return np.asarray(self.sparse @ weights[:k] + self.dense @ weights[k:])

    def __getitem__(self, rows: Any) -> "Coordinates":
        return Coordinates(self.sparse[rows], self.dense[rows])

    def pulled(self, errors: Doubles) -> Doubles:
        """The transposed product (k + d, c) with errors (n, c)."""
        return np.vstack([self.sparse.T @ errors, self.dense.T @ errors])


def row_space(block: Block, length: float = BESIDE) -> tuple[Doubles, "RowSpace"]:
    """Coordinates (n, r) of the rows in a space of at most n dimensions, and the way back to weights.

    An L2-regularised linear head's optimum lies in the span of its training rows, so for n rows over many
    columns the fit is done in n dimensions: O(n^2) for the Gram matrix and O(n^3) once, whatever the width.
    Beside sparse columns stand the dense ones, with rows of `length`: words that no label has shown yet are near
    others there.

    Source: Kimeldorf, Wahba. Some results on Tchebycheffian spline functions. J. Math. Anal. Appl. 1971.
    """
    dense = np.asarray(block.dense, dtype=np.float64)
    if block.sparse is None:
        if dense.shape[1] <= dense.shape[0]:
            return dense, RowSpace(None, None, dense.shape[1])
        touched, gram, width = None, dense @ dense.T, dense.shape[1]
    else:
        touched = np.unique(block.sparse.indices).astype(np.int64)
        gram = (block.sparse @ block.sparse.T).toarray() + length**2 * (dense @ dense.T)
        width = int(block.sparse.shape[1])
    values, vectors = np.linalg.eigh(gram)
    kept = values > max(values[-1], 1e-12) * 1e-10
    scale = np.sqrt(values[kept])
    return vectors[:, kept] * scale, RowSpace(vectors[:, kept] / scale, touched, width, length)


def columns_space(block: Block, *, beside: bool = True) -> tuple[Coordinates, "RowSpace"]:
    """The sparse columns in which any row has a value and the dense ones, (n, k + d), and the way back to weights.

    Without `beside` the sparse columns are alone.

    For many rows: an iteration costs O((nnz + n d) c) there, where the row space would cost O(n^3) once.
    """
    assert block.sparse is not None
    touched = np.unique(block.sparse.indices).astype(np.int64)
    dense = BESIDE * (block.dense if beside else block.dense[:, :0]).astype(np.float64)
    space = RowSpace(None, touched, int(block.sparse.shape[1]), beside=beside)
    return Coordinates(block.sparse[:, touched].astype(np.float64), dense), space


@dataclass(frozen=True)
class RowSpace:
    """Turns weights over row-space coordinates into weights over feature columns."""

    back: Doubles | None  # (n, r); None where the coordinates are the columns themselves
    touched: Indices | None
    width: int
    length: float = BESIDE
    beside: bool = True  # whether dense columns stand beside sparse ones

    def start(self, warm: Any, classes: int) -> Doubles | None:
        """An earlier model of the same features and classes as a place to start from, (k + 1, classes), bias last.

        None where there is no such model, or where the search runs in the rows' space, which is quick without.
        """
        same = isinstance(warm, LinearModel) and warm.width == self.width and warm.classes == classes
        if self.back is not None or not same or (warm.columns is None) != (self.touched is None):
            return None
        if self.touched is None:
            return np.vstack([warm.weights, warm.bias]).astype(np.float64)
        if (warm.space is not None) != self.beside:
            return None
        place = np.minimum(np.searchsorted(warm.columns, self.touched), len(warm.columns) - 1)
        known = warm.columns[place] == self.touched
        weights = np.where(known[:, None], warm.weights[place], 0.0)  # columns new to the labels start at zero
        parts = [weights, *([] if warm.space is None else [warm.space / self.length]), warm.bias]
        return np.vstack(parts).astype(np.float64)

    def model(self, block: Block, weights: Doubles, bias: Doubles, multiple: bool) -> LinearModel:
        """The head whose scores on the training rows are those of the row-space weights (r, c)."""
        space = None
        if self.back is not None:
            mix = self.back @ weights
            if block.sparse is None:
                weights = np.asarray(block.dense, dtype=np.float64).T @ mix
            else:
                weights = np.asarray(block.sparse.T @ mix)[self.touched]
                space = self.length**2 * (block.dense.T.astype(np.float64) @ mix)
        elif self.touched is not None:
            weights, dense = weights[: len(self.touched)], weights[len(self.touched) :]
            space = self.length * dense if self.beside else None
        found = (weights.astype(np.float32), bias.astype(np.float32), 1.0, multiple, self.width, self.touched)
        return LinearModel(*found, None if space is None else space.astype(np.float32))
