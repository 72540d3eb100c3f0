"""Strategies that look at the pool, at groups and at classes, against plain formulas and pools to check by eye."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from app.core.block import Block
from app.strategies import Candidates, ScoredRows, make_strategy
from app.strategies.clustering import k_means
from app.strategies.pool.balance import BalanceState, anchors_of
from app.strategies.pool.clusters import GroupState, greedy_balls, typicality
from app.strategies.pool.density import discriminator, divergence_from_neighbours
from app.strategies.pool.reduction import PENALTY, SHARPNESS, RidgeState, expected_losses, with_bias
from app.strategies.pool.several import CardinalityState, borda, inconsistency
from app.strategies.scored import ScoreState
from tests.unit.strategies.toys import clustered, ids_of, labelled, pool, run, unit

RNG = np.random.default_rng


def candidates_of(dense: np.ndarray, p: np.ndarray | None = None, scores: np.ndarray | None = None) -> Candidates:
    worth = np.zeros(len(dense)) if scores is None else scores
    chances = None if p is None else p.astype(np.float32)
    return Candidates(ids_of(np.arange(len(dense)) + 1), Block(dense), chances, worth.astype(np.float32), 0)


def shard_of(p: list[list[float]]) -> ScoredRows:
    return ScoredRows(ids_of(np.arange(len(p)) + 1), Block(pool(len(p))), np.array(p, dtype=np.float32))


def test_k_means_is_as_tight_as_that_of_an_independent_library() -> None:
    points = clustered(RNG(0), 600, 10, 8, 0.5)

    centers, belongs = k_means(points, np.ones(600), 8, RNG(1))

    assert len(centers) == len(set(belongs)) == 8
    ours = min(((points - c[b]) ** 2).sum() for c, b in (k_means(points, np.ones(600), 8, RNG(s)) for s in range(6)))
    assert ours <= 1.05 * KMeans(8, n_init=6, random_state=0).fit(points).inertia_
    assert len(k_means(np.repeat(points[:2], 20, axis=0), np.ones(40), 8, RNG(1))[0]) == 2


def test_heavy_points_pull_their_center() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0]], dtype=np.float32)

    centers, _ = k_means(points, np.array([3.0, 1.0]), 1, RNG(0))

    assert centers[0].tolist() == [0.25, 0.0]


def test_typiclust_asks_one_item_of_each_group_that_no_label_covers_and_the_middle_of_it() -> None:
    rng = RNG(2)
    middles = np.eye(4, 12, dtype=np.float32) * 1.0
    groups = [unit(middles[g] + 0.15 * rng.normal(size=(40 - 5 * g, 12))) for g in range(4)]
    dense = np.concatenate(groups)
    group = np.repeat(np.arange(4), [len(each) for each in groups])

    chosen = make_strategy("typiclust", {}).choose(
        candidates_of(dense), 3, GroupState(unit(middles[:1]), 2, False), RNG(0)
    )

    assert group[chosen].tolist() == [1, 2, 3]
    for row in chosen:
        like_its_group = dense[group == group[row]] @ dense[row]
        assert like_its_group.mean() > np.median(
            (dense[group == group[row]] @ dense[group == group[row]].T).mean(axis=1)
        )


def test_a_lone_item_is_not_typical() -> None:
    dense = unit(np.array([[1, 0], [1, 0.1], [0, 1]]))

    assert typicality(dense, np.array([0, 0, 1]), 2)[2] == 0
    assert typicality(dense, np.array([0, 0, 1]), 2)[0] > 0


def test_balls_are_taken_greedily() -> None:
    within = RNG(0).random((40, 40)) < 0.15
    np.fill_diagonal(within, True)

    chosen = greedy_balls(within, np.ones(40, dtype=bool), 40)

    left, expected = set(range(40)), []
    while left:
        expected.append(max(range(40), key=lambda row: (len(left & set(np.flatnonzero(within[row]))), -row)))
        left -= set(np.flatnonzero(within[expected[-1]]))
    assert chosen == expected


def test_prob_cover_covers_each_group_before_it_repeats_one() -> None:
    dense = np.concatenate([unit(np.eye(5, 9)[g] + 0.05 * RNG(g).normal(size=(30, 9))) for g in range(5)])

    chosen = make_strategy("prob_cover", {"purity": 1.0}).choose(
        candidates_of(dense), 5, GroupState(np.empty((0, 9), dtype=np.float32), 5, False), RNG(3)
    )

    assert sorted((chosen // 30).tolist()) == [0, 1, 2, 3, 4]


def test_information_density_is_doubt_times_the_mean_similarity_to_everything() -> None:
    matrix = clustered(RNG(0), 120, 6, 3, 0.5)
    given = labelled(matrix[:30], [0, 1, 2] * 10)

    proposal = run("information_density", matrix, given, size=120, cuts=5, beta=2.0, doubt="margin")

    assert proposal.model is not None
    p = np.sort(proposal.model.probabilities(Block(matrix)), axis=1)
    expected = (1 - p[:, -1] + p[:, -2]) * np.maximum((matrix @ matrix.T).mean(axis=1), 0) ** 2
    assert proposal.scores == pytest.approx(expected[proposal.ids[:, 0] - 1], rel=1e-3, abs=1e-5)


def test_ranked_batch_is_the_plain_rule() -> None:
    matrix, given = pool(50), labelled(pool(9, seed=1), [0, 1, 2] * 3)
    proposal = run("ranked_batch", matrix, given, size=12, cuts=3)

    assert proposal.model is not None
    doubt = 1 - proposal.model.probabilities(Block(matrix)).max(axis=1)
    asked, expected = list(given.block.dense), []
    for step in range(12):
        share = (50 - step) / (50 + 9)
        alike = (matrix @ np.array(asked).T).max(axis=1)
        worth = share * (1 - alike) + (1 - share) * doubt
        worth[expected] = -np.inf
        expected.append(int(worth.argmax()))
        asked.append(matrix[expected[-1]])
    assert (proposal.ids[:, 0] - 1).tolist() == expected


def test_contrast_is_the_divergence_from_the_nearest_labelled_items() -> None:
    rng = RNG(0)
    rows, others = pool(8), pool(20, seed=1)
    p, theirs = rng.dirichlet(np.ones(3), 8).astype(np.float32), rng.dirichlet(np.ones(3), 20).astype(np.float32)

    found = divergence_from_neighbours(rows, p, others, theirs, 4)

    for row in range(8):
        near = np.argsort(-(others @ rows[row]))[:4]
        assert found[row] == pytest.approx(
            np.mean((theirs[near] * np.log(theirs[near] / p[row])).sum(axis=1)), rel=1e-3
        )


def test_the_discriminator_gives_the_side_that_was_asked_more() -> None:
    away = np.array([2, 0, 0, 0])
    asked, sample = unit(RNG(0).normal(size=(30, 4)) + away), unit(RNG(1).normal(size=(60, 4)) - away)

    weights = discriminator(asked, sample)

    assert (asked @ weights).mean() > (sample @ weights).mean()


@pytest.mark.parametrize("loss", ["log", "zero_one", "brier"])
def test_the_rank_one_update_expects_what_a_new_fit_would(loss: str) -> None:
    rng = RNG(0)
    known, rows, sample = pool(20, 4, seed=1), pool(6, 4, seed=2), pool(15, 4, seed=3)
    targets = np.eye(3)[rng.integers(0, 3, 20)]
    p = rng.dirichlet(np.ones(3), 6).astype(np.float32)

    def fitted(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inverse = np.linalg.inv(x.T @ x + PENALTY * np.eye(5))
        return inverse, inverse @ x.T @ y

    inverse, weights = fitted(with_bias(known), targets)
    found = expected_losses(with_bias(rows), p, RidgeState(inverse, weights, with_bias(sample)), loss)

    for row in range(6):
        expected = 0.0
        for answer in range(3):
            x = np.vstack([with_bias(known), with_bias(rows)[row]])
            scores = SHARPNESS * with_bias(sample) @ fitted(x, np.vstack([targets, np.eye(3)[answer]]))[1]
            q = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            kinds = {
                "log": -(q * np.log(q)).sum(axis=1),
                "zero_one": 1 - q.max(axis=1),
                "brier": 1 - (q**2).sum(axis=1),
            }
            expected += p[row, answer] * kinds[loss].mean()
        assert found[row] == pytest.approx(expected, rel=1e-6)


def test_dropquery_asks_what_flips_before_what_does_not() -> None:
    class OneFeature:
        def probabilities(self, block: Block) -> np.ndarray:
            p = (block.dense[:, :1] > 0.3).astype(np.float32)
            return np.concatenate([p, 1 - p], axis=1)[None]

    dense = np.zeros((40, 6), dtype=np.float32)
    dense[:10, 0] = 1  # their class hangs on one feature, which is mostly left out
    dense[10:, 1] = 1
    p = np.full((40, 2), 0.5)

    chosen = make_strategy("dropquery", {"draws": 9}).choose(
        candidates_of(dense, p), 4, GroupState(dense[:0], 2, False, OneFeature()), RNG(0)
    )

    assert (chosen < 10).all()


def test_a_class_without_labels_is_asked_for_first_and_rare_ones_before_frequent_ones() -> None:
    p = np.array([[0.9, 0.05, 0.05], [0.8, 0.1, 0.1], [0.1, 0.6, 0.3], [0.3, 0.1, 0.6], [0.34, 0.33, 0.33]])
    state = BalanceState(np.array([0.1, 0.5, 1.0]), np.array([9.0, 2.0, 0.0]), False)
    strategy = make_strategy("class_balance", {})
    scores = strategy.score(shard_of(p.tolist()), state)

    chosen = strategy.choose(candidates_of(pool(5), p, scores), 5, state, RNG(0))

    assert chosen[0] == 3
    assert chosen[1] == 2
    assert scores[3] > scores[0]


def test_neighbours_of_the_rarest_class_are_asked() -> None:
    rng = RNG(0)
    here, there = np.array([5, 0, 0, 0]), np.array([0, 5, 0, 0])
    rare, frequent = unit(rng.normal(size=(30, 4)) + here), unit(rng.normal(size=(300, 4)) + there)
    given = labelled(np.concatenate([rare[:2], frequent[:7]]), [2, 2, *([0] * 4), *([1] * 3)])
    matrix = np.concatenate([rare[2:], frequent[7:]])

    proposal = run("rare_neighbours", matrix, given, size=20, cuts=4, doubt=0)

    assert (proposal.ids[:, 0] <= 28).mean() >= 0.9
    assert len(anchors_of(rare)) == 10
    assert len(np.unique(anchors_of(rare), axis=0)) == 10


def test_a_wish_with_strength_nought_has_no_say_in_the_product() -> None:
    matrix, given = clustered(RNG(1), 80, 6, 4, 0.4), labelled(pool(9, 6, seed=1), [0, 1, 2] * 3)

    alone = run("product", matrix, given, size=10, diversity=0, density=0)
    margin = run("margin", matrix, given, size=10)
    diverse = run("product", matrix, given, size=10, uncertainty=0, diversity=1)
    far = run("core_set", matrix, given, size=10)

    assert alone.ids[:3].tolist() == margin.ids[:3].tolist()
    assert diverse.ids[:3].tolist() == far.ids[:3].tolist()


def test_falcun_draws_evenly_at_gamma_nought_and_the_best_at_a_high_one() -> None:
    p = RNG(0).dirichlet(np.ones(3), 20)
    ranked = np.sort(p, axis=1)
    scores = 1 - ranked[:, -1] + ranked[:, -2]

    def first(gamma: float, seed: int) -> int:
        strategy = make_strategy("falcun", {"gamma": gamma})
        return int(strategy.choose(candidates_of(pool(20), p, scores), 1, ScoreState(False, 0), RNG(seed))[0])

    even = np.bincount([first(0, seed) for seed in range(2_000)], minlength=20)
    assert even.min() > 50
    assert {first(100, seed) for seed in range(20)} <= set(np.argsort(-scores)[:3].tolist())


def test_scores_over_several_classes_by_eye() -> None:
    sure, torn, half = [0.99, 0.01, 0.01], [0.5, 0.5, 0.5], [0.99, 0.5, 0.01]
    shard = shard_of([sure, torn, half])
    state = ScoreState(True, 0)

    assert make_strategy("mean_doubt", {}).score(shard, state) == pytest.approx([0.02, 1, 0.3467], abs=1e-3)
    assert make_strategy("expected_label_loss", {}).score(shard, state) == pytest.approx([0.03, 1.5, 0.52], abs=1e-3)
    off = make_strategy("label_cardinality", {"beta": 0.0}).score(shard, CardinalityState(2.0, 0))
    assert off == pytest.approx([1, 2, 1])


def test_sets_of_classes_are_far_apart_where_they_are_complements_and_not_where_they_are_equal() -> None:
    a, complement = [1, 1, 0, 0], [0, 0, 1, 1]

    distance = inconsistency(np.array([a, complement], dtype=np.float32), np.array([a], dtype=np.float32))

    assert distance == pytest.approx([0, 1])
    assert borda(np.array([[0.9, 0.8], [0.1, 0.2], [0.5, 0.5]])) == pytest.approx([0, 1, 0.5])
