"""Labelled sets to be replayed: read from a file, featurized as a project would, thinned to an imbalance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from app.core.arrays import Floats, Indices
from app.core.block import Block
from app.core.errors import Invalid
from app.featurizers import choose_featurizer
from app.formats import FORMATS

FEWEST_ROWS = 20
LONGEST_LINE = 16 << 20  # bytes
MOST_IMBALANCE = 1_000.0


@dataclass(frozen=True)
class Dataset:
    """Features of the pool and of held-out rows, with their classes as numbers.

    Where several classes may hold, `sets` and `test_sets` (n, c) of 0 and 1 say which, and `labels` are not read.
    `values` are the numbers that the classes stand for, in a rating.
    """

    name: str
    modality: str
    classes: tuple[str, ...]
    pool: Block
    labels: Indices
    test: Block
    test_labels: Indices
    sets: Floats | None = None
    test_sets: Floats | None = None
    values: tuple[float, ...] | None = None

    @property
    def keys(self) -> list[str]:
        """The items' keys, by which draws are made."""
        return [f"item-{number}" for number in range(len(self.pool))]

    @property
    def multiple(self) -> bool:
        """Whether several classes may hold of an item."""
        return self.sets is not None

    @cached_property
    def targets(self) -> Floats:
        """The truth of the pool's rows, (n, c) of 0 and 1."""
        return _targets(self.labels, len(self.classes)) if self.sets is None else self.sets

    @cached_property
    def test_targets(self) -> Floats:
        """The truth of the held-out rows, (m, c) of 0 and 1."""
        return _targets(self.test_labels, len(self.classes)) if self.test_sets is None else self.test_sets


def _targets(labels: Indices, classes: int) -> Floats:
    return np.eye(classes, dtype=np.float32)[labels]


def thinned(dataset: Dataset, imbalance: float) -> Dataset:
    """The set with rows left out of its pool, so that its largest class has `imbalance` times the rows of its smallest.

    The classes keep their order by size and shrink in equal steps, each to one row at least. Which rows stay is the
    same draw each time. The held-out rows stay whole: a rare class counts there as much as before.

    Raises:
        Invalid: the imbalance is not from 1 to 1,000, or several classes may hold of an item.
    """
    if not 1 <= imbalance <= MOST_IMBALANCE:
        raise Invalid(f"imbalance is from 1 (as the set is) to {MOST_IMBALANCE:,.0f}", fields={"imbalance": imbalance})
    if imbalance == 1:
        return dataset
    if dataset.multiple:
        raise Invalid("a set in which several classes may hold of an item cannot be thinned: leave imbalance at 1")
    sizes = np.bincount(dataset.labels, minlength=len(dataset.classes))
    ranked = [int(each) for each in np.argsort(-sizes, kind="stable") if sizes[each]]
    order = np.random.default_rng(0).permutation(len(dataset.labels))
    kept: list[Indices] = []
    for rank, each in enumerate(ranked):
        share = imbalance ** (-rank / max(1, len(ranked) - 1))
        wanted = max(1, round(float(sizes[ranked[0]]) * share))
        kept.append(order[dataset.labels[order] == each][:wanted])
    rows = np.sort(np.concatenate(kept))
    name = f"{dataset.name}-{imbalance:g}to1"
    return replace(dataset, name=name, pool=dataset.pool.take(rows), labels=dataset.labels[rows])


def make_dataset(
    name: str,
    modality: str,
    pool: Sequence[Any],
    labels: Sequence[str],
    test: Sequence[Any],
    test_labels: Sequence[str],
    featurizer: dict[str, Any] | None = None,
) -> Dataset:
    """Featurize a labelled set as a project of that modality would be."""
    classes = tuple(sorted(set(labels) | set(test_labels)))
    place = {label: number for number, label in enumerate(classes)}
    made, _ = choose_featurizer(modality, featurizer or {"name": "auto"})
    state = made.fit(pool)
    return Dataset(
        name=name,
        modality=modality,
        classes=classes,
        pool=made.transform(pool, state),
        labels=np.array([place[label] for label in labels]),
        test=made.transform(test, state),
        test_labels=np.array([place[label] for label in test_labels]),
    )


def read_dataset(file: Path, *, text: str = "text", label: str = "label", held_out: float = 0.25) -> Dataset:
    """A labelled JSONL, JSON, CSV, TSV or Parquet file: texts where the text column is there, else rows of a table.

    A quarter of the rows, the same each time, is held out and judges.

    Raises:
        ValueError: another kind of file, a broken row, no label column, or fewer than twenty labelled rows.
    """
    rows = [row for row in _rows(file) if row.get(label) not in (None, "")]
    if len(rows) < FEWEST_ROWS:
        raise ValueError(f"{file} has {len(rows)} rows with a {label!r}: at least {FEWEST_ROWS} are needed")
    modality = "text" if text in rows[0] else "table"
    payloads = [
        row.get(text, "") if modality == "text" else {k: v for k, v in row.items() if k != label} for row in rows
    ]
    labels = [str(row[label]) for row in rows]
    if len(set(labels)) < 2:
        raise ValueError(f"{file}: every {label!r} is {labels[0]!r}; two classes are needed")
    order = np.random.default_rng(0).permutation(len(rows))
    cut = int(len(rows) * held_out)
    test, pool = order[:cut], order[cut:]
    return make_dataset(
        file.stem,
        modality,
        [payloads[row] for row in pool],
        [labels[row] for row in pool],
        [payloads[row] for row in test],
        [labels[row] for row in test],
    )


def _rows(file: Path) -> list[dict[str, Any]]:
    suffix = file.suffix.lower()
    found = next((each for each in FORMATS.values() if suffix in each.suffixes), None)
    if found is None:
        known = ", ".join(suffix for each in FORMATS.values() for suffix in each.suffixes)
        raise ValueError(f"{file}: its name ends with none of {known}")
    rows = []
    with file.open("rb") as source:
        for row in found.read(source, max_line_bytes=LONGEST_LINE):
            if row.fields is None:
                raise ValueError(f"{file}, line {row.line}: {row.error}")
            rows.append(row.fields)
    return rows
