"""Strategies that choose representatives of the pool by distance alone."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from app.core.arrays import Doubles, Floats, Indices
from app.strategies.base import Candidates, Context, Need, ScoredRows
from app.strategies.farthest import Farthest
from app.strategies.picked import Picked
from app.strategies.scored import gumbel


@dataclass(frozen=True)
class CoreSet:
    """Ask the item that lies farthest from everything asked so far: argmax_x min_{s in S} (1 - cos(x, s)), in [0, 2].

    S begins with the labelled items; with none the first pick is drawn. The picks are exactly those of the plain greedy
    rule over the whole pool, found with lazy bounds: some passes over the pool instead of one a pick. Needs
    features; costs O(n d |S|) at worst, mostly a small part of it. Copies of what is in S come last, and rows of zeros
    after them. Drawn to outliers, and blind to what the model knows.

    Source: Sener, Savarese. Active Learning for Convolutional Neural Networks: A Core-Set Approach. ICLR 2018. For
    regression the same rule is GSx: Wu, Lin, Huang. Active Learning for Regression Using Greedy Sampling. 2019.
    """

    name: ClassVar[str] = "core_set"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.FEATURES})
    explores: ClassVar[bool] = False
    keeps: ClassVar[int] = 1  # the batch itself: it was picked before the pool is scored

    def prepare(self, context: Context, rng: Generator) -> Picked:
        return Farthest(context.over, context.seed, context.labelled.dense).pick(context.size)

    def score(self, shard: ScoredRows, state: Picked) -> Floats:
        """The distance (n,) at which a row was picked; -1 where it was not."""
        return state.score(shard.ids)

    def choose(self, candidates: Candidates, k: int, state: Picked, rng: Generator) -> Indices:
        return state.order(candidates, k)


@dataclass(frozen=True)
class LightweightState:
    """The pool's mean (d,), the mean squared distance to it, and the seed of the draw."""

    mean: Doubles
    spread: float
    rows: int
    seed: int


@dataclass(frozen=True)
class LightweightCoreSet:
    """Draw items with probability q(x) = 1/2 1/n + 1/2 |x - mean|^2 / sum |x - mean|^2, without replacement.

    Score: log q plus Gumbel noise of the item's hash, so the k highest scores are the draw. Needs features; costs two
    passes for the mean and the spread and one for the scores, O(n d). Half of it is plain chance, half goes to the rim
    of the pool; blind to the labels and to the model.

    Source: Bachem, Lucic, Krause. Scalable k-Means Clustering via Lightweight Coresets. KDD 2018. The draw: Efraimidis,
    Spirakis. Weighted random sampling with a reservoir. 2006.
    """

    name: ClassVar[str] = "lightweight_core_set"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.FEATURES})
    explores: ClassVar[bool] = False

    def prepare(self, context: Context, rng: Generator) -> LightweightState:
        mean, rows = mean_of_pool(context)
        squares = sum(context.over(lambda _number, part: float((part.block.dense.astype("f4") ** 2).sum(dtype="f8"))))
        spread = max(round(squares / max(rows, 1) - float(mean @ mean), 9), 1e-9)
        return LightweightState(mean, spread, rows, context.seed)

    def score(self, shard: ScoredRows, state: LightweightState) -> Floats:
        """log q(x) + Gumbel noise (n,)."""
        dense = shard.block.dense
        squares = np.einsum("nd,nd->n", dense, dense)
        away = np.maximum(squares - 2 * (dense @ state.mean.astype(np.float32)) + state.mean @ state.mean, 0)
        chance = (0.5 + 0.5 * away / state.spread) / max(state.rows, 1)
        return np.asarray(np.log(chance) + gumbel(shard.ids, state.seed), dtype=np.float32)

    def choose(self, candidates: Candidates, k: int, state: LightweightState, rng: Generator) -> Indices:
        return candidates.best(k)


def mean_of_pool(context: Context) -> tuple[Doubles, int]:
    """The mean row (d,) of the whole pool in one pass, and how many rows there are; equal under any cut."""
    parts = context.over(lambda _number, rows: (rows.block.dense.sum(axis=0, dtype=np.float64), len(rows.block)))
    rows = sum(count for _, count in parts)
    total = np.sum([part for part, _ in parts], axis=0) if parts else np.zeros(context.labelled.dense.shape[1])
    # Sums in another order differ in the sixteenth place: the mean is rounded before that.
    return np.round(total / max(rows, 1), 9), rows
