"""Strategies that ask for the answers that would move the linear head most."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from app.core.arrays import Doubles, Floats, Indices
from app.strategies.base import Candidates, Context, Need, ScoredRows
from app.strategies.pool.uncertainty import given
from app.strategies.scored import SMALLEST, Scored, ScoreState, gumbel


@dataclass(frozen=True)
class ExpectedGradient(Scored):
    """Score E_y |grad| = |x| sum_c p_c sqrt(|p|^2 - 2 p_c + 1), in [0, sqrt(2)] for rows of unit length.

    The gradient of the log loss of a softmax head for the answer c is (p - e_c) x', so its expected length is closed
    form. Where several classes may hold: |x| sqrt(sum_c p_c (1 - p_c)), the root of the expected square. Needs
    probabilities and features; costs O(n (c + d)). On unit rows it is a kind of entropy; blind to redundancy but for
    near-duplicates.

    Source: Settles, Craven, Ray. Multiple-Instance Active Learning. NIPS 2007.
    """

    name: ClassVar[str] = "expected_gradient"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES, Need.FEATURES})

    def utility(self, shard: ScoredRows, state: ScoreState) -> Floats:
        """Map probabilities (n, c) and rows (n, d) to scores (n,)."""
        p = given(shard)
        length = np.sqrt(np.einsum("nd,nd->n", shard.block.dense, shard.block.dense))
        if state.multiple:
            return np.asarray(length * np.sqrt((p * (1 - p)).sum(axis=1)), dtype=np.float32)
        squares = np.maximum((p**2).sum(axis=1, keepdims=True) - 2 * p + 1, 0)
        return np.asarray(length * (p * np.sqrt(squares)).sum(axis=1), dtype=np.float32)


@dataclass(frozen=True)
class Badge:
    """Draw a batch whose gradients are long and differ: k-means++ on g(x) = (p - e_best) x', |g - g'|^2 as the chance.

    No gradient is ever made: <g, g'> = <a, a'> <x, x'> with a = p - e_best, so a pick costs O(candidates (c + d)) and
    no array has c d columns. The candidates are 2,000 drawn with chances |g|^2 over the whole pool, as k-means||
    does, and 2,000 drawn evenly. Needs probabilities and features; where several classes may hold e_best is all classes
    above one half. Each batch is a draw, so it is seldom the best one.

    Source: Ash, Zhang, Krishnamurthy, Langford, Agarwal. Deep Batch Active Learning by Diverse, Uncertain Gradient
    Lower Bounds. ICLR 2020; Bahmani, Moseley, Vattani, Kumar, Vassilvitskii. Scalable K-Means++. 2012.
    """

    name: ClassVar[str] = "badge"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES, Need.FEATURES})
    explores: ClassVar[bool] = True

    def prepare(self, context: Context, rng: Generator) -> ScoreState:
        return ScoreState(context.multiple, context.seed)

    def score(self, shard: ScoredRows, state: ScoreState) -> Floats:
        """log |g|^2 + Gumbel noise (n,): the highest are a draw with chances |g|^2."""
        away = residuals(given(shard), state.multiple)
        dense = shard.block.dense
        squares = np.einsum("nc,nc->n", away, away) * np.einsum("nd,nd->n", dense, dense)
        keys = np.log(np.maximum(squares.astype(np.float64), SMALLEST)) + gumbel(shard.ids, state.seed)
        return np.asarray(keys, dtype=np.float32)

    def choose(self, candidates: Candidates, k: int, state: ScoreState, rng: Generator) -> Indices:
        away = residuals(given(candidates), state.multiple).astype(np.float64)
        return spread_draw(away, candidates.block.dense.astype(np.float64), candidates.by_hash(), k, rng)


def residuals(probabilities: Floats, multiple: bool) -> Floats:
    """p - e_best (n, c), or p - [p > 1/2] where several classes may hold."""
    away = probabilities.copy()
    if multiple:
        return np.asarray(away - (probabilities > 0.5), dtype=np.float32)
    away[np.arange(len(away)), probabilities.argmax(axis=1)] -= 1
    return away


def spread_draw(away: Doubles, dense: Doubles, by_hash: Indices, k: int, rng: Generator) -> Indices:
    """k-means++ over the outer products of two matrices' rows: first the longest, then each with chance distance^2.

    Rows at no distance from what was drawn are copies, and follow in the order of the hash.
    """
    rows = len(away)
    squares = np.einsum("nc,nc->n", away, away) * np.einsum("nd,nd->n", dense, dense)
    picked: list[int] = []
    nearest = np.full(rows, np.inf)
    left = np.ones(rows, dtype=np.bool_)
    while len(picked) < min(k, rows):
        chance = np.where(left, squares if not picked else nearest, 0)
        chance[chance < 1e-10] = 0  # no more than rounding
        if not chance.any():
            break
        row = int(by_hash[chance[by_hash].argmax()]) if not picked else _drawn(chance, by_hash, rng)
        picked.append(row)
        left[row] = False
        distance = squares + squares[row] - 2 * (away @ away[row]) * (dense @ dense[row])
        nearest = np.minimum(nearest, np.maximum(distance, 0))
    rest = [int(row) for row in by_hash if left[row]]
    return np.array([*picked, *rest][:k], dtype=np.int64)


def _drawn(chance: Doubles, by_hash: Indices, rng: Generator) -> int:
    steps = np.cumsum(chance[by_hash])
    place = int(np.searchsorted(steps, rng.random() * steps[-1], side="right"))
    while chance[by_hash[min(place, len(steps) - 1)]] == 0:
        place -= 1
    return int(by_hash[min(place, len(steps) - 1)])
