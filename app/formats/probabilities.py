"""Pushed predictions as arrays: some thousand rows at a time, each row checked whole.

A row names an item by `key` and says `probabilities`, an object by class name or a list in the order of the classes, or
a `label` with its `score`. Parquet columns of numbers are never turned into objects.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from app.core.arrays import Booleans, Doubles, Floats, Indices
from app.core.errors import Invalid
from app.core.text import check_text, fold
from app.formats.base import Format
from app.formats.parquet import arrow_batches, objects

ROWS_AT_ONCE = 10_000
FIELDS = {"key", "probabilities", "label", "score", "features"}
OFF_BY = 0.01  # how far a row may be from summing to one
MOST_FEATURES = 4_096
SHOWN = 80


@dataclass(frozen=True)
class Classes:
    """The columns that rows are read into: `columns` maps folded names, present and former, to their places."""

    count: int
    columns: Mapping[str, int]
    several: bool  # several may hold: probabilities are independent
    known: dict[str, int] = field(default_factory=dict)  # names as they are sent, found before

    def place(self, name: Any) -> int:
        """The column of a class. Raises Invalid for none of this name."""
        if not isinstance(name, str):
            raise Invalid("a class is named by text")
        found = self.known.get(name)
        if found is None:
            found = self.columns.get(fold(name))
            if found is None:
                raise Invalid(f"there is no class {name[:SHOWN]!r}")
            self.known[name] = found
        return found


@dataclass(frozen=True)
class Chunk:
    """Rows that may be stored if their keys are known, and the others with line, key and reason."""

    lines: Indices
    keys: list[str]
    probabilities: Floats  # (n, c), rows sum to one unless several classes may hold
    features: Floats | None  # (n, d)
    refused: list[tuple[int, Any, str]]


def read(kind: Format, file: BinaryIO, classes: Classes, *, max_line_bytes: int) -> Iterator[Chunk]:
    """Chunks in file order. Raises InvalidFile for a file that is broken as a whole."""
    rows: list[tuple[int, Any, str | None]] = []
    if kind.name == "parquet":
        number = 0
        for batch in arrow_batches(file, ROWS_AT_ONCE):
            lines = np.arange(number + 1, number + len(batch) + 1, dtype=np.int64)
            chunk = _of_columns(batch, lines, classes)
            if chunk is None:
                rows = [(number + place, each, None) for place, each in enumerate(objects(batch, number), start=1)]
                chunk = _of_rows(rows, classes)
            number += len(batch)
            yield chunk
        return
    for row in kind.read(file, max_line_bytes=max_line_bytes):
        rows.append((row.line, row.fields, row.error))
        if len(rows) == ROWS_AT_ONCE:
            yield _of_rows(rows, classes)
            rows = []
    if rows:
        yield _of_rows(rows, classes)


def of_rows(rows: Sequence[tuple[int, Any, str | None]], classes: Classes) -> Chunk:
    """A chunk of rows that were parsed elsewhere: each its number, its fields, or None and what is wrong with it."""
    return _of_rows(list(rows), classes)


def _of_columns(batch: Any, lines: Indices, classes: Classes) -> Chunk | None:
    """A batch whose columns are plain keys and numbers; None where rows have to be looked at one by one."""
    if set(batch.schema.names) != {"key", "probabilities"} or len(batch.schema.names) != 2:
        return None
    key, column = batch.column("key"), batch.column("probabilities")
    plain = pa.types.is_string(key.type) or pa.types.is_large_string(key.type)
    if not plain or key.null_count or column.null_count:
        return None
    values = _of_struct(column, classes) if pa.types.is_struct(column.type) else _of_lists(column, classes)
    return None if values is None else _checked(lines, key.to_pylist(), values, None, [], classes)


def _of_lists(column: Any, classes: Classes) -> Doubles | None:
    kind = column.type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        return None
    flat = column.flatten()
    if not pa.types.is_floating(kind.value_type) or flat.null_count or len(flat) != len(column) * classes.count:
        return None
    if not (column.value_lengths().to_numpy(zero_copy_only=False) == classes.count).all():
        return None
    return np.asarray(flat.to_numpy(zero_copy_only=False), dtype=np.float64).reshape(len(column), classes.count)


def _of_struct(column: Any, classes: Classes) -> Doubles | None:
    values = np.zeros((len(column), classes.count))
    for place, each in enumerate(column.type):
        if not pa.types.is_floating(each.type) or fold(each.name) not in classes.columns:
            return None
        part = column.field(place)
        # A class that a row leaves out is null and stays at nought; what the writer calls not a number is refused.
        filled = part.fill_null(0.0) if part.null_count else part
        values[:, classes.place(each.name)] += filled.to_numpy(zero_copy_only=False)
    return values


def _of_rows(rows: list[tuple[int, Any, str | None]], classes: Classes) -> Chunk:
    refused: list[tuple[int, Any, str]] = []
    lines, keys, values, vectors = [], [], [], []
    for line, fields, error in rows:
        if fields is None:
            refused.append((line, None, error or "broken"))
            continue
        try:
            key, value = _key(fields), _value(fields, classes)
            vector = _vector(fields.get("features"))
        except Invalid as reason:
            refused.append((line, fields.get("key"), str(reason)))
            continue
        lines.append(line)
        keys.append(key)
        values.append(value)
        vectors.append(vector)
    table = np.array(values, dtype=np.float64).reshape(len(values), classes.count)
    return _checked(np.array(lines, dtype=np.int64), keys, table, vectors, refused, classes)


def _key(fields: Mapping[str, Any]) -> str:
    if unknown := sorted(str(name) for name in fields.keys() - FIELDS):
        raise Invalid(f"unknown field {unknown[0][:SHOWN]!r}: a row has {', '.join(sorted(FIELDS))}")
    key = fields.get("key")
    if isinstance(key, int) and not isinstance(key, bool):
        key = str(key)
    if not isinstance(key, str) or not key:
        raise Invalid("key is missing")
    return check_text(key, what="key", limit=1_000)


def _value(fields: Mapping[str, Any], classes: Classes) -> list[float]:
    """One number a class, not yet judged."""
    given = fields.get("probabilities")
    if isinstance(given, str):
        raise Invalid("probabilities is an object by class or a list of numbers")
    if given is None:
        return _of_label(fields, classes)
    if fields.get("label") is not None:
        raise Invalid("a row has probabilities or a label with its score, not both")
    if isinstance(given, Mapping):
        return _of_object(given, classes)
    if not isinstance(given, list):
        raise Invalid("probabilities is an object by class or a list of numbers")
    if given and all(isinstance(each, tuple) for each in given):  # a map column of Parquet
        return _of_object(dict(given), classes)
    if len(given) != classes.count:
        raise Invalid(f"probabilities has {len(given):,} numbers for {classes.count:,} classes")
    return [_number(each, "a probability") for each in given]


def _of_object(given: Mapping[Any, Any], classes: Classes) -> list[float]:
    if not given:
        raise Invalid("probabilities is empty")
    row = [0.0] * classes.count
    for name, each in given.items():
        if each is not None:
            row[classes.place(name)] += _number(each, "a probability")
    return row


def _of_label(fields: Mapping[str, Any], classes: Classes) -> list[float]:
    """The score for what is named; what is left goes evenly to the other classes."""
    label = fields.get("label")
    if label is None:
        raise Invalid("probabilities are missing, or a label with its score")
    names = _names(label, classes.several)
    score = _number(fields.get("score"), "score")
    if not 0 <= score <= 1:
        raise Invalid("score is a number from 0 to 1")
    rest = 1 - score if classes.several or classes.count == 1 else (1 - score) / (classes.count - 1)
    row = [rest] * classes.count
    for name in names:
        row[classes.place(name)] = score
    return row


def _names(label: Any, several: bool) -> list[Any]:
    if isinstance(label, str):
        return [label]
    if isinstance(label, Mapping) and len(label) == 1 and isinstance(label.get("class"), str):
        return [label["class"]]
    if several and isinstance(label, Mapping) and len(label) == 1 and isinstance(label.get("classes"), list):
        return list(label["classes"])
    raise Invalid('label is a class\'s name, or {"class": "name"}' + (', or {"classes": [...]}' if several else ""))


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid(f"{what} is missing or not a number")
    return float(value)


def _vector(given: Any) -> list[float] | None:
    if given is None:
        return None
    if not isinstance(given, list) or not 0 < len(given) <= MOST_FEATURES:
        raise Invalid(f"features is a list of 1 to {MOST_FEATURES:,} numbers")
    vector = [_number(each, "a feature") for each in given]
    if not all(abs(each) < np.finfo(np.float32).max for each in vector):  # what is not a number neither
        raise Invalid("features holds a number that is not finite as 32-bit float")
    return vector


def _checked(
    lines: Indices,
    keys: list[str],
    values: Doubles,
    vectors: list[list[float] | None] | None,
    refused: list[tuple[int, Any, str]],
    classes: Classes,
) -> Chunk:
    """The rows that are probabilities; the sums that are off by less than a hundredth are made one."""
    good = np.ones(len(keys), dtype=np.bool_)

    def refuse(bad: Any, reason: Callable[[int], str]) -> None:
        refused.extend((int(lines[row]), keys[row], reason(int(row))) for row in np.flatnonzero(bad & good))
        good[bad] = False

    with np.errstate(invalid="ignore"):
        refuse(~np.isfinite(values).all(axis=1), lambda _: "a probability is not a finite number")
        refuse((values < 0).any(axis=1), lambda _: "a probability is below 0")
        if classes.several:
            refuse((values > 1).any(axis=1), lambda _: "a probability is above 1")
        else:
            sums = values.sum(axis=1)
            refuse(np.abs(sums - 1) > OFF_BY, lambda row: f"the probabilities sum to {sums[row]:.4g}, not to 1")
            values = values / np.where(sums > 0, sums, 1)[:, None]
    features = None if vectors is None else _features(vectors, good, refuse)
    kept = keys if good.all() else [key for key, fine in zip(keys, good, strict=True) if fine]
    return Chunk(lines[good], kept, values[good].astype(np.float32), features, refused)


def _features(
    vectors: list[list[float] | None], good: Booleans, refuse: Callable[[Any, Callable[[int], str]], None]
) -> Floats | None:
    """The vectors of the good rows; all of a chunk have one width, that of its first, or none has any."""
    widths = np.array([0 if each is None else len(each) for each in vectors], dtype=np.int64)
    if not good.any():
        return None
    width = int(widths[np.argmax(good)])
    refuse(widths != width, lambda row: f"features has {widths[row]:,} numbers; the first row has {width:,}")
    if width == 0:
        return None
    return np.array([each for each, fine in zip(vectors, good, strict=True) if fine], dtype=np.float32)
