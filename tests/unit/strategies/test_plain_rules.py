"""Strategies that choose by a rule, against that of their paper in plain loops, or against an independent library."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.linear_model import Ridge

from app.core.block import Block
from app.strategies import Candidates, ScoredRows, make_strategy
from app.strategies.clustering import k_means
from app.strategies.pool.balance import AnchorState, balance_state
from app.strategies.pool.clusters import GroupState
from app.strategies.pool.density import LabelledState
from app.strategies.pool.several import CardinalityState, CvirsState
from app.strategies.scored import ScoreState
from tests.unit.strategies.toys import context_of, ids_of, labelled, pool, run, unit

RNG = np.random.default_rng


def candidates_of(dense: Any, p: Any = None, scores: Any = None) -> Candidates:
    worth = np.zeros(len(dense)) if scores is None else scores
    chances = None if p is None else np.asarray(p, dtype=np.float32)
    return Candidates(ids_of(np.arange(len(dense)) + 1), Block(dense), chances, np.asarray(worth, dtype=np.float32), 0)


def rows_of(p: Any, dense: Any = None) -> ScoredRows:
    rows = pool(len(p)) if dense is None else dense
    return ScoredRows(ids_of(np.arange(len(p)) + 1), Block(rows), np.asarray(p, dtype=np.float32))


def groups(sizes: Sequence[int], noise: float = 0.08, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows around orthogonal directions, so far apart that every clustering finds the same groups."""
    rng = RNG(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    dense = unit(np.eye(len(sizes), 9)[group] + noise * rng.normal(size=(len(group), 9)))
    order = rng.permutation(len(group))
    return dense[order], group[order]


@pytest.mark.parametrize(
    ("name", "method"),
    [("least_confident", "least_confident"), ("margin", "margin_sampling"), ("entropy", "entropy")],
)
def test_doubts_are_those_of_an_independent_library(name: str, method: str) -> None:
    theirs = pytest.importorskip("skactiveml.pool")
    p = RNG(0).dirichlet(np.ones(4), 40)

    found = make_strategy(name, {}).score(rows_of(p), ScoreState(False, 0))

    assert found == pytest.approx(theirs.uncertainty_scores(p, method=method), abs=1e-6)


def test_the_consensus_and_the_information_are_the_plain_sums() -> None:
    p = RNG(0).dirichlet(np.full(3, 0.7), size=(6, 30)).astype(np.float32)

    class Fixed:
        def probabilities(self, block: Block) -> np.ndarray:
            return p

    def entropy(shares: np.ndarray) -> float:
        return float(-sum(share * np.log(share) for share in shares))

    shard, state = rows_of(p[0]), ScoreState(False, 0, Fixed())
    consensus = [entropy(p[:, row].mean(axis=0)) for row in range(30)]
    alone = [np.mean([entropy(p[head, row]) for head in range(6)]) for row in range(30)]

    assert make_strategy("consensus_entropy", {}).score(shard, state) == pytest.approx(consensus, rel=1e-5)
    expected = np.array(consensus) - alone
    assert make_strategy("bald", {}).score(shard, state) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("neighbours", [3, 5])
def test_graph_density_is_the_plain_rule(neighbours: int) -> None:
    dense = pool(40, 6)
    apart = 1 - dense.astype(np.float64) @ dense.T
    near = [[int(j) for j in np.argsort(apart[i], kind="stable") if j != i][:neighbours] for i in range(40)]
    width = np.mean([apart[i, j] for i in range(40) for j in near[i]])
    linked = {(i, j) for i in range(40) for j in range(40) if j in near[i] or i in near[j]}
    assert any(len([1 for pair in linked if pair[0] == i]) > neighbours for i in range(40))
    density = [np.mean([np.exp(-apart[i, j] / width) for j in range(40) if (i, j) in linked]) for i in range(40)]
    expected: list[int] = []
    while len(expected) < 25:
        best = max((i for i in range(40) if i not in expected), key=lambda i: density[i])
        expected.append(best)
        for other in range(40):
            if (best, other) in linked:
                density[other] -= density[best]

    strategy = make_strategy("graph_density", {"neighbours": neighbours})

    assert strategy.choose(candidates_of(dense), 25, None, RNG(0)).tolist() == expected


def test_discriminative_asks_what_a_ridge_of_an_independent_library_finds_least_like_the_labelled() -> None:
    dense, asked, sample = pool(50, 6), pool(12, 6, seed=1), pool(30, 6, seed=2)
    expected: list[int] = []
    for size in (3, 3, 2, 2):
        known = np.concatenate([asked, dense[expected]])
        sides = np.repeat([1.0, -1.0], [len(known), 30])
        weights = np.repeat([1 / len(known), 1 / 30], [len(known), 30])
        seems = Ridge(alpha=1e-2).fit(np.concatenate([known, sample]), sides, weights).predict(dense)
        expected += sorted((i for i in range(50) if i not in expected), key=lambda i: seems[i])[:size]

    strategy = make_strategy("discriminative", {"parts": 4})

    assert strategy.choose(candidates_of(dense), 10, (asked, sample), RNG(0)).tolist() == expected


def test_clue_asks_the_items_nearest_to_centers_that_weigh_the_entropy() -> None:
    dense, group = groups([30, 25, 20, 15], noise=0.2)
    doubtful = np.where(group == 3, 0.9, 0.2) * (dense[:, 5] > 0)  # the smallest group is the heaviest
    p = np.stack([1 - 0.65 * doubtful - 0.02, 0.6 * doubtful + 0.01, 0.05 * doubtful + 0.01], axis=1)
    entropy = -(p * np.log(p)).sum(axis=1)
    centers = KMeans(4, n_init=10, random_state=0).fit(dense, sample_weight=entropy).cluster_centers_
    mass = {int(group[((dense - c) ** 2).sum(axis=1).argmin()]): c for c in centers}
    heaviest_first = sorted(mass, key=lambda g: -entropy[group == g].sum())
    expected = [int(((dense - mass[number]) ** 2).sum(axis=1).argmin()) for number in heaviest_first]

    strategy = make_strategy("clue", {})
    scores = strategy.score(rows_of(p, dense), ScoreState(False, 0))
    chosen = strategy.choose(candidates_of(dense, p, scores), 4, ScoreState(False, 0), RNG(0))

    assert scores == pytest.approx(entropy, rel=1e-5)
    assert chosen.tolist() == expected
    flat = strategy.choose(candidates_of(dense, p, np.ones(90)), 4, ScoreState(False, 0), RNG(0))
    assert set(flat.tolist()) != set(expected)  # the weights have a say, also within a group


def test_k_means_asks_the_items_nearest_to_the_centers_of_an_independent_library() -> None:
    dense, group = groups([30, 25, 20, 15], noise=0.2)
    centers = KMeans(4, n_init=10, random_state=0).fit(dense).cluster_centers_
    nearest = [int(((dense - center) ** 2).sum(axis=1).argmin()) for center in centers]
    expected = sorted(nearest, key=lambda row: int(group[row]))  # the groups fall in size

    state = GroupState(np.empty((0, 9), dtype=np.float32), 3, False)

    assert make_strategy("k_means", {}).choose(candidates_of(dense), 4, state, RNG(0)).tolist() == expected


def test_typiclust_takes_the_typical_item_of_the_largest_cluster_with_fewest_labels() -> None:
    dense, known = pool(120, 4), pool(5, 4, seed=1)
    strategy = make_strategy("typiclust", {})

    chosen = strategy.choose(candidates_of(dense), 9, GroupState(known, 3, False), RNG(7)).tolist()

    points = np.concatenate([dense, known]).astype(np.float64)
    _, belongs = k_means(points.astype(np.float32), np.ones(125), 14, RNG(7))
    expected: list[int] = []
    while len(expected) < 9:
        asked = [*expected, *range(120, 125)]
        open_ = [c for c in range(14) if any(belongs[i] == c and i not in expected for i in range(120))]

        def order(cluster: int, asked: list[int] = asked) -> tuple[Any, ...]:
            size = int((belongs[:120] == cluster).sum())
            return sum(belongs[i] == cluster for i in asked), size < 5, -size, cluster

        best = min(open_, key=order)
        members = [i for i in range(125) if belongs[i] == best]

        def typical(row: int, members: list[int] = members) -> float:
            apart = sorted(float(np.linalg.norm(points[row] - points[j])) for j in members if j != row)[:20]
            return 1 / np.mean(apart) if apart else 0.0

        expected.append(max((i for i in members if i < 120 and i not in expected), key=typical))
    assert chosen == expected


def test_prob_cover_takes_the_largest_radius_of_pure_balls_and_fills_them_greedily() -> None:
    dense, known = pool(80, 4), pool(3, 4, seed=1)
    strategy = make_strategy("prob_cover", {"purity": 0.9})

    chosen = strategy.choose(candidates_of(dense), 6, GroupState(known, 3, False), RNG(5)).tolist()

    points = dense.astype(np.float64)
    _, belongs = k_means(dense, np.ones(80), 3, RNG(5))
    apart = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    impure = sorted(min(apart[i, j] for j in range(80) if belongs[i] != belongs[j]) for i in range(80))
    radius = np.quantile(impure, 0.1)
    assert np.mean([all(belongs[j] == belongs[i] for j in range(80) if apart[i, j] < radius) for i in range(80)]) >= 0.9
    to_known = ((points[:, None] - known[None]) ** 2).sum(axis=2)
    left = {i for i in range(80) if to_known[i].min() >= radius}
    expected: list[int] = []
    while len(expected) < 6:
        balls = {i: {j for j in left if apart[i, j] < radius} for i in range(80)}
        expected.append(max(range(80), key=lambda i: (len(balls[i]), -i)))
        left -= balls[expected[-1]]
    assert chosen == expected


def test_dropquery_clusters_what_flips_in_more_than_half_of_the_copies() -> None:
    dense, group = groups([40, 30, 20], noise=0.25)
    weights = RNG(2).normal(size=(9, 3))

    class Linear:
        def probabilities(self, block: Block) -> np.ndarray:
            return np.eye(3)[(block.dense @ weights).argmax(axis=1)][None]

    copies = RNG(3)
    before = (dense @ weights).argmax(axis=1)
    flips = np.zeros(90)
    for _ in range(3):
        dropped = dense.copy()
        dropped[copies.random(dense.shape, dtype=np.float32) < 0.5] = 0
        flips += (dropped @ weights).argmax(axis=1) != before
    able = np.flatnonzero(flips >= 2)
    assert len(set(group[able])) == 3
    assert 3 < len(able) < 60
    centers = KMeans(3, n_init=10, random_state=0).fit(dense[able]).cluster_centers_
    expected = {int(able[((dense[able] - center) ** 2).sum(axis=1).argmin()]) for center in centers}

    state = GroupState(dense[:0], 3, False, Linear())
    p = np.tile([0.5, 0.3, 0.2], (90, 1))
    strategy = make_strategy("dropquery", {"rate": 0.5, "draws": 3})

    assert set(strategy.choose(candidates_of(dense, p), 3, state, RNG(3)).tolist()) == expected
    later = strategy.choose(candidates_of(dense, p), len(able) + 5, state, RNG(3)).tolist()
    assert set(later[: len(able)]) == set(able.tolist())


def test_cvirs_is_the_rule_of_the_paper() -> None:
    rng = RNG(0)
    p, labels = rng.random((30, 4)), (rng.random((12, 4)) < 0.4).astype(np.float32)
    predicted = p > 0.5

    def entropy(counts: Sequence[float]) -> float:
        return -sum(n / 4 * np.log(n / 4) for n in counts if n)

    def unlike(mine: np.ndarray, other: np.ndarray) -> float:
        a, b = mine.astype(bool), other.astype(bool)
        if (a != b).all():
            return 1.0
        joint = entropy([(a & b).sum(), (a & ~b).sum(), (~a & b).sum(), (~a & ~b).sum()])
        alone = entropy([a.sum(), 4 - a.sum()]) + entropy([b.sum(), 4 - b.sum()])
        return (2 * joint - alone) / joint if joint else 0.0

    ranks = [sorted(range(30), key=lambda row, c=c: abs(2 * p[row, c] - 1)) for c in range(4)]
    votes = [sum(30 - (ranking.index(row) + 1) for ranking in ranks) / (4 * 29) for row in range(30)]
    worth = [votes[row] * np.mean([unlike(predicted[row], each) for each in labels]) for row in range(30)]

    chosen = make_strategy("cvirs", {}).choose(candidates_of(pool(30, 8), p), 12, CvirsState(labels), RNG(0))

    assert len(set(chosen.tolist())) == 12
    assert [worth[row] for row in chosen] == pytest.approx(sorted(worth, reverse=True)[:12], abs=1e-6)  # some are equal


def test_label_cardinality_is_the_rule_of_the_paper() -> None:
    p = RNG(0).random((25, 4))
    expected = []
    for row in p:
        above, below = [x for x in row if x > 0.5], [x for x in row if x <= 0.5]
        separation = max(min(above, default=1.0) - max(below, default=0.0), 0.01)
        off = max(abs(len(above) - 1.5), 0.5)
        expected.append(separation**-0.3 * off**0.7)

    found = make_strategy("label_cardinality", {"beta": 0.3}).score(rows_of(p), CardinalityState(1.5, 0))

    assert found == pytest.approx(expected, rel=1e-4)


def test_class_balance_serves_the_class_furthest_behind_in_turn() -> None:
    given = labelled(pool(9, seed=1), [0] * 5 + [1] * 3 + [2])
    state = balance_state(context_of(pool(40), given))
    p = RNG(0).dirichlet(np.ones(3), 40)
    strategy = make_strategy("class_balance", {})
    ranked = np.sort(p, axis=1)
    worth = (1 - ranked[:, 2] + ranked[:, 1]) * (p @ [2 / 6, 2 / 4, 1])

    scores = strategy.score(rows_of(p), state)
    chosen = strategy.choose(candidates_of(pool(40, 12), p, scores), 20, state, RNG(0)).tolist()

    assert scores == pytest.approx(worth, rel=1e-5)
    counts, expected = [5, 3, 1], list[int]()
    taken_for = p.argmax(axis=1)
    while len(expected) < 20:
        left = [row for row in range(40) if row not in expected]
        behind = min({int(taken_for[row]) for row in left}, key=lambda c: (counts[c], c))
        expected.append(max((row for row in left if taken_for[row] == behind), key=lambda row: worth[row]))
        counts[behind] += 1
    assert chosen == expected


def test_rare_neighbours_are_the_nearest_to_an_anchor_half_of_them_at_the_boundary() -> None:
    dense, anchors = pool(30, 6), pool(4, 6, seed=1)
    p = RNG(0).dirichlet(np.ones(3), 30)
    state = AnchorState(anchors, 1, False)
    strategy = make_strategy("rare_neighbours", {"doubt": 0.5})

    chosen = strategy.choose(candidates_of(dense, p), 6, state, RNG(0)).tolist()

    assert strategy.score(rows_of(p, dense), state) == pytest.approx((dense @ anchors.T).max(axis=1), abs=1e-6)
    expected: list[int] = []
    for place in range(6):
        left = [row for row in range(30) if row not in expected]
        if place % 2:
            expected.append(min(left, key=lambda row: abs(p[row, 1] - 0.5)))
        else:
            expected.append(max(left, key=lambda row: p[row, 1]))
    assert chosen == expected


def test_contrastive_asks_first_what_differs_most_from_its_labelled_neighbours() -> None:
    dense, others = pool(25, 6), pool(15, 6, seed=1)
    p, theirs = RNG(0).dirichlet(np.ones(3), 25), RNG(1).dirichlet(np.ones(3), 15).astype(np.float32)
    apart = []
    for row in range(25):
        near = sorted(range(15), key=lambda j, row=row: -float(dense[row] @ others[j]))[:3]
        apart.append(np.mean([sum(theirs[j, c] * np.log(theirs[j, c] / p[row, c]) for c in range(3)) for j in near]))

    state = LabelledState(others, theirs, False, 25, 0)
    chosen = make_strategy("contrastive", {"neighbours": 3}).choose(candidates_of(dense, p), 8, state, RNG(0))

    assert chosen.tolist() == sorted(range(25), key=lambda row: -apart[row])[:8]


@pytest.mark.parametrize(("name", "reach"), [("coverage", 1.0), ("uherding", 1.0), ("uherding", 0.25)])
def test_herding_is_the_plain_greedy_rule(name: str, reach: float) -> None:
    matrix, given = pool(50, 6), labelled(pool(12, 6, seed=1), [0, 1, 2] * 4)

    proposal = run(
        name, matrix, given, size=10, **({"own": 0.7, "rare": 0, "reach": reach} if name == "uherding" else {})
    )

    assert proposal.model is not None
    p = np.sort(proposal.model.probabilities(Block(matrix)), axis=1)
    doubt = (1 - p[:, -1] + p[:, -2]).astype(np.float64) if name == "uherding" else np.ones(50)
    own = doubt**0.7 if name == "uherding" else doubt
    like = matrix.astype(np.float64) @ given.block.dense.T
    radius = reach * np.median(1 - like.max(axis=1))
    kernel = np.exp((matrix.astype(np.float64) @ matrix.T - 1) / radius)
    covered = np.exp((like.max(axis=1) - 1) / radius)
    picked: list[int] = []
    for row in proposal.ids[:, 0] - 1:
        gains = [own[i] * (doubt * np.maximum(kernel[i] - covered, 0)).sum() for i in range(50)]
        assert gains[row] == pytest.approx(max(gains[i] for i in range(50) if i not in picked), abs=1e-5)
        picked.append(int(row))
        covered = np.maximum(covered, kernel[row])
    assert len(set(picked)) == 10
