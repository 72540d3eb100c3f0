"""The k-center order against the plain greedy rule, with the lazy bounds made tight enough to be used."""

import numpy as np
import pytest

from app.core.block import Block, Rows
from app.strategies import farthest, keyed_hash
from app.strategies.farthest import Farthest
from tests.unit.strategies.toys import clustered, ids_of, unit


def greedy(matrix: np.ndarray, ids: np.ndarray, centers: np.ndarray, k: int, seed: int) -> list[int]:
    """The plain rule: a cached distance to the nearest center, one pass a pick, in float64."""
    wide = matrix.astype(np.float64)
    hashes = keyed_hash(ids, seed)
    able = matrix.any(axis=1)
    like = np.full(len(matrix), -np.inf)
    for center in centers[centers.any(axis=1)].astype(np.float64):
        like = np.maximum(like, (wide * center).sum(axis=1))
    picked: list[int] = []
    while len(picked) < min(k, len(matrix)):
        left = [row for row in range(len(matrix)) if able[row] and row not in picked and like[row] < 1 - 1e-4]
        if not left:
            rest = [row for row in range(len(matrix)) if row not in picked]
            rest.sort(key=lambda row: (not able[row], int(hashes[row])))
            picked += rest[: k - len(picked)]
            break
        row = min(left, key=lambda row: (like[row], int(hashes[row])))
        picked.append(row)
        like = np.maximum(like, (wide * wide[row]).sum(axis=1))
    return picked


def traversal(matrix: np.ndarray, ids: np.ndarray, centers: np.ndarray, k: int, seed: int, cuts: int) -> list[int]:
    parts = np.array_split(np.arange(len(matrix)), cuts)

    def over(function, *each):  # type: ignore[no-untyped-def]
        return [
            function(number, Rows(ids[rows], Block(matrix[rows])), *(values[number] for values in each))
            for number, rows in enumerate(parts)
        ]

    place = {int(item): row for row, item in enumerate(ids[:, 0])}
    return [place[int(item)] for item in Farthest(over, seed, centers).pick(k).ids[:, 0]]


@pytest.mark.parametrize("near", [16, 8_192])
@pytest.mark.parametrize("labels", [0, 3, 90])
@pytest.mark.parametrize("kind", ["isotropic", "clusters", "copies", "zeros"])
def test_the_order_is_the_plain_greedy_one(monkeypatch: pytest.MonkeyPatch, near: int, labels: int, kind: str) -> None:
    monkeypatch.setattr(farthest, "NEAR_ROWS", near)
    monkeypatch.setattr(farthest, "CENTERS_AT_ONCE", 4)
    monkeypatch.setattr(farthest, "NEAR_SHARE", 400)
    rng = np.random.default_rng(labels)
    for seed in range(3):
        matrix = clustered(rng, 400, 24, 12, 5.0 if kind == "isotropic" else 0.4)
        if kind == "copies":
            matrix = matrix[rng.integers(0, 40, 400)]
        if kind == "zeros":
            matrix[rng.integers(0, 400, 300)] = 0
        centers = clustered(rng, labels, 24, 12, 0.4)
        # Items come from anywhere: small-text counts positions among the unlabelled items as positions among all,
        # which is right only where those are 0 to n - 1.
        ids = ids_of(rng.permutation(10_000)[:400] + 7)

        expected = greedy(matrix, ids, centers, 60, seed)

        for cuts in (1, 7):
            assert traversal(matrix, ids, centers, 60, seed, cuts) == expected


def test_only_rows_that_can_matter_are_compared_again() -> None:
    rng = np.random.default_rng(0)
    matrix, passes = clustered(rng, 30_000, 32, 300, 0.5), []
    ids = ids_of(np.arange(30_000))

    def over(function, *each):  # type: ignore[no-untyped-def]
        passes.append(1)
        return [function(0, Rows(ids, Block(matrix)), *(values[0] for values in each))]

    picked = Farthest(over, 1, matrix[:0]).pick(100)

    assert len(np.unique(picked.ids[:, 0])) == 100
    assert np.all(np.diff(picked.values) <= 1e-6)
    assert len(passes) < 30


def test_copies_of_labelled_items_come_last_and_rows_of_zeros_after_them() -> None:
    matrix = unit(np.eye(6))
    matrix[4] = matrix[0]
    matrix[5] = 0

    order = traversal(matrix, ids_of(np.arange(1, 7)), matrix[:1], 6, 3, 2)

    assert set(order[:3]) == {1, 2, 3}
    assert set(order[3:5]) == {0, 4}
    assert order[5] == 5


def test_an_independent_library_takes_the_same_items() -> None:
    skactiveml = pytest.importorskip("skactiveml.pool")
    rng = np.random.default_rng(4)
    matrix = clustered(rng, 200, 8, 5, 0.6)
    labels = np.full(200, np.nan)
    labels[:5] = 0

    theirs = skactiveml.CoreSet(random_state=0).query(matrix, labels, batch_size=30)

    ours = traversal(matrix[5:], ids_of(np.arange(5, 200)), matrix[:5], 30, 0, 3)
    assert (np.array(ours) + 5).tolist() == theirs.tolist()
