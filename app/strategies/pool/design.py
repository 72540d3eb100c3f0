"""Strategies of optimal design: how far an answer would move a linear model, or still its variance."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from app.core.arrays import Doubles, Floats, Indices
from app.strategies.base import Candidates, Context, Need, ScoredRows, keyed_hash
from app.strategies.pool.reduction import RidgeState, ridge_state, with_bias
from app.strategies.pool.uncertainty import given, margin_uncertainty

EQUAL = 1e-9  # relative: gains that differ by less are the same, and the hash decides


@dataclass(frozen=True)
class OutputVariance:
    """Ask what lowers the model's mean variance over the pool most: argmax_x mean_j (x_j' A x)^2 / (1 + x' A x).

    A is the inverse of X'X + 0.1 I over the labelled rows X, and the x_j are up to 1,000 rows of the pool's sample: the
    variance of a ridge regression's output, which needs no answer to be known. Greedy and exact within a batch, since
    each pick changes A by rank one. The candidates are 2,000 items drawn evenly; costs O(candidates d (d + k)). Blind
    to what the model predicts: it asks where the rows are many and the labels few, not where classes meet.

    Source: Cohn, Ghahramani, Jordan. Active Learning with Statistical Models. JAIR 4, 1996.
    """

    name: ClassVar[str] = "output_variance"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.FEATURES})
    explores: ClassVar[bool] = False

    def prepare(self, context: Context, rng: Generator) -> tuple[RidgeState, int]:
        return ridge_state(context, 1_000), context.seed

    def score(self, shard: ScoredRows, state: tuple[RidgeState, int]) -> Floats:
        """A uniform draw (n,): who is sent up, not yet who is chosen."""
        return np.asarray(keyed_hash(shard.ids, state[1]) >> np.uint64(40), dtype=np.float32)

    def choose(self, candidates: Candidates, k: int, state: tuple[RidgeState, int], rng: Generator) -> Indices:
        rows = with_bias(candidates.block.dense)
        return variance_picks(rows, state[0], k, keyed_hash(candidates.ids, candidates.seed))


@dataclass(frozen=True)
class ParameterDistance:
    """Score sum_c p_c |w after x was answered c - w|: how far an answer is expected to move the weights.

    The model is a ridge regression on class shares, where an answer's step has a closed form:
    |A x| / (1 + x' A x) times sum_c p_c |e_c - f(x)|, with A the inverse of X'X + 0.1 I over the labelled rows and f(x)
    the model's scores. The candidates are the 2,000 of smallest margin and 2,000 drawn evenly: O(d^2) each. Needs
    labelled features, probabilities and the service's own learner, and one class an item. Drawn to outliers, whose
    answers move the weights most and matter least.

    Source: Settles, Craven, Ray. Multiple-Instance Active Learning. NIPS 2007 (expected change); Sherman, Morrison.
    1950 (the closed form).
    """

    name: ClassVar[str] = "parameter_distance"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES, Need.LABELLED, Need.REFIT, Need.ONE_CLASS})
    explores: ClassVar[bool] = True

    def prepare(self, context: Context, rng: Generator) -> RidgeState:
        return ridge_state(context, 1)

    def score(self, shard: ScoredRows, state: RidgeState) -> Floats:
        """Margin uncertainty (n,): who is sent up, not yet who is chosen."""
        return margin_uncertainty(given(shard), False)

    def choose(self, candidates: Candidates, k: int, state: RidgeState, rng: Generator) -> Indices:
        far = expected_distances(with_bias(candidates.block.dense), given(candidates), state)
        worth = np.round(far, 7).astype(np.float32)
        return Candidates(candidates.ids, candidates.block, None, worth, candidates.seed).best_apart(k)


def expected_distances(rows: Doubles, p: Floats, state: RidgeState) -> Doubles:
    """The expected length (n,) of the weights' step after each of the rows (n, d) was answered."""
    moved = rows @ state.inverse
    step = np.sqrt(np.einsum("nd,nd->n", moved, moved)) / (1 + np.einsum("nd,nd->n", moved, rows))
    scores = rows @ state.weights  # (n, c)
    square = np.einsum("nc,nc->n", scores, scores)[:, None]
    surprise = np.sqrt(np.maximum(square - 2 * scores + 1, 0))  # |e_c - f(x)| for each class c
    return np.asarray(step * (p * surprise).sum(axis=1))


def variance_picks(rows: Doubles, state: RidgeState, k: int, hashes: Any) -> Indices:
    """Positions (k,), each the row that lowers the mean variance over the state's rows most, after those before it."""
    inverse = state.inverse.copy()
    stands_for = state.rows.T @ state.rows / len(state.rows)
    beside = rows @ inverse
    own = np.einsum("nd,nd->n", beside, rows)  # x' A x
    square = np.einsum("nd,nd->n", beside @ stands_for, beside)  # mean_j (x_j' A x)^2
    chosen: list[int] = []
    for _ in range(min(k, len(rows))):
        gain = square / (1 + own)
        gain[chosen] = -1.0
        best = np.flatnonzero(gain >= gain.max() * (1 - EQUAL))
        pick = int(best[hashes[best].argmin()])
        chosen.append(pick)
        # A changes by rank one, and with it the sums of every row: O(n d + d^2), no pass over the m rows.
        step = inverse @ rows[pick]
        factor = rows @ step / (1 + own[pick])
        shared = rows @ (inverse @ (stands_for @ step))  # mean_j (x_j' A x) (x_j' A pick)
        square = np.maximum(square - 2 * factor * shared + factor**2 * square[pick], 0)
        own = own - factor**2 * (1 + own[pick])
        inverse -= np.outer(step, step) / (1 + step @ rows[pick])
    return np.array(chosen, dtype=np.int64)
