"""Strategies that look after classes of which little is known, and that spread over what is predicted."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from app.core.arrays import Doubles, Floats, Indices
from app.strategies.base import Candidates, Context, Need, ScoredRows
from app.strategies.parameters import parameter
from app.strategies.pool.density import nearest_cosine
from app.strategies.pool.uncertainty import given, margin_uncertainty
from app.strategies.scored import ScoreState

ANCHORS = 10  # a class


@dataclass(frozen=True)
class BalanceState:
    """How much each class is wanted (c,), how many labels each has (c,), and whether several may hold."""

    wanted: Doubles
    counts: Doubles
    multiple: bool


def balance_state(context: Context) -> BalanceState:
    """Classes are wanted as the inverse of one more than their labels; the most wanted one has weight 1."""
    counts = context.targets.sum(axis=0).astype(np.float64)
    return BalanceState((1 + counts.min()) / (1 + counts), counts, context.multiple)


@dataclass(frozen=True)
class ClassBalance:
    """Ask of each class in turn, the one with fewest labels first, the item in doubt that is most likely of it.

    Score: u(x) sum_c p_c w_c, in [0, 1] where one class holds: u is margin uncertainty, w_c = (1 + fewest labels) / (1
    + labels of c). The choice fills the class furthest behind, the batch's own picks counted by their predicted class,
    from the candidates that the model takes for it. Needs probabilities; costs O(n c). Helps where the model knows the
    rare class at all; a class without labels is only found by chance.

    Source: Aggarwal, Popescu, Hudelot. Active Learning for Imbalanced Datasets. WACV 2020.
    """

    name: ClassVar[str] = "class_balance"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES})
    explores: ClassVar[bool] = True

    def prepare(self, context: Context, rng: Generator) -> BalanceState:
        return balance_state(context)

    def score(self, shard: ScoredRows, state: BalanceState) -> Floats:
        """Map probabilities (n, c) to scores (n,)."""
        p = given(shard)
        return np.asarray(margin_uncertainty(p, state.multiple) * (p @ state.wanted), dtype=np.float32)

    def choose(self, candidates: Candidates, k: int, state: BalanceState, rng: Generator) -> Indices:
        order = candidates.best_apart(len(candidates))
        taken_for = given(candidates)[order].argmax(axis=1)
        queues = [[int(row) for row in order[taken_for == column]] for column in range(len(state.counts))]
        counts = state.counts.copy()
        chosen: list[int] = []
        while len(chosen) < k and any(queues):
            behind = min((column for column, queue in enumerate(queues) if queue), key=lambda c: (counts[c], c))
            chosen.append(queues[behind].pop(0))
            counts[behind] += 1
        return np.array(chosen, dtype=np.int64)


@dataclass(frozen=True)
class AnchorState:
    """Anchors (a, d) of the rare class and its column."""

    anchors: Floats
    column: int
    multiple: bool


@dataclass(frozen=True)
class RareNeighbours:
    """Ask near the labelled items of the rarest class: neighbours of up to ten anchors, the likeliest ones first.

    Anchors are labelled items of the class with the fewest labels but at least one, far from each other. Score: the
    largest cosine to an anchor, in [-1, 1]. The candidates are the 2,000 nearest items; `doubt` of the batch goes to
    those closest to the boundary of the class, the rest to the likeliest. Needs probabilities and labelled features;
    costs O(n d anchors). Made for one rare class; blind to the rest of the pool.

    Source: Coleman, Chou, Katz-Samuels, et al. Similarity Search for Efficient Active Learning and Search of Rare
    Concepts. AAAI 2022; Lesci, Vlachos. AnchorAL. NAACL 2024.
    """

    name: ClassVar[str] = "rare_neighbours"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES, Need.LABELLED})
    explores: ClassVar[bool] = False

    doubt: float = parameter(0.5, 0, 1, says="share of the batch at the boundary of the class")

    def prepare(self, context: Context, rng: Generator) -> AnchorState:
        counts = context.targets.sum(axis=0)
        column = int(np.where(counts > 0, counts, np.inf).argmin())
        rows = context.labelled.dense[context.targets[:, column] >= 0.5]
        if not len(rows):  # disputed labels only
            rows = context.labelled.dense[context.targets[:, column] > 0]
        return AnchorState(anchors_of(rows), column, context.multiple)

    def score(self, shard: ScoredRows, state: AnchorState) -> Floats:
        """The largest cosine (n,) to an anchor."""
        return nearest_cosine(shard.block.dense, state.anchors)

    def choose(self, candidates: Candidates, k: int, state: AnchorState, rng: Generator) -> Indices:
        p = given(candidates)[:, state.column]
        likely = list(np.argsort(-np.round(p, 6), kind="stable"))
        close = list(np.argsort(np.abs(np.round(p, 6) - 0.5), kind="stable"))
        chosen: list[int] = []
        taken: set[int] = set()
        for place in range(min(k, len(candidates))):
            doubtful = int((place + 1) * self.doubt) > int(place * self.doubt)
            queue = close if doubtful else likely
            row = next(int(each) for each in queue if int(each) not in taken)
            chosen.append(row)
            taken.add(row)
        return np.array(chosen, dtype=np.int64)


def anchors_of(rows: Floats) -> Floats:
    """Up to ten of the rows, each the farthest from those before it; the first is the first row."""
    chosen = [0]
    nearest = rows @ rows[0]
    while len(chosen) < min(ANCHORS, len(rows)):
        nearest[chosen] = np.inf
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, rows @ rows[chosen[-1]])
    return rows[chosen]


@dataclass(frozen=True)
class Falcun:
    """Draw with chances (u(x) + v(x))^gamma, v = min(u(x), min_{s in S} |p(x) - p(s)|_1): diverse in what is predicted.

    One after the other; u is margin uncertainty, S what was picked, and v is scaled to [0, 1] over what is left. The
    candidates are the 2,000 of smallest margin and as many drawn evenly. Needs probabilities only, no features; costs
    O(n c) and O(k candidates c). Items that look different but are predicted alike are the same to it.

    Source: Gilhuber, Beer, Ma, Seidl. FALCUN: A Simple and Efficient Deep Active Learning Strategy. ECML PKDD 2024.
    """

    name: ClassVar[str] = "falcun"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES})
    explores: ClassVar[bool] = True

    gamma: float = parameter(10.0, 0, 100, says="how much the best are preferred; 0 is an even draw")

    def prepare(self, context: Context, rng: Generator) -> ScoreState:
        return ScoreState(context.multiple, context.seed)

    def score(self, shard: ScoredRows, state: ScoreState) -> Floats:
        """Margin uncertainty (n,) in [0, 1]: who is sent up, not yet who is chosen."""
        return margin_uncertainty(given(shard), state.multiple)

    def choose(self, candidates: Candidates, k: int, state: ScoreState, rng: Generator) -> Indices:
        p = given(candidates).astype(np.float64)
        doubt = candidates.scores.astype(np.float64)
        apart = doubt.copy()
        left = np.arange(len(p))
        chosen: list[int] = []
        while len(chosen) < min(k, len(p)):
            worth = np.round(doubt[left] + _scaled(apart[left]), 9)
            # Not by the hash of the items: under a seed near by it is the same for other items.
            keys = self.gamma * np.log(np.maximum(worth, 1e-9)) + rng.gumbel(size=len(left))
            place = int(keys.argmax())
            row = int(left[place])
            chosen.append(row)
            left = np.delete(left, place)
            apart = np.minimum(apart, np.abs(p - p[row]).sum(axis=1))
        return np.array(chosen, dtype=np.int64)


def _scaled(values: Doubles) -> Doubles:
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / (high - low) if high > low else np.zeros_like(values))
