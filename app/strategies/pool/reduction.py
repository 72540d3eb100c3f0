"""Expected error reduction: try every answer of a candidate, and see how sure the model would then be of the pool."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from app.core.arrays import Doubles, Floats, Indices
from app.core.errors import Invalid
from app.strategies.base import Candidates, Context, Need, ScoredRows
from app.strategies.costs import costs_of, unfit
from app.strategies.parameters import parameter
from app.strategies.pool.uncertainty import given, margin_uncertainty

PENALTY = 0.1
SHARPNESS = 10.0  # ridge scores differ by about one between classes
ANSWERS = 5  # of a candidate that are tried, the likeliest ones
AFFORDABLE = 20_000_000  # probabilities in all


@dataclass(frozen=True)
class RidgeState:
    """A ridge head in the form that a rank-one update needs.

    `inverse` is (d, d), `weights` (d, c), both with a row for the bias last; `rows` (m, d) stand for the pool; `costs`
    (c, c) where mistakes differ.
    """

    inverse: Doubles
    weights: Doubles
    rows: Doubles
    costs: Doubles | None = None


@dataclass(frozen=True)
class ExpectedError:
    """Ask argmin_x sum_c p_c mean_j loss(model after x was answered c, x_j): the error that would be left over.

    The model is a ridge head on the dense features, which an answer changes by rank one: O(d^2) a candidate and O(m C)
    an answer instead of a fit. `loss` says what counts on the pool's rows x_j: `zero_one` 1 - max p, `log` the entropy,
    and `brier` 1 - |p|^2, which is the risk of the value of information: sum_cd p_c p_d C[c, d] where every mistake
    costs 1. With `costs` (C as in `expected_cost`) `brier` is that risk and `zero_one` min_d sum_c p_c C[c, d]; `log`
    knows no costs. What is labelled is no risk any more, and that an answer costs the same for every item leaves the
    order as it is. The candidates are the 200 of smallest margin and 200 drawn evenly; of each the five likeliest
    answers are tried, on up to 1,000 rows of the pool's sample. Needs labelled features, probabilities and the
    service's own learner, and one class an item. Greedy: the items of a batch do not know of each other, but for near-
    duplicates.

    Source: Roy, McCallum. Toward Optimal Active Learning through Sampling Estimation of Error Reduction. ICML 2001;
    Kapoor, Horvitz, Basu. Selective Supervision. IJCAI 2007; Sherman, Morrison. 1950.
    """

    name: ClassVar[str] = "expected_error"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES, Need.LABELLED, Need.REFIT, Need.ONE_CLASS})
    explores: ClassVar[bool] = True
    keeps: ClassVar[int] = 200

    loss: str = parameter("log", says="what counts as error", choices=("log", "zero_one", "brier"))
    costs: str = parameter("", says="what each mistake costs, as 0 1; 5 0")

    def __post_init__(self) -> None:
        if costs_of(self.name, self.costs) is not None and self.loss == "log":
            raise Invalid("strategy expected_error: costs are for the losses zero_one and brier")

    def unfit(self, classes: int) -> str:
        """Why it cannot work with so many classes."""
        return unfit(costs_of(self.name, self.costs), classes)

    def prepare(self, context: Context, rng: Generator) -> RidgeState:
        answers = min(ANSWERS, context.classes)
        most = AFFORDABLE // (2 * self.keeps * answers * context.classes)
        state = ridge_state(context, int(np.clip(most, 50, 1_000)))
        return replace(state, costs=costs_of(self.name, self.costs))

    def score(self, shard: ScoredRows, state: RidgeState) -> Floats:
        """Margin uncertainty (n,): who is sent up, not yet who is chosen."""
        return margin_uncertainty(given(shard), False)

    def choose(self, candidates: Candidates, k: int, state: RidgeState, rng: Generator) -> Indices:
        left = expected_losses(with_bias(candidates.block.dense), given(candidates), state, self.loss)
        worth = np.round(-left, 7).astype(np.float32)
        return Candidates(candidates.ids, candidates.block, None, worth, candidates.seed).best_apart(k)


def ridge_state(context: Context, rows: int) -> RidgeState:
    """A ridge head on the labelled rows, and up to so many rows of the pool's sample; O(L d^2 + d^3)."""
    matrix = with_bias(context.labelled.dense)
    gram = matrix.T @ matrix
    gram[np.diag_indices(len(gram))] += PENALTY
    inverse = np.asarray(np.linalg.inv(gram), dtype=np.float64)
    weights = inverse @ (matrix.T @ context.targets.astype(np.float64))
    return RidgeState(inverse, weights, with_bias(context.sample.block.dense[:rows]))


def with_bias(dense: Floats) -> Doubles:
    """The rows with a last column of ones, float64."""
    return np.hstack([dense.astype(np.float64), np.ones((len(dense), 1))])


def expected_losses(rows: Doubles, p: Floats, state: RidgeState, loss: str) -> Doubles:
    """The expected loss (n,) over the state's rows after each of the given rows (n, d) was answered."""
    before = state.rows @ state.weights
    moved = rows @ state.inverse  # (n, d)
    stretch = 1 + np.einsum("nd,nd->n", moved, rows)
    reach = state.rows @ moved.T / stretch  # (m, n)
    own = rows @ state.weights
    answers = np.argsort(-p, axis=1, kind="stable")[:, :ANSWERS]
    left = np.empty(len(rows))
    for row in range(len(rows)):
        chance = p[row, answers[row]].astype(np.float64)
        aims = np.eye(p.shape[1])[answers[row]] - own[row]  # (answers, c)
        after = before[None] + reach[None, :, row, None] * aims[:, None, :]
        left[row] = chance @ _loss(after, loss, state.costs) / max(chance.sum(), 1e-9)
    return left


def _loss(scores: Doubles, loss: str, costs: Doubles | None) -> Doubles:
    """The mean loss (answers,) of softmax probabilities of scores (answers, m, c)."""
    p = np.exp(SHARPNESS * (scores - scores.max(axis=2, keepdims=True)))
    p /= p.sum(axis=2, keepdims=True)
    if loss == "log":
        return np.asarray(-(p * np.log(np.maximum(p, 1e-12))).sum(axis=2).mean(axis=1))
    if costs is None:
        right = p.max(axis=2) if loss == "zero_one" else (p**2).sum(axis=2)
        return np.asarray((1 - right).mean(axis=1))
    decided = p @ costs  # what each decision costs
    risk = decided.min(axis=2) if loss == "zero_one" else (decided * p).sum(axis=2)
    return np.asarray(risk.mean(axis=1))
