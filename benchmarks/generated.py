"""Sets that ship in packages or are made with a seed, for the simulations: easy, hard, and with nothing to gain."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits

from app.core.block import Block
from app.loop.sets import Dataset, make_dataset

COPIES = 4


def digits() -> Dataset:
    """1,797 pictures of digits as 64 numbers, centered and scaled to unit length; ten classes in groups."""
    return _digits("digits")


def digits_noise() -> Dataset:
    """The digits with one label in ten of the pool turned into another; those to test on are right."""
    made = _digits("digits_noise")
    rng = np.random.default_rng(0)
    wrong = rng.random(len(made.labels)) < 0.1
    made.labels[wrong] = (made.labels[wrong] + rng.integers(1, 10, int(wrong.sum()))) % 10
    return made


def digits_copies() -> Dataset:
    """The digits, each four times in the pool with a little noise: three of four answers are for nothing."""
    made = _digits("digits_copies")
    rng = np.random.default_rng(0)
    rows = rng.permutation(np.repeat(np.arange(len(made.labels)), COPIES))
    dense = made.pool.dense[rows] + 0.002 * rng.standard_normal((len(rows), 64)).astype(np.float32)
    return Dataset(
        made.name, "image", made.classes, Block(_unit(dense)), made.labels[rows], made.test, made.test_labels
    )


def _digits(name: str) -> Dataset:
    matrix, truth = load_digits(return_X_y=True)
    dense = _unit(matrix - matrix.mean(axis=0))
    order = np.random.default_rng(0).permutation(len(dense))
    names = tuple(str(digit) for digit in range(10))
    return _cut(name, "image", names, dense[order], truth[order].astype(np.int64), 1_200)


def breast_cancer() -> Dataset:
    """569 rows of 30 measurements; two classes that margin parts best."""
    found = load_breast_cancer()
    rows = [dict(zip(found.feature_names, map(float, row), strict=True)) for row in found.data]
    labels = [str(found.target_names[label]) for label in found.target]
    order = np.random.default_rng(0).permutation(len(rows))
    pool, test = order[:400], order[400:]
    return make_dataset(
        "breast_cancer",
        "table",
        [rows[row] for row in pool],
        [labels[row] for row in pool],
        [rows[row] for row in test],
        [labels[row] for row in test],
    )


def long_tail() -> Dataset:
    """Twenty groups as text encoders make them, the largest a hundred times the smallest; balanced to test on."""
    rng = np.random.default_rng(1)
    centers = rng.standard_normal((20, 48))
    share = np.geomspace(100, 1, 20)
    pool = rng.choice(20, size=4_000, p=share / share.sum())
    test = np.repeat(np.arange(20), 60)
    dense = _unit(centers[np.concatenate([pool, test])] + 1.2 * rng.standard_normal((4_000 + len(test), 48)))
    names = tuple(f"class {number}" for number in range(20))
    return _cut("long_tail", "text", names, dense, np.concatenate([pool, test]), 4_000)


def overlap() -> Dataset:
    """Two classes that overlap with no groups in them: hardly anything can be gained."""
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 4_000)
    dense = rng.standard_normal((4_000, 12))
    dense[:, 0] += 1.2 * (2 * truth - 1) * 0.5
    return _cut("overlap", "table", ("no", "yes"), _unit(dense), truth.astype(np.int64), 3_000)


def rare() -> Dataset:
    """One item in two hundred is of the class that is looked for, in a group of its own."""
    rng = np.random.default_rng(3)
    truth = (rng.random(9_000) < 0.005).astype(np.int64)
    centers = rng.standard_normal((30, 48))
    dense = centers[rng.integers(1, 30, 9_000)] + 1.2 * rng.standard_normal((9_000, 48))
    dense[truth == 1] = centers[0] + 1.2 * rng.standard_normal((int(truth.sum()), 48))
    return _cut("rare", "text", ("other", "rare"), _unit(dense), truth, 7_000)


def groups_few() -> Dataset:
    """Four classes of three groups each, well apart."""
    return _groups("groups_few", 11, classes=4, groups=3, spread=1.2)


def groups_many() -> Dataset:
    """Fifteen classes of a group each, which touch."""
    return _groups("groups_many", 12, classes=15, groups=1, spread=1.7)


def groups_mixed() -> Dataset:
    """Eight classes of two groups each, which overlap."""
    return _groups("groups_mixed", 13, classes=8, groups=2, spread=2.2)


def groups_wrong() -> Dataset:
    """Six classes of two groups each; one item in seven, also of those to test on, is of another class."""
    made = _groups("groups_wrong", 14, classes=6, groups=2, spread=1.4)
    rng = np.random.default_rng(15)
    for labels in (made.labels, made.test_labels):
        wrong = rng.random(len(labels)) < 1 / 7
        labels[wrong] = (labels[wrong] + rng.integers(1, 6, int(wrong.sum()))) % 6
    return made


def slope() -> Dataset:
    """Three classes by where an item lies along two of twenty directions, with doubt."""
    rng = np.random.default_rng(16)
    dense = rng.standard_normal((6_000, 20))
    logits = 2.5 * dense[:, :2] @ np.array([[1.0, -0.5, -0.5], [0.0, 0.87, -0.87]])
    truth = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return _cut("slope", "table", ("low", "middle", "high"), _unit(dense), truth.astype(np.int64), 4_000)


def _groups(name: str, seed: int, classes: int, groups: int, spread: float) -> Dataset:
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((classes * groups, 32))
    group = rng.integers(0, len(centers), 6_000)
    dense = _unit(centers[group] + spread * rng.standard_normal((len(group), 32)))
    names = tuple(f"class {number}" for number in range(classes))
    return _cut(name, "text", names, dense, (group % classes).astype(np.int64), 4_000)


def _unit(matrix: Any) -> Any:
    return (matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def _cut(name: str, modality: str, names: tuple[str, ...], dense: Any, truth: Any, pool: int) -> Dataset:
    return Dataset(name, modality, names, Block(dense[:pool]), truth[:pool].copy(), Block(dense[pool:]), truth[pool:])


GENERATED: dict[str, Callable[[], Dataset]] = {
    made.__name__: made
    for made in (
        digits, digits_noise, digits_copies, breast_cancer, long_tail, overlap, rare,
        groups_few, groups_many, groups_mixed, groups_wrong, slope,
    )
}  # fmt: skip
