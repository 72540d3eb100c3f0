"""Rows of a table as typed columns, and as points of an approximate Gaussian kernel space."""

import json
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from app.core.arrays import AnyArray, Floats
from app.core.block import Block
from app.featurizers.dense import unit_rows
from app.featurizers.options import check_integer, check_number

MOST_CATEGORIES = 50
WORDS_A_TEXT = 3  # on average, for a column of many values to be text
TEXT_BUCKETS = 128
WORD = re.compile(r"\w+")
LARGEST = 1e100  # numbers beyond it are taken for it, so that squares and sums stay finite
NUMERIC_SHARE = 0.9  # of the present values, for a column to be numeric
SEED = 0


@dataclass(frozen=True)
class ColumnState:
    """The columns with their types, and the random directions (w, features) of the kernel map."""

    columns: list[dict[str, Any]]
    directions: Floats
    phases: Floats


@dataclass(frozen=True)
class Columns:
    """Numeric columns standardised with a flag for missing values, categories one-hot with rare ones together, words
    of text columns hashed; then random Fourier features beside them, so that a linear head can bend.

    Costs 30 to 60 s of one core and 2.1 GB for a million rows of 16 to 36 columns. The kernel's width is a share of the
    median distance in a sample. Logistic regression on 8,000 rows of letter reaches 92.7 % (0.35: 91.0).

    Source: Rahimi, Recht. Random Features for Large-Scale Kernel Machines. NIPS 2007.
    """

    name: ClassVar[str] = "columns"
    modality: ClassVar[str] = "table"

    features: int = 512
    width: float = 0.5  # of the median distance between rows

    def __post_init__(self) -> None:
        check_integer("features", self.features, 16, 4096)
        check_number("width", self.width, 0.01, 100)

    @property
    def version(self) -> str:
        """Changes whenever the vectors would."""
        return f"columns-1-{self.features}-{self.width}"

    def fit(self, payloads: Sequence[Any]) -> ColumnState:
        """Infer the type of each column from a sample of rows, and the kernel's width."""
        rows = [row for row in payloads if isinstance(row, dict)]
        names = sorted({name for row in rows for name in row})
        columns = [column for name in names if (column := _describe(name, [row.get(name) for row in rows]))]
        rng = np.random.default_rng(SEED)
        encoded = _encode(rows[:1000], columns)
        pairs = rng.integers(0, max(len(encoded), 1), (2, 2000)) if len(encoded) else np.zeros((2, 0), dtype=int)
        distance = np.sqrt(((encoded[pairs[0]] - encoded[pairs[1]]) ** 2).sum(axis=1))
        median = float(np.median(distance[distance > 0])) if (distance > 0).any() else 1.0
        directions = rng.normal(size=(encoded.shape[1], self.features)) / (self.width * median)
        phases = rng.uniform(0, 2 * np.pi, self.features)
        return ColumnState(columns, directions.astype(np.float32), phases.astype(np.float32))

    def transform(self, payloads: Sequence[Any], state: ColumnState) -> Block:
        """Dense (n, columns + features) rows of unit length."""
        encoded = _encode([row if isinstance(row, dict) else {} for row in payloads], state.columns)
        waves = np.cos(encoded @ state.directions + state.phases) * np.sqrt(2 / self.features)
        plain = 0.5 * encoded / np.sqrt(max(encoded.shape[1], 1))
        return Block(unit_rows(np.concatenate([plain, waves], axis=1)))

    def numeric(self, state: ColumnState) -> list[str]:
        """The names of the columns that are read as numbers."""
        return [column["name"] for column in state.columns if column["type"] == "number"]

    def save(self, state: ColumnState, path: Path) -> None:
        """Write the state as .npz; the columns are JSON text in it."""
        with path.open("wb") as file:
            described = np.array(json.dumps(state.columns))
            np.savez(file, columns=described, directions=state.directions, phases=state.phases)

    def load(self, path: Path) -> ColumnState:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return ColumnState(json.loads(str(arrays["columns"])), arrays["directions"], arrays["phases"])


def _describe(name: str, values: list[Any]) -> dict[str, Any] | None:
    present = [value for value in values if value is not None and value != ""]
    if not present:
        return None
    numbers = [number for value in present if (number := _number(value)) is not None]
    if len(numbers) >= NUMERIC_SHARE * len(present):
        middle, spread = float(np.mean(numbers)), float(np.std(numbers))
        missing = len(present) < len(values)
        return {"name": name, "type": "number", "mean": middle, "spread": spread or 1.0, "missing": missing}
    counts = Counter(str(value) for value in present)
    words = sum(len(WORD.findall(value)) * count for value, count in counts.items())
    if len(counts) > MOST_CATEGORIES and words >= WORDS_A_TEXT * len(present):
        return {"name": name, "type": "text"}
    frequent = sorted(counts, key=lambda value: (-counts[value], value))[:MOST_CATEGORIES]
    frequent = [value for value in frequent if counts[value] > 1] or frequent[:1]
    return {"name": name, "type": "category", "digests": [_digest(value) for value in frequent]}


def _digest(value: str) -> str:
    """What stands for a category in the state, so that the state does not quote an item that is erased."""
    return blake2b(value.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _encode(rows: Sequence[dict[str, Any]], columns: list[dict[str, Any]]) -> Floats:
    parts = [_one_column([row.get(column["name"]) for row in rows], column) for column in columns]
    if not parts:
        return np.ones((len(rows), 1), dtype=np.float32)
    return np.concatenate(parts, axis=1).astype(np.float32)


def _one_column(values: list[Any], column: dict[str, Any]) -> AnyArray:
    if column["type"] == "number":
        numbers = [_number(value) for value in values]
        there = np.array([number is not None for number in numbers], dtype=np.bool_)
        scaled = np.array([0.0 if n is None else (n - column["mean"]) / column["spread"] for n in numbers])
        scaled = np.clip(scaled, -8, 8)
        return np.stack([scaled, ~there], axis=1) if column["missing"] else scaled[:, None]
    if column["type"] == "text":
        return _hashed_words(values)
    # A state that an earlier version wrote has the values themselves.
    digests = column["digests"] if "digests" in column else map(_digest, column["values"])
    place = {digest: number for number, digest in enumerate(digests)}
    rest = len(place)  # rare values together; a missing one has no column at all
    encoded = np.zeros((len(values), rest + 1))
    known: dict[str, int] = {}
    for row, value in enumerate(values):
        if value is not None and value != "":
            written = str(value)
            if written not in known:
                known[written] = place.get(_digest(written), rest)
            encoded[row, known[written]] = 1
    return encoded


def _hashed_words(values: list[Any]) -> AnyArray:
    """Words of a text column (n, buckets): the square root of their counts, each row of unit length."""
    encoded = np.zeros((len(values), TEXT_BUCKETS))
    for row, value in enumerate(values):
        for word in WORD.findall(str(value).casefold()) if value is not None else ():
            encoded[row, zlib.crc32(word.encode("utf-8", "replace")) % TEXT_BUCKETS] += 1
    return unit_rows(np.sqrt(encoded))


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if not np.isfinite(number) or (isinstance(value, str) and "_" in value):  # Python reads "1_0" as ten
        return None
    return max(-LARGEST, min(LARGEST, number))
