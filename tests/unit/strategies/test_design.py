"""Strategies of optimal design, against fits from scratch."""

import numpy as np
import pytest

from app.strategies.pool.design import expected_distances, variance_picks
from app.strategies.pool.reduction import PENALTY, RidgeState, with_bias
from tests.unit.strategies.toys import pool

KNOWN, ROWS, SAMPLE = (with_bias(pool(rows, 4, seed=seed)) for rows, seed in ((12, 1), (15, 2), (30, 3)))
TARGETS = np.eye(3)[np.random.default_rng(0).integers(0, 3, len(KNOWN))]


def inverse(x: np.ndarray) -> np.ndarray:
    return np.linalg.inv(x.T @ x + PENALTY * np.eye(x.shape[1]))


def weights(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return inverse(x) @ x.T @ y


STATE = RidgeState(inverse(KNOWN), weights(KNOWN, TARGETS), SAMPLE)


def test_each_pick_leaves_the_least_variance_that_a_fit_from_scratch_can() -> None:
    picks = variance_picks(ROWS, STATE, 6, np.arange(len(ROWS)))

    x = KNOWN
    for place, pick in enumerate(picks):
        left = []
        for row in range(len(ROWS)):
            after = inverse(np.vstack([x, ROWS[row]]))
            left.append(np.einsum("nd,de,ne->n", SAMPLE, after, SAMPLE).mean() if row not in picks[:place] else np.inf)
        assert left[pick] == pytest.approx(min(left), rel=1e-9)
        x = np.vstack([x, ROWS[pick]])
    assert len(set(picks.tolist())) == 6


def test_the_expected_step_is_that_of_fits_from_scratch() -> None:
    p = np.random.default_rng(1).dirichlet(np.ones(3), len(ROWS)).astype(np.float32)

    found = expected_distances(ROWS, p, STATE)

    for row in range(len(ROWS)):
        steps = [
            np.linalg.norm(
                weights(np.vstack([KNOWN, ROWS[row]]), np.vstack([TARGETS, np.eye(3)[answer]])) - STATE.weights
            )
            for answer in range(3)
        ]
        assert found[row] == pytest.approx(float(p[row] @ steps), rel=1e-6)


def test_copies_are_all_chosen_in_the_end() -> None:
    assert sorted(variance_picks(np.repeat(ROWS[:1], 5, axis=0), STATE, 5, np.arange(5)[::-1]).tolist()) == [
        0,
        1,
        2,
        3,
        4,
    ]
