"""The proposal that runs a strategy, and the first strategies against references."""

import numpy as np
import pytest

from app.core.block import Block
from tests.unit.strategies.toys import labelled, pool, run


def test_uncertainty_strategies_agree_with_an_independent_library() -> None:
    skactiveml = pytest.importorskip("skactiveml.pool")
    matrix = pool(40)
    given = labelled(pool(9, seed=1), [0, 1, 2] * 3)
    for name, method in (("margin", "margin_sampling"), ("entropy", "entropy"), ("least_confident", "least_confident")):
        proposal = run(name, matrix, given, size=40)
        assert proposal.model is not None
        probabilities = proposal.model.probabilities(Block(matrix))
        utilities = skactiveml._uncertainty_sampling.uncertainty_scores(probabilities.astype(float), method=method)

        ours = proposal.ids[:, 0] - 1  # ids begin at 1, rows at 0
        assert np.all(np.diff(utilities[ours]) <= 1e-6)


def test_coverage_is_the_greedy_maximum_when_the_sample_is_the_pool() -> None:
    matrix = pool(30)
    proposal = run("coverage", matrix, labelled(pool(0), []), size=6)

    similarity = matrix @ matrix.T
    radius = 0.5 * np.median(1 - similarity)
    kernel = np.exp((similarity - 1) / radius)
    covered = np.zeros(30)
    expected = []
    for _ in range(6):
        gains = np.maximum(kernel - covered, 0).sum(axis=1)
        expected.append(int(gains.argmax()))
        covered = np.maximum(covered, kernel[expected[-1]])
    assert (proposal.ids[:, 0] - 1).tolist() == expected


@pytest.mark.parametrize("name", ["margin", "uherding"])
def test_a_wide_and_long_pool_gives_the_same_order_under_any_cut(name: str) -> None:
    """Products of float32 end in other bits under another cut; the order must not show it."""
    matrix = pool(6_000, 96, seed=5)
    given = labelled(pool(90, 96, seed=1), [0, 1, 2] * 30)

    whole = run(name, matrix, given, size=100, cuts=1).ids[:, 0]

    for cuts in (3, 11):
        assert run(name, matrix, given, size=100, cuts=cuts).ids[:, 0].tolist() == whole.tolist()


def test_near_duplicates_are_not_asked_one_after_the_other() -> None:
    matrix = np.repeat(pool(40, seed=2), 3, axis=0)
    given = labelled(pool(9, seed=1), [0, 1, 2] * 3)

    for name in ("margin", "entropy", "least_confident", "uherding", "coverage"):
        picked = run(name, matrix, given, size=20).ids[:, 0]

        assert len(set(((picked - 1) // 3).tolist())) == 20, name
