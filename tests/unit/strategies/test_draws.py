"""Strategies that draw, against the chances of their papers: every draw of a small pool is counted over many seeds."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import chisquare

from app.core.block import Block
from app.strategies import Candidates, PoolStrategy, ScoredRows, make_strategy
from app.strategies.scored import ScoreState
from tests.unit.strategies.toys import context_of, ids_of, labelled, pool

SEEDS = 4_000
LEAST = 1e-3  # of the p-value: one true rule in a thousand would be refused, and the seeds are fixed


def fits(counted: Sequence[int], chances: Sequence[float]) -> None:
    """By Pearson's test; outcomes that are expected fewer than five times are one."""
    expected = int(np.sum(counted)) * np.array(chances, dtype=np.float64) / np.sum(chances, dtype=np.float64)
    few = expected < 5
    seen = np.append(np.array(counted)[~few], np.array(counted)[few].sum())
    wanted = np.append(expected[~few], expected[few].sum())
    if not wanted[-1]:
        seen, wanted = seen[:-1], wanted[:-1]
    assert chisquare(seen, wanted).pvalue > LEAST


def in_turn(weights: Sequence[float], k: int) -> dict[tuple[int, ...], float]:
    """The chance of every order of k draws without replacement, each by its weight among what is left."""
    chances = {}
    for order in permutations(range(len(weights)), k):
        chance, left = 1.0, float(np.sum(weights))
        for row in order:
            chance *= weights[row] / left
            left -= weights[row]
        chances[order] = chance
    return chances


def orders_of(draw: Callable[[int], Sequence[int]], chances: dict[tuple[int, ...], float]) -> None:
    counts = Counter(tuple(int(row) for row in draw(seed)) for seed in range(SEEDS))
    assert counts.keys() <= chances.keys()
    fits([counts[order] for order in chances], list(chances.values()))


def by_score(strategy: PoolStrategy, shard: ScoredRows, state: object, seed: int, k: int) -> Sequence[int]:
    scores = strategy.score(shard, state)
    candidates = Candidates(shard.ids, shard.block, shard.probabilities, scores, seed)
    return strategy.choose(candidates, k, state, np.random.default_rng(seed)).tolist()


def test_random_draws_every_pair_as_often() -> None:
    strategy, ids, block = make_strategy("random", {}), ids_of(np.array([3, 14, 15, 92, 65])), Block(pool(5))

    orders_of(lambda seed: by_score(strategy, ScoredRows(ids, block), None, seed, 2), in_turn(np.ones(5), 2))


def test_lightweight_core_set_draws_by_the_distance_to_the_mean() -> None:
    dense = (pool(6, 3) * np.array([[0.2], [1], [3], [0.5], [2], [1]])).astype(np.float32)
    away = ((dense - dense.mean(axis=0)) ** 2).sum(axis=1)
    chances = in_turn(0.5 / 6 + 0.5 * away / away.sum(), 2)
    strategy = make_strategy("lightweight_core_set", {})
    shard = ScoredRows(ids_of(np.arange(6) + 1), Block(dense))
    given = labelled(pool(3, 3), [0, 1, 2])

    def draw(seed: int) -> Sequence[int]:
        state = strategy.prepare(context_of(dense, given, seed=seed), np.random.default_rng(0))
        return by_score(strategy, shard, state, seed, 2)

    orders_of(draw, chances)


@pytest.mark.parametrize("noise", [0.5, 1.0, 3.0])
def test_power_bald_draws_by_a_power_of_the_information(noise: float) -> None:
    p = np.random.default_rng(0).dirichlet(np.full(3, 0.7), size=(5, 6)).astype(np.float32)

    class Fixed:
        def probabilities(self, block: Block) -> np.ndarray:
            return p

    def entropy(shares: np.ndarray) -> float:
        return float(-sum(share * np.log(share) for share in shares))

    information = [
        entropy(p[:, row].mean(axis=0)) - np.mean([entropy(p[head, row]) for head in range(5)]) for row in range(6)
    ]
    strategy = make_strategy("power_bald", {"noise": noise})
    shard = ScoredRows(ids_of(np.arange(6) + 1), Block(pool(6, 8)))

    orders_of(
        lambda seed: by_score(strategy, shard, ScoreState(False, seed, Fixed()), seed, 2),
        in_turn(np.array(information) ** (1 / noise), 2),
    )


@pytest.mark.parametrize("gamma", [0.0, 2.0, 10.0])
def test_falcun_draws_by_doubt_and_distance_in_prediction(gamma: float) -> None:
    p = np.random.default_rng(3).dirichlet(np.ones(3), 5).astype(np.float32)
    ranked = np.sort(p.astype(np.float64), axis=1)
    doubt = 1 - ranked[:, -1] + ranked[:, -2]

    def weights(apart: np.ndarray, left: Sequence[int]) -> np.ndarray:
        low, high = min(apart[left]), max(apart[left])
        raised = np.array([(doubt[i] + (apart[i] - low) / (high - low if high > low else 1)) ** gamma for i in left])
        return raised / raised.sum()

    chances = {}
    firsts = weights(doubt, range(5))
    for first in range(5):
        left = [row for row in range(5) if row != first]
        apart = np.minimum(doubt, np.abs(p - p[first]).sum(axis=1))
        for second, chance in zip(left, weights(apart, left), strict=True):
            chances[first, second] = firsts[first] * chance
    strategy = make_strategy("falcun", {"gamma": gamma})
    shard = ScoredRows(ids_of(np.arange(5) + 1), Block(pool(5)), p)

    orders_of(lambda seed: by_score(strategy, shard, ScoreState(False, seed), seed, 2), chances)
