"""Mistakes that cost different amounts: against an independent library, the plain formulas and fits from scratch."""

import numpy as np
import pytest

from app.strategies import ScoredRows, make_strategy
from app.strategies.costs import costs_of
from app.strategies.pool.reduction import PENALTY, SHARPNESS, RidgeState, expected_losses, with_bias
from app.strategies.scored import ScoreState
from tests.unit.strategies.toys import Block, ids_of, labelled, pool, run

COSTS = "0 1 2.5; 7 0 1; 3 0.5 0"
MATRIX = np.array([[0, 1, 2.5], [7, 0, 1], [3, 0.5, 0]])


def scores(p: np.ndarray, **parameters: object) -> np.ndarray:
    shard = ScoredRows(ids_of(np.arange(len(p)) + 1), Block(pool(len(p))), p.astype(np.float32))
    return make_strategy("expected_cost", parameters).score(shard, ScoreState(False, 0))


def test_the_expected_cost_is_that_of_an_independent_library() -> None:
    theirs = pytest.importorskip("skactiveml.pool")
    p = np.random.default_rng(0).dirichlet(np.ones(3), 40)

    assert scores(p, costs=COSTS) == pytest.approx(theirs.uncertainty_scores(p, cost_matrix=MATRIX), rel=1e-5)
    steps = np.abs(np.arange(3)[:, None] - np.arange(3)) ** 2
    assert scores(p, power=2.0) == pytest.approx(theirs.uncertainty_scores(p, cost_matrix=steps), rel=1e-5)


def test_a_row_is_a_true_class_and_a_column_a_decision() -> None:
    p = np.array([[0.5, 0.5], [0.9, 0.1], [0.1, 0.9]])

    found = scores(p, costs="0 1; 9 0")

    assert found == pytest.approx([0.5, 0.9, 0.1])  # to say the second is cheap; to miss it is not
    assert costs_of("expected_cost", " ; ") is None


@pytest.mark.parametrize("loss", ["brier", "zero_one"])
def test_the_value_of_information_is_the_risk_after_a_new_fit(loss: str) -> None:
    rng = np.random.default_rng(0)
    known, rows, sample = pool(20, 4, seed=1), pool(6, 4, seed=2), pool(15, 4, seed=3)
    targets = np.eye(3)[rng.integers(0, 3, 20)]
    p = rng.dirichlet(np.ones(3), 6).astype(np.float32)

    def fitted(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inverse = np.linalg.inv(x.T @ x + PENALTY * np.eye(5))
        return inverse, inverse @ x.T @ y

    inverse, weights = fitted(with_bias(known), targets)
    found = expected_losses(with_bias(rows), p, RidgeState(inverse, weights, with_bias(sample), MATRIX), loss)

    for row in range(6):
        expected = 0.0
        for answer in range(3):
            x = np.vstack([with_bias(known), with_bias(rows)[row]])
            said = SHARPNESS * with_bias(sample) @ fitted(x, np.vstack([targets, np.eye(3)[answer]]))[1]
            risks = []
            for q in np.exp(said) / np.exp(said).sum(axis=1, keepdims=True):
                decided = [sum(q[c] * MATRIX[c, d] for c in range(3)) for d in range(3)]
                risks.append(min(decided) if loss == "zero_one" else sum(q[d] * decided[d] for d in range(3)))
            expected += p[row, answer] * np.mean(risks)
        assert found[row] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", ["brier", "zero_one"])
def test_mistakes_that_all_cost_one_are_the_loss_without_costs(loss: str) -> None:
    matrix, given = pool(60), labelled(pool(9, seed=1), [0, 1, 2] * 3)

    plain = run("expected_error", matrix, given, loss=loss)
    ones = run("expected_error", matrix, given, loss=loss, costs="0 1 1; 1 0 1; 1 1 0")
    other = run("expected_error", matrix, given, loss=loss, costs="0 1 1; 50 0 1; 1 1 0")

    assert ones.ids.tolist() == plain.ids.tolist()
    assert other.ids.tolist() != plain.ids.tolist()


@pytest.mark.parametrize(("name", "more"), [("expected_cost", {}), ("expected_error", {"loss": "brier"})])
def test_costs_of_other_classes_than_there_are_are_refused_with_the_reason(name: str, more: dict[str, str]) -> None:
    matrix, given = pool(30), labelled(pool(9, seed=1), [0, 1, 2] * 3)

    refused = run(name, matrix, given, costs="0 1; 5 0", **more)

    assert (refused.strategy, refused.fallback) == ("random", "random: its costs are of 2 classes and there are 3")
    assert refused.sentence == f"{name} cannot be used: its costs are of 2 classes and there are 3."
    assert run(name, matrix, given, costs=COSTS, **more).strategy == name
