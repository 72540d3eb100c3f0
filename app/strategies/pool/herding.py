"""Strategies that cover the pool, or what is uncertain of it."""

import heapq
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from app.core.arrays import Doubles, Floats, Indices
from app.strategies.base import Candidates, Context, Need, ScoredRows
from app.strategies.parameters import parameter
from app.strategies.pool.uncertainty import margin_uncertainty
from app.strategies.scored import Drawn

COLD_RADIUS = 0.5  # of the median distance between two items, while nothing is labelled
SMALLEST_RADIUS = 0.02
LABELLED_AT_ONCE = 2_000
ROWS_AT_ONCE = 64
RARE = 0.01  # of the pool
RARE_SHARE = 0.1  # of the even share of a class
LIKELY = 0.25


@dataclass(frozen=True)
class HerdingState:
    """A fixed sample of the pool and how well the labels cover each of its m points."""

    points: Floats  # (m, d)
    weights: Doubles  # (m,): how much covering each point is worth
    covered: Doubles  # (m,): the largest kernel value to any labelled row
    radius: float
    multiple: bool
    rare: tuple[int, ...] = ()  # classes that are looked for, the one with the fewest labels first


def kernel(rows: Floats, points: Floats, radius: float) -> Floats:
    """exp(-(1 - cos) / radius), (n, m); rows of zeros are as far from everything as orthogonal ones."""
    similar = np.asarray(rows @ points.T, dtype=np.float32)
    similar -= 1  # in place: at this size the memory costs more than the arithmetic
    similar /= np.float32(radius)
    np.exp(similar, out=similar)
    return similar


def gains_of(similar: Floats, covered: Floats, weights: Floats) -> Floats:
    """sum_j w_j max(k_ij - covered_j, 0) for every row i, (n,); in slices that stay in the processor's cache."""
    gains = np.empty(similar.shape[0], dtype=np.float32)
    for start in range(0, similar.shape[0], ROWS_AT_ONCE):
        part = similar[start : start + ROWS_AT_ONCE] - covered
        np.maximum(part, 0, out=part)
        gains[start : start + ROWS_AT_ONCE] = part @ weights
    return gains


def herding_state(context: Context, weights: Doubles, reach: float = 1.0) -> HerdingState:
    """Measure how well the labelled rows cover the sample; O(labelled m d).

    The radius is `reach` times the median distance of the sample to the labels, 0.02 at least.
    """
    points = context.sample.block.dense
    nearest = np.full(points.shape[0], -1.0, dtype=np.float32)
    labelled = context.labelled.dense
    for start in range(0, labelled.shape[0], LABELLED_AT_ONCE):
        nearest = np.maximum(nearest, (points @ labelled[start : start + LABELLED_AT_ONCE].T).max(axis=1))
    if labelled.shape[0]:
        radius = reach * float(np.median(1 - nearest))
        covered = np.exp((nearest.astype(np.float64) - 1) / max(radius, SMALLEST_RADIUS))
    else:
        some = points[:500]
        radius = COLD_RADIUS * float(np.median(1 - some @ some.T)) if len(some) else 1.0
        covered = np.zeros(points.shape[0])
    return HerdingState(points, weights, covered, max(radius, SMALLEST_RADIUS), context.multiple)


def greedy_cover(candidates: Candidates, k: int, state: HerdingState, worth: Doubles) -> Indices:
    """Order candidates by their gain: worth_i x sum_j w_j max(k_ij - covered_j, 0), each after the ones before.

    The gain is submodular, so an old gain is an upper bound: only the candidate on top of the heap is computed
    again (lazy greedy). Ties break by the keyed hash. Costs O(n m d) once and O(m) for each look.

    Candidates with prices are ordered by gain / price.

    Source: Minoux. Accelerated greedy algorithms for maximizing submodular set functions. 1978; the ratio is that of
    Leskovec, Krause, Guestrin, Faloutsos, VanBriesen, Glance. Cost-effective Outbreak Detection in Networks. KDD 2007.
    """
    if candidates.prices is not None:
        worth = worth / candidates.prices
    similar = kernel(candidates.block.dense, state.points, state.radius)
    weights = state.weights.astype(np.float32)
    covered = state.covered.astype(np.float32)
    gains = worth * gains_of(similar, covered, weights)
    tie = np.empty(len(candidates), dtype=np.int64)
    tie[candidates.by_hash()] = np.arange(len(candidates))
    heap = [(-float(gains[i]), int(tie[i]), i) for i in range(len(candidates))]
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < k:
        old, order, i = heapq.heappop(heap)
        gain = float(worth[i]) * float(gains_of(similar[i : i + 1], covered, weights)[0])
        if heap and (-gain, order) > heap[0][:2] and gain < -old:
            heapq.heappush(heap, (-gain, order, i))
            continue
        chosen.append(i)
        np.maximum(covered, similar[i], out=covered)
    return np.array(chosen, dtype=np.int64)


@dataclass(frozen=True)
class Coverage(Drawn):
    """Ask the items that cover the pool best: argmax_x mean_j max(k(x, x_j) - max_L k(l, x_j), 0).

    Needs features only, so it works with no label at all. Costs O(candidates x sample x d); the pool itself is
    only sampled, so exactness ends where the sample does. Blind to what the model knows.

    Source: Bae, Oliveira, Sutherland. Generalized Coverage for More Robust Low-Budget Active Learning (MaxHerding).
    ECCV 2024.
    """

    name: ClassVar[str] = "coverage"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.FEATURES})
    explores: ClassVar[bool] = True
    by_cost: ClassVar[bool] = True

    def prepare(self, context: Context, rng: Generator) -> HerdingState:
        points = context.sample.block.dense.shape[0]
        return herding_state(context, np.full(points, 1 / max(points, 1)))

    def priced(self, candidates: Candidates, prices: Doubles) -> Candidates:
        """The candidates with what each costs (n,), by which their gains are divided."""
        return replace(candidates, prices=prices)

    def choose(self, candidates: Candidates, k: int, state: HerdingState, rng: Generator) -> Indices:
        return greedy_cover(candidates, k, state, np.ones(len(candidates)))


@dataclass(frozen=True)
class UncertaintyHerding:
    """Cover what is uncertain: argmax_x u(x)^own mean_j u_j max(k(x, x_j) - max_L k(l, x_j), 0).

    u is the margin uncertainty; the kernel's radius is the median distance of the pool to the labels, so it
    shrinks as they grow and the choice moves from coverage to margin by itself. `own` weighs the candidate's own
    uncertainty: 0 is the published method, 1 the product of both. `reach` is the radius as a share of that distance:
    the smaller, the sooner it comes to margin. Candidates are the most uncertain items and as many drawn at random.

    Coverage loses sight of a group that is a small part of the pool. So where labelled classes are predicted for less
    than 1 % of it (and a tenth of their even share), the share `rare` of the batch goes to the items likeliest to be of
    them, as long as there are any with a chance of a quarter. Costs O(n c) for scoring and O(candidates x sample x d).
    Weak where features carry no neighbourhood.

    Source: Bae, Oliveira, Sutherland. Uncertainty Herding: One Active Learning Method for All Label Budgets.
    ICLR 2025.
    """

    name: ClassVar[str] = "uherding"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES, Need.FEATURES})
    explores: ClassVar[bool] = True
    by_cost: ClassVar[bool] = True

    own: float = parameter(0.5, 0, 10, says="the weight of an item's own doubt")
    reach: float = parameter(
        1.0, 0, 10, says="how far an answer tells, as a share of the median distance to the labels"
    )
    rare: float = parameter(0.1, 0, 1, says="share of the batch for classes that are hardly ever predicted")

    def prepare(self, context: Context, rng: Generator) -> HerdingState:
        assert context.sample.probabilities is not None
        u = margin_uncertainty(context.sample.probabilities, context.multiple).astype(np.float64)
        state = herding_state(context, u / max(float(u.sum()), 1e-9), self.reach)
        if self.rare == 0:
            return state
        return replace(state, rare=rare_classes(context.sample.probabilities, context.targets, context.multiple))

    def score(self, shard: ScoredRows, state: HerdingState) -> Floats:
        """Margin uncertainty (n,) in [0, 1], or above it the chance of a rare class: who is sent up."""
        assert shard.probabilities is not None
        doubt = margin_uncertainty(shard.probabilities, state.multiple)
        if not state.rare:
            return doubt
        chance = shard.probabilities[:, list(state.rare)].max(axis=1)
        return np.where(chance >= LIKELY, 1 + chance, doubt).astype(np.float32)

    def priced(self, candidates: Candidates, prices: Doubles) -> Candidates:
        """The candidates with what each costs (n,), by which their gains are divided."""
        return replace(candidates, prices=prices)

    def choose(self, candidates: Candidates, k: int, state: HerdingState, rng: Generator) -> Indices:
        assert candidates.probabilities is not None
        own = margin_uncertainty(candidates.probabilities, state.multiple).astype(np.float64) ** self.own
        order = greedy_cover(candidates, k, state, own)
        sought = likely_of(candidates, state.rare)
        return between(order, sought, self.rare, k) if sought else order


def rare_classes(sample: Floats, targets: Floats, multiple: bool) -> tuple[int, ...]:
    """Labelled classes that are predicted for a small share of the sample (m, c), the fewest labels first."""
    classes = sample.shape[1]
    predicted = sample > 0.5 if multiple else np.eye(classes, dtype=np.bool_)[sample.argmax(axis=1)]
    share = predicted.mean(axis=0) if len(sample) else np.ones(classes)
    counts = targets.sum(axis=0)
    found = np.flatnonzero((counts > 0) & (share < min(RARE, RARE_SHARE / classes)))
    return tuple(int(column) for column in found[np.argsort(counts[found], kind="stable")])


def likely_of(candidates: Candidates, rare: tuple[int, ...]) -> list[int]:
    """Candidates with a chance of a quarter to be of a rare class, class by class in turn, the likeliest first."""
    assert candidates.probabilities is not None
    queues = []
    for column in rare:
        chance = np.round(candidates.probabilities[:, column], 6)
        order = np.argsort(-chance, kind="stable")
        queues.append([int(row) for row in order if chance[row] >= LIKELY])
    in_turn = [row for rank in zip_longest(*queues) for row in rank if row is not None]
    return list(dict.fromkeys(in_turn))


def between(order: Indices, sought: list[int], share: float, k: int) -> Indices:
    """The order with the sought rows put in between, so that they are the share of every prefix; no row twice."""
    others, special = iter([int(row) for row in order]), iter(sought)
    mixed: dict[int, None] = {}
    place = 0
    while len(mixed) < min(k, len(order)):
        place += 1
        turn = int(place * share) > int((place - 1) * share)
        mine = next((row for row in special if row not in mixed), None) if turn else None
        row = next((row for row in others if row not in mixed), None) if mine is None else mine
        if row is None:
            break
        mixed[row] = None
    return np.array(list(mixed), dtype=np.int64)
