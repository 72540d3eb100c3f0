"""Strategies for questions in which several classes may hold for an item."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from app.core.arrays import Doubles, Floats, Indices
from app.strategies.base import Candidates, Context, Need, ScoredRows
from app.strategies.parameters import parameter
from app.strategies.pool.uncertainty import given
from app.strategies.scored import Scored, entropy

ROWS_AT_ONCE = 256  # compared with every labelled item
SEVERAL = frozenset({Need.PROBABILITIES, Need.SEVERAL_CLASSES})


@dataclass(frozen=True)
class MeanDoubt(Scored):
    """Score mean_c (1 - |2 p_c - 1|), in [0, 1]: how undecided the model is over all classes; 1 where all are ties.

    `margin` asks for the closest call of any class instead. Needs probabilities of several classes an item; costs O(n
    c). Where most classes are rare nearly all of the score comes from how rare they are.

    Source: Esuli, Sebastiani. Active Learning Strategies for Multi-Label Text Classification. ECIR 2009.
    """

    name: ClassVar[str] = "mean_doubt"
    needs: ClassVar[frozenset[Need]] = SEVERAL

    def utility(self, shard: ScoredRows, state: object) -> Floats:
        """Map probabilities (n, c) to scores (n,)."""
        return np.asarray((1 - np.abs(2 * given(shard) - 1)).mean(axis=1), dtype=np.float32)


@dataclass(frozen=True)
class ExpectedLabelLoss(Scored):
    """Score sum_c [p_c > 1/2 ? 1 - p_c : p_c], from 0 to C / 2: the wrong classes that are expected in the prediction.

    The expected Hamming loss, for independent classes. Needs probabilities of several classes an item; costs O(n c).
    Prefers items with many possible classes.

    Source: Yang, Sun, Wang, Chen. Effective Multi-Label Active Learning for Text Classification. KDD 2009.
    """

    name: ClassVar[str] = "expected_label_loss"
    needs: ClassVar[frozenset[Need]] = SEVERAL

    def utility(self, shard: ScoredRows, state: object) -> Floats:
        """Map probabilities (n, c) to scores (n,)."""
        return np.asarray(np.minimum(given(shard), 1 - given(shard)).sum(axis=1), dtype=np.float32)


@dataclass(frozen=True)
class CardinalityState:
    """The labelled items' mean number of classes, and the seed of the noise."""

    cardinality: float
    seed: int


@dataclass(frozen=True)
class LabelCardinality(Scored):
    """Score separation^-beta max(|number predicted - mean number of the labels|, 1/2)^(1 - beta), above 0.

    Separation is the least p above one half less the greatest p below it (at least 0.01): small where the model cannot
    part what holds from what does not. Needs probabilities of several classes and labelled items; costs O(n c). The
    mean number of classes is only known once some labels are there.

    Source: Li, Guo. Active Learning with Multi-Label SVM Classification. IJCAI 2013.
    """

    name: ClassVar[str] = "label_cardinality"
    needs: ClassVar[frozenset[Need]] = SEVERAL | {Need.LABELLED}

    beta: float = parameter(0.5, 0, 1, says="the weight of separation against the number of classes")

    def prepare(self, context: Context, rng: Generator) -> CardinalityState:
        return CardinalityState(float(context.targets.sum(axis=1).mean()), context.seed)

    def utility(self, shard: ScoredRows, state: CardinalityState) -> Floats:
        """Map probabilities (n, c) to scores (n,)."""
        p = given(shard)
        holds = p > 0.5
        least = np.where(holds, p, 1).min(axis=1)
        greatest = np.where(holds, 0, p).max(axis=1)
        separation = np.maximum(least - greatest, 0.01)
        off = np.maximum(np.abs(holds.sum(axis=1) - state.cardinality), 0.5)
        return np.asarray(separation**-self.beta * off ** (1 - self.beta), dtype=np.float32)


@dataclass(frozen=True)
class CvirsState:
    """The labelled items' classes (n, c) as 0 and 1."""

    labels: Floats


@dataclass(frozen=True)
class Cvirs:
    """Score v(x) s(x): how unlike the predicted set of classes is to all labelled sets, times its rank by doubt.

    s is the Borda count over the classes of |2 p_c - 1|, smallest first, scaled to [0, 1]; v the mean over labelled
    items of the entropy distance of the two sets (1 where they are complements). The candidates are the 2,000 of
    greatest mean doubt and as many drawn evenly, and ranks are among them. Needs probabilities of several classes and
    labelled items; costs O(n c) and O(candidates L). Rewards predictions that are odd because they are wrong.

    Source: Reyes, Morell, Ventura. Effective active learning strategy for multi-label learning. Neurocomputing 273,
    2018.
    """

    name: ClassVar[str] = "cvirs"
    needs: ClassVar[frozenset[Need]] = SEVERAL | {Need.LABELLED}
    explores: ClassVar[bool] = True

    def prepare(self, context: Context, rng: Generator) -> CvirsState:
        return CvirsState((context.targets > 0.5).astype(np.float32))

    def score(self, shard: ScoredRows, state: CvirsState) -> Floats:
        """The mean doubt (n,): who is sent up, not yet who is chosen."""
        return np.asarray((1 - np.abs(2 * given(shard) - 1)).mean(axis=1), dtype=np.float32)

    def choose(self, candidates: Candidates, k: int, state: CvirsState, rng: Generator) -> Indices:
        p = given(candidates)
        worth = borda(np.abs(2 * p - 1)) * inconsistency((p > 0.5).astype(np.float32), state.labels)
        scores = np.round(worth, 7).astype(np.float32)
        return Candidates(candidates.ids, candidates.block, None, scores, candidates.seed).best_apart(k)


def borda(margins: Floats) -> Doubles:
    """The mean over the columns of each row's rank (n,) from above, 1 for the smallest margin and 0 for the largest."""
    rows = len(margins)
    order = np.argsort(np.argsort(np.round(margins, 6), axis=0, kind="stable"), axis=0, kind="stable")
    return np.asarray((rows - 1 - order).mean(axis=1) / max(rows - 1, 1))


def inconsistency(predicted: Floats, labels: Floats) -> Doubles:
    """The mean entropy distance (n,) of each predicted set (n, c) to the labelled ones (m, c), in [0, 1].

    (2 H(a, b) - H(a) - H(b)) / H(a, b) over the classes as draws of two bits; 1 where the sets are complements.
    """
    starts = range(0, len(predicted), ROWS_AT_ONCE)
    parts = [_inconsistent(predicted[start : start + ROWS_AT_ONCE], labels) for start in starts]
    return np.concatenate([np.empty(0), *parts])


def _inconsistent(predicted: Floats, labels: Floats) -> Doubles:
    classes = predicted.shape[1]
    both = predicted @ labels.T
    first, second = predicted.sum(axis=1, keepdims=True), labels.sum(axis=1)[None, :]
    cells = np.stack([both, first - both, second - both, classes - first - second + both], axis=-1) / classes
    joint = entropy(cells.astype(np.float32), False).astype(np.float64)
    alone = _binary(first / classes) + _binary(second / classes)
    distance = np.where(joint > 1e-6, (2 * joint - alone) / np.maximum(joint, 1e-6), 0)
    distance = np.where(cells[..., 1] + cells[..., 2] > 1 - 1e-6, 1, distance)
    return np.asarray(np.clip(distance, 0, 1).mean(axis=1))


def _binary(share: Floats) -> Doubles:
    pair = np.stack([share, 1 - share], axis=-1).astype(np.float32)
    return entropy(pair, False).astype(np.float64)
