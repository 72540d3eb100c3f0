"""Strategies that ask about the model, against plain formulas and an independent library."""

from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid

from app.core.block import Block
from app.learners.heads import bootstrap_heads, learner_heads, posterior_heads
from app.learners.logistic import Logistic
from app.learners.ridge import Ridge
from app.strategies import Candidates, ScoredRows, make_strategy
from app.strategies.pool.committee import mutual_information, votes
from app.strategies.pool.gradients import residuals, spread_draw
from app.strategies.pool.posterior import expected_information, joint_picks
from app.strategies.scored import ScoreState, powered
from tests.unit.strategies.toys import clustered, ids_of, labelled, pool, run


def opinions(heads: int = 6, rows: int = 30, classes: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.7), size=(heads, rows)).astype(np.float32)


def shard_of(probabilities: Any, dense: np.ndarray | None = None) -> ScoredRows:
    p = np.asarray(probabilities, dtype=np.float32)
    rows = pool(len(p)) if dense is None else dense
    return ScoredRows(ids_of(np.arange(len(p)) + 1), Block(rows), p)


def candidates_of(rows: int) -> Candidates:
    return Candidates(ids_of(np.arange(rows) + 1), Block(pool(rows)), None, np.zeros(rows, dtype=np.float32), 0)


def test_committees_agree_with_an_independent_library() -> None:
    theirs = pytest.importorskip("skactiveml.pool")
    p = opinions()
    strategies = {name: make_strategy(name, {}) for name in ("vote_entropy", "variation_ratio", "committee_divergence")}

    ours = {name: each.disagreement(p, False) for name, each in strategies.items()}  # type: ignore[attr-defined]

    ballots = p.argmax(axis=2).T
    assert ours["committee_divergence"] == pytest.approx(theirs.average_kl_divergence(p.astype(float)), abs=1e-5)
    assert ours["vote_entropy"] == pytest.approx(theirs.vote_entropy(ballots, classes=[0, 1, 2]), abs=1e-5)
    assert ours["variation_ratio"] == pytest.approx(theirs.variation_ratios(ballots), abs=1e-5)


def test_different_learners_are_the_learners_themselves_and_the_nearest_mean() -> None:
    matrix = clustered(np.random.default_rng(0), 60, 6, 3, 0.6)
    given = labelled(matrix, [0, 1, 2] * 20)
    arguments: Any = {"multiple": False, "seed": 3}

    p = learner_heads(given.block, given.targets, given.weights, **arguments).probabilities(given.block)

    for number, learner in enumerate((Ridge(), Logistic())):
        alone = learner.fit(given.block, given.targets, given.weights, **arguments).probabilities(given.block)
        assert p[number] == pytest.approx(alone, abs=1e-5)
    means = NearestCentroid().fit(matrix[:60], given.targets.argmax(axis=1))
    assert p[2].argmax(axis=1).tolist() == means.predict(matrix[:60]).tolist()
    several = learner_heads(given.block, given.targets, given.weights, multiple=True, seed=3).probabilities(given.block)
    assert several.shape == p.shape
    assert not np.allclose(several.sum(axis=2), 1)


@pytest.mark.parametrize("name", ["vote_entropy", "variation_ratio", "consensus_entropy", "committee_divergence"])
def test_a_committee_of_learners_chooses_too(name: str) -> None:
    given = labelled(pool(9, seed=1), [0, 1, 2] * 3)

    assert len(set(run(name, pool(), given, members="learners").ids[:, 0].tolist())) == 10


def test_votes_by_eye() -> None:
    p = np.array([[[0.9, 0.1]], [[0.6, 0.4]], [[0.2, 0.8]], [[0.7, 0.3]]], dtype=np.float32)

    assert votes(p, False).tolist() == [[0.75, 0.25]]
    assert votes(p[:, :, ::-1], True).tolist() == [[0.25, 0.75]]


def test_information_is_nought_where_all_heads_agree_and_a_bit_where_they_are_sure_of_opposites() -> None:
    same = np.tile(np.array([[[0.3, 0.7]]], dtype=np.float32), (4, 1, 1))
    opposite = np.array([[[1, 0]], [[0, 1]]], dtype=np.float32)

    assert mutual_information(same, False) == pytest.approx([0], abs=1e-6)
    assert mutual_information(opposite, False) == pytest.approx([np.log(2)], abs=1e-6)


def test_joint_picks_are_those_of_an_independent_library() -> None:
    theirs = pytest.importorskip("skactiveml.pool")
    p = opinions(heads=8, rows=25, classes=3, seed=2)

    utilities = theirs.batch_bald(p.astype(float), 4, n_MC_samples=10_000, random_state=0)

    ours = joint_picks(p.astype(float), candidates_of(25), 4, np.random.default_rng(0))
    assert ours == [int(np.nanargmax(row)) for row in utilities]


def test_sampled_joint_entropies_lead_to_nearly_the_best_batch() -> None:
    p = opinions(heads=8, rows=40, classes=4, seed=3).astype(float)
    exact = joint_picks(p[:, :, :], candidates_of(40), 4, np.random.default_rng(0))  # 4^4 combinations: exact

    longer = joint_picks(p, candidates_of(40), 12, np.random.default_rng(0))  # sampled from the fifth on

    assert longer[:4] == exact
    assert len(set(longer)) == 12


def test_information_about_targets_is_the_plain_sum() -> None:
    p, targets = opinions(rows=5).astype(float), opinions(rows=7, seed=1).astype(float)

    expected = np.zeros(5)
    for row in range(5):
        for target in range(7):
            together = np.einsum("ka,kb->ab", p[:, row], targets[:, target]) / len(p)
            apart = np.outer(together.sum(axis=1), together.sum(axis=0))
            expected[row] += (together * np.log(together / apart)).sum() / 7
    assert expected_information(p, targets) == pytest.approx(expected)


def test_the_expected_gradient_is_the_mean_length_over_the_answers() -> None:
    p, rows = np.random.default_rng(0).dirichlet(np.ones(4), size=6), pool(6, 5)
    expected = [
        sum(p[i, c] * np.linalg.norm(np.outer(p[i] - np.eye(4)[c], rows[i])) for c in range(4)) for i in range(6)
    ]

    found = make_strategy("expected_gradient", {}).score(shard_of(p, rows), ScoreState(False, 0))

    assert found == pytest.approx(expected, rel=1e-5)


def test_gradients_that_are_never_made_give_the_same_draw_as_those_that_are() -> None:
    rng = np.random.default_rng(5)
    p = rng.dirichlet(np.ones(4), size=80).astype(np.float32)
    rows = pool(80, 6, seed=5).astype(float)
    away = residuals(p, False).astype(float)
    gradients = (away[:, :, None] * rows[:, None, :]).reshape(80, -1)
    order = rng.permutation(80)

    draw, picked = np.random.default_rng(9), [int(order[np.linalg.norm(gradients, axis=1)[order].argmax()])]
    while len(picked) < 15:
        apart = ((gradients[:, None, :] - gradients[picked][None]) ** 2).sum(axis=2).min(axis=1)
        steps = np.cumsum(apart[order])
        picked.append(int(order[np.searchsorted(steps, draw.random() * steps[-1], side="right")]))

    assert spread_draw(away, rows, order, 15, np.random.default_rng(9)).tolist() == picked


def test_expected_cost_counts_the_steps_between_classes() -> None:
    sure, torn = [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]

    found = make_strategy("expected_cost", {}).score(shard_of([sure, torn]), ScoreState(False, 0))
    plain = make_strategy("expected_cost", {"power": 0}).score(shard_of([sure, torn]), ScoreState(False, 0))

    assert found == pytest.approx([0, 1])
    assert plain == pytest.approx([0, 0.5])


def test_noise_draws_items_with_chances_that_grow_with_the_score() -> None:
    utility, ids = np.array([0.1, 0.2, 0.7], dtype=np.float32), ids_of(np.array([4, 9, 2]))

    firsts = [int(powered(utility, ids, seed, 1.0).argmax()) for seed in range(3_000)]
    flat = [int(powered(utility, ids, seed, 50.0).argmax()) for seed in range(3_000)]

    assert np.bincount(firsts) / 3_000 == pytest.approx([0.1, 0.2, 0.7], abs=0.03)
    assert np.bincount(flat) / 3_000 == pytest.approx([1 / 3] * 3, abs=0.05)
    assert powered(utility, ids, 0, 0.0) is not None


def test_heads_differ_by_their_labels_and_know_more_where_labels_are() -> None:
    rng = np.random.default_rng(0)
    matrix = clustered(rng, 300, 12, 3, 0.3)
    given = labelled(matrix[:60], list(rng.integers(0, 3, 60)))
    arguments = {"heads": 12, "multiple": False, "seed": 3}

    committee = bootstrap_heads(given.block, given.targets, given.weights, **arguments)
    draws = posterior_heads(given.block, given.targets, given.weights, **arguments)

    for heads in (committee, draws):
        p = heads.probabilities(Block(matrix))
        assert p.shape == (12, 300, 3)
        assert p.sum(axis=2) == pytest.approx(np.ones((12, 300)), abs=1e-4)
        assert np.ptp(p, axis=0).max() > 0.02
    elsewhere = np.zeros((1, 12), dtype=np.float32)
    elsewhere[0, :] = np.linalg.svd(matrix[:60], full_matrices=True)[2][-1]
    near, far = draws.probabilities(Block(matrix[:1])), draws.probabilities(Block(elsewhere))
    assert mutual_information(far, False)[0] > mutual_information(near, False)[0]
