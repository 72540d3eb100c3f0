"""Strategies for questions that are answered with a number: ratings, read as the expectation over their levels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator
from scipy.spatial.distance import cdist

from app.core.arrays import Doubles, Floats, Indices
from app.core.block import Block
from app.strategies.base import Candidates, Context, Heads, Need, ScoredRows, keyed_hash
from app.strategies.pool.committee import Committee
from app.strategies.pool.uncertainty import given
from app.strategies.scored import ScoreState, in_slices

ROWS_AT_ONCE = 256  # labelled ones, that every candidate is compared with
NUMBERS = frozenset({Need.PROBABILITIES, Need.NUMBERS})


@dataclass(frozen=True)
class Asked:
    """The number of each class (c,), and the labelled items: their numbers (L,), sorted, with their rows (L, d)."""

    values: Floats
    numbers: Floats
    rows: Floats
    seed: int

    def gap(self, numbers: Floats) -> Floats:
        """How far each of the numbers (n,) lies from the nearest labelled one (n,); infinite where none is."""
        if not len(self.numbers):
            return np.full(len(numbers), np.inf, dtype=np.float32)
        right = np.searchsorted(self.numbers, numbers).clip(0, len(self.numbers) - 1)
        left = np.maximum(right - 1, 0)
        gaps = np.minimum(np.abs(numbers - self.numbers[left]), np.abs(numbers - self.numbers[right]))
        return np.asarray(gaps, dtype=np.float32)


@dataclass(frozen=True)
class GreedyOutput:
    """Ask the item whose predicted number lies farthest from every number answered so far: min_m |f(x) - y_m|.

    In one scale with the rating. f(x) = sum_c p_c v_c over the levels' numbers v. Within a batch a chosen item counts
    with its predicted number. Needs probabilities and a rating with levels; costs O(n (c + log L)). Blind to where an
    item lies: two that are alike in nothing but their number are one to it.

    Source (GSy): Wu, Lin, Huang. Active Learning for Regression Using Greedy Sampling. Information Sciences 474, 2019.
    """

    name: ClassVar[str] = "gsy"
    needs: ClassVar[frozenset[Need]] = NUMBERS
    explores: ClassVar[bool] = False

    def prepare(self, context: Context, rng: Generator) -> Asked:
        return asked(context)

    def score(self, shard: ScoredRows, state: Asked) -> Floats:
        """The distance (n,) of each predicted number to the nearest labelled one."""
        return state.gap(given(shard) @ state.values)

    def choose(self, candidates: Candidates, k: int, state: Asked, rng: Generator) -> Indices:
        numbers = given(candidates) @ state.values
        return greedy(candidates, k, state.gap(numbers), lambda row: np.abs(numbers - numbers[row]))


@dataclass(frozen=True)
class GreedyInputOutput:
    """Ask argmax_x min_m |x - x_m| |f(x) - y_m| over the labelled items m: far from all in place and in number at once.

    |x - x_m| is the Euclidean distance of the features, from 0 to 2 for unit rows. Within a batch a chosen item counts
    with its predicted number. The candidates are the 2,000 whose numbers lie farthest from the answered ones and some
    drawn evenly; among them the rule is exact: O(L d) a candidate. Needs probabilities, features and a rating with
    levels. One answer near in either keeps an item from being asked, so outliers come first.

    Source (GSi, also iGS): Wu, Lin, Huang. Active Learning for Regression Using Greedy Sampling. Information Sciences
    474, 2019.
    """

    name: ClassVar[str] = "gsi"
    needs: ClassVar[frozenset[Need]] = NUMBERS | {Need.FEATURES}
    explores: ClassVar[bool] = True

    def prepare(self, context: Context, rng: Generator) -> Asked:
        return asked(context)

    def score(self, shard: ScoredRows, state: Asked) -> Floats:
        """The distance (n,) in number alone: who is sent up, not yet who is chosen."""
        return state.gap(given(shard) @ state.values)

    def choose(self, candidates: Candidates, k: int, state: Asked, rng: Generator) -> Indices:
        numbers, dense = given(candidates) @ state.values, candidates.block.dense.astype(np.float64)

        def beside(row: Any, number: float) -> Doubles:
            return np.asarray(cdist(dense, row[None])[:, 0] * np.abs(numbers - number))

        nearest = np.full(len(candidates), np.inf)
        for start in range(0, len(state.numbers), ROWS_AT_ONCE):
            some = slice(start, start + ROWS_AT_ONCE)
            away = cdist(dense, state.rows[some].astype(np.float64)) * np.abs(numbers[:, None] - state.numbers[some])
            nearest = np.minimum(nearest, away.min(axis=1))
        return greedy(candidates, k, nearest, lambda place: beside(dense[place], float(numbers[place])))


@dataclass(frozen=True)
class ModelChangeState(ScoreState):
    """What a score needs, and the number of each class (c,)."""

    values: Floats | None = None


@dataclass(frozen=True)
class ModelChange(Committee):
    """Score mean_k |f(x) - f_k(x)| |x|: how far one gradient step on the answer would move a linear regression.

    The answer is not known: the numbers f_k of a committee stand for it, and their mean for f. Needs a committee and a
    rating with levels; costs O(n d K c). Items of long rows come first; on unit rows it is the committee's mean
    absolute deviation.

    Source: Cai, Zhang, Zhou. Maximizing Expected Model Change for Active Learning in Regression. ICDM 2013.
    """

    name: ClassVar[str] = "model_change"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.COMMITTEE, Need.FEATURES, Need.NUMBERS})

    def prepare(self, context: Context, rng: Generator) -> ModelChangeState:
        return ModelChangeState(context.multiple, context.seed, context.heads, values_of(context))

    def utility(self, shard: ScoredRows, state: Any) -> Floats:
        """How far each answer is expected to move the model (n,)."""
        heads, values = state.heads, state.values
        assert heads is not None
        assert values is not None
        return in_slices(shard.block, lambda part: change(part, heads, values))


def change(block: Block, heads: Heads, values: Floats) -> Floats:
    """mean_k |f - f_k| times the length of the row (n,)."""
    numbers = heads.probabilities(block) @ values
    away = np.abs(numbers - numbers.mean(axis=0)).mean(axis=0)
    return np.asarray(away * np.sqrt(np.einsum("nd,nd->n", block.dense, block.dense)), dtype=np.float32)


def values_of(context: Context) -> Floats:
    """The number of each class (c,); a context without them is refused by name before."""
    assert context.values is not None
    return np.asarray(context.values, dtype=np.float32)


def asked(context: Context) -> Asked:
    """The labelled items in the order of their numbers; an item with several answers has the mean of them."""
    values = values_of(context)
    numbers = np.asarray(context.targets @ values, dtype=np.float32)
    order = np.argsort(numbers, kind="stable")
    return Asked(values, numbers[order], context.labelled.dense[order], context.seed)


def greedy(candidates: Candidates, k: int, nearest: Any, beside: Callable[[int], Any]) -> Indices:
    """Farthest first: positions (k,), each the largest of `nearest` (n,), which every pick lowers by what it is beside.

    Equal ones by the keyed hash of their identity.
    """
    hashes = keyed_hash(candidates.ids, candidates.seed)
    nearest = np.array(nearest, dtype=np.float64)
    chosen: list[int] = []
    for _ in range(min(k, len(candidates))):
        best = np.flatnonzero(nearest == nearest.max())
        row = int(best[hashes[best].argmin()])
        chosen.append(row)
        nearest = np.minimum(nearest, beside(row))
        nearest[chosen] = -np.inf
    return np.array(chosen, dtype=np.int64)
