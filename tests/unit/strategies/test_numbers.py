"""Strategies for ratings, against the plain rules and an independent library."""

from typing import Any

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor

from app.core.block import Block
from app.strategies import Candidates, Context, ScoredRows, make_strategy
from app.strategies.pool.numbers import change
from tests.unit.strategies.toys import ids_of, pool

VALUES = (1.0, 2.5, 4.0, 7.0)


def opinions(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(4, 0.6), size=rows).astype(np.float32)


def asked(name: str, matrix: np.ndarray, p: np.ndarray, known: np.ndarray, numbers: list[int], k: int) -> list[int]:
    """The positions that a strategy chooses when every row is a candidate."""
    sample = ScoredRows(ids_of(np.arange(len(matrix)) + 1), Block(matrix), p)
    targets = np.eye(4, dtype=np.float32)[numbers].reshape(len(numbers), 4)
    context = Context(Block(known), targets, 4, False, len(matrix), sample, "text", 3, k, values=VALUES)
    strategy: Any = make_strategy(name, {})
    rng = np.random.default_rng(0)
    state = strategy.prepare(context, rng)
    candidates = Candidates(sample.ids, sample.block, p, strategy.score(sample, state), 3)
    return [int(row) for row in strategy.choose(candidates, k, state, rng)]


@pytest.mark.parametrize("name", ["gsy", "gsi"])
def test_picks_are_those_of_the_plain_rule(name: str) -> None:
    matrix, p, known = pool(60), opinions(60), pool(5, seed=9)
    given = [0, 1, 1, 3, 0]
    predicted = p.astype(float) @ np.array(VALUES)

    picks = asked(name, matrix, p, known, given, 8)

    rows, numbers = list(known.astype(float)), [VALUES[each] for each in given]
    for pick in picks:
        gap = np.abs(predicted[:, None] - np.array(numbers)[None, :])
        if name == "gsi":
            gap = gap * np.linalg.norm(matrix[:, None, :].astype(float) - np.array(rows)[None, :, :], axis=2)
        worth = gap.min(axis=1)
        worth[picks[: picks.index(pick)]] = -1
        assert worth[pick] == pytest.approx(worth.max(), abs=1e-5)
        rows.append(matrix[pick].astype(float))
        numbers.append(float(predicted[pick]))
    assert len(set(picks)) == 8


@pytest.mark.parametrize(("name", "theirs"), [("gsy", "GSy"), ("gsi", "GSi")])
def test_the_first_pick_is_that_of_an_independent_library(name: str, theirs: str) -> None:
    library = pytest.importorskip("skactiveml.pool")
    regressor = pytest.importorskip("skactiveml.regressor")
    matrix, p, known = pool(50, seed=2), opinions(50, seed=4), pool(6, seed=5)
    given = [0, 2, 1, 3, 3, 0]
    predicted = {row.tobytes(): number for row, number in zip(matrix, p.astype(float) @ np.array(VALUES), strict=True)}

    class Told(regressor.SklearnRegressor):  # type: ignore[misc,name-defined]
        """A regressor that says what our model says."""

        def predict(self, X: Any) -> np.ndarray:  # their name
            return np.array([predicted[np.asarray(row, dtype=np.float32).tobytes()] for row in X])

    x = np.vstack([known, matrix]).astype(float)
    y = np.array([*(VALUES[each] for each in given), *[np.nan] * len(matrix)])
    told = Told(DummyRegressor()).fit(x, y)
    query = library.GreedySamplingTarget(method=theirs, random_state=0)
    [pick] = query.query(x, y, reg=told, fit_reg=False)

    assert asked(name, matrix, p, known, given, 1) == [int(pick) - len(known)]


def test_model_change_is_the_mean_step_of_the_committee() -> None:
    class Two:
        def probabilities(self, block: Block) -> np.ndarray:
            return np.stack([opinions(len(block), 1), opinions(len(block), 2)])

    block = Block(2 * pool(7))
    numbers = Two().probabilities(block) @ np.array(VALUES)

    plain = [
        np.mean([abs(numbers[:, row].mean() - each) * np.linalg.norm(block.dense[row]) for each in numbers[:, row]])
        for row in range(7)
    ]
    assert change(block, Two(), np.array(VALUES, dtype=np.float32)) == pytest.approx(plain, rel=1e-5)


def test_without_a_labelled_item_equal_numbers_are_asked_by_the_hash() -> None:
    p = np.tile(opinions(1), (12, 1))

    assert len(set(asked("gsy", pool(12), p, pool(0), [], 5))) == 5
