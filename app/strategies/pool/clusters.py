"""Strategies that ask for representatives of groups."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from app.core.arrays import Booleans, Floats, Indices
from app.core.block import Block
from app.strategies.base import Candidates, Context, Heads, Need, ScoredRows
from app.strategies.clustering import distances, filled_up, k_means, nearest_rows
from app.strategies.parameters import parameter
from app.strategies.pool.uncertainty import given, margin_uncertainty
from app.strategies.scored import Drawn, ScoreState, entropy

MOST_LABELLED = 2_000  # labelled rows that are clustered with the candidates, the last ones
NEIGHBOURS = 20
SMALL_CLUSTER = 5


@dataclass(frozen=True)
class GroupState:
    """The labelled rows (n, d), how many classes there are, whether several may hold, and the committee, if any."""

    labelled: Floats
    classes: int
    multiple: bool
    heads: Heads | None = None


@dataclass(frozen=True)
class _Groups(Drawn):
    """What they have in common: candidates are a uniform draw of the pool, and the choice falls among them."""

    keeps: ClassVar[int] = 5_000
    needs: ClassVar[frozenset[Need]] = frozenset({Need.FEATURES})

    def prepare(self, context: Context, rng: Generator) -> GroupState:
        labelled = context.labelled.dense[-MOST_LABELLED:]
        return GroupState(labelled, context.classes, context.multiple, context.heads)


@dataclass(frozen=True)
class KMeans(_Groups):
    """Ask the item nearest to each of k centers of k-means, largest clusters first.

    The candidates are 5,000 items drawn evenly. Needs features; costs O(candidates k d) an iteration. Does not look at
    what is labelled already, so later batches repeat earlier ones: meant for the first.

    Source: Kang, Ryu, Kwon. Using Cluster-Based Sampling to Select Initial Training Set for Active Learning in Text
    Classification. PAKDD 2004; Yuan, Lin, Boyd-Graber. Cold-start Active Learning. EMNLP 2020.
    """

    name: ClassVar[str] = "k_means"

    def choose(self, candidates: Candidates, k: int, state: GroupState, rng: Generator) -> Indices:
        return central(candidates, candidates.block.dense, np.arange(len(candidates)), None, k, rng)


@dataclass(frozen=True)
class TypiClust(_Groups):
    """Ask the most typical item of the largest cluster that no label covers: argmax 1 / mean distance to 20 neighbours.

    Clusters of k-means over labelled rows and 5,000 items drawn evenly, as many as labels and picks together and at
    most `clusters`; neighbours are those of the cluster. Needs features; costs O(candidates clusters d) an iteration.
    Strong with few labels, and behind every uncertainty once classes are known.

    Source: Hacohen, Dekel, Weinshall. Active Learning on a Budget: Opposite Strategies Suit High and Low Budgets.
    ICML 2022.
    """

    name: ClassVar[str] = "typiclust"

    clusters: int = parameter(500, 2, 2_000, says="the most clusters")

    def choose(self, candidates: Candidates, k: int, state: GroupState, rng: Generator) -> Indices:
        rows = len(candidates)
        points = np.concatenate([candidates.block.dense, state.labelled])
        wanted = min(len(state.labelled) + k, self.clusters)
        centers, belongs = k_means(points, np.ones(len(points)), wanted, rng)
        typical = typicality(points, belongs, len(centers))[:rows]
        mine = belongs[:rows]
        covered = np.bincount(belongs[rows:], minlength=len(centers))
        size = np.bincount(mine, minlength=len(centers))
        queues = {c: list(np.flatnonzero(mine == c)[np.argsort(-typical[mine == c], kind="stable")]) for c in set(mine)}
        chosen: list[int] = []
        while queues and len(chosen) < k:
            best = min(queues, key=lambda c: (covered[c], size[c] < SMALL_CLUSTER, -size[c], c))
            chosen.append(int(queues[best].pop(0)))
            covered[best] += 1
            if not queues[best]:
                del queues[best]
        return np.array(chosen, dtype=np.int64)


def typicality(points: Floats, belongs: Indices, clusters: int) -> Floats:
    """1 / mean distance (n,) of each row to its 20 nearest of its cluster; 0 for one that is alone."""
    typical = np.zeros(len(points), dtype=np.float32)
    for cluster in range(clusters):
        rows = np.flatnonzero(belongs == cluster)
        near = min(NEIGHBOURS, len(rows) - 1)
        if near < 1:
            continue
        apart = np.sqrt(distances(points[rows], points[rows]))
        np.fill_diagonal(apart, 0)
        nearest = np.partition(apart, near, axis=1)[:, : near + 1].sum(axis=1) / near
        typical[rows] = 1 / np.maximum(np.round(nearest, 5), 1e-5)
    return typical


@dataclass(frozen=True)
class ProbCover(_Groups):
    """Ask the item whose ball of radius r holds most items that no ball holds yet.

    r is the largest for which the share `purity` of the balls hold one cluster of k-means only, with as many clusters
    as classes: the quantile of the distances to the nearest item of another cluster. The candidates are 3,000 items
    drawn evenly, and coverage is of them. Needs features; costs O(candidates^2 d). Very sensitive to the radius; when
    all is covered the order is by chance.

    Source: Yehuda, Dekel, Hacohen, Weinshall. Active Learning Through a Covering Lens. NeurIPS 2022.
    """

    name: ClassVar[str] = "prob_cover"
    keeps: ClassVar[int] = 3_000

    purity: float = parameter(0.95, 0.5, 1, says="share of the balls that hold one cluster only")

    def choose(self, candidates: Candidates, k: int, state: GroupState, rng: Generator) -> Indices:
        points = candidates.block.dense
        _, belongs = k_means(points, np.ones(len(points)), state.classes, rng)
        apart = distances(points, points)
        other = belongs[:, None] != belongs[None, :]
        radius = float(np.quantile(np.where(other, apart, 4.0).min(axis=1), 1 - self.purity))
        open_ = np.ones(len(points), dtype=np.bool_)
        if len(state.labelled):
            open_ = distances(points, state.labelled).min(axis=1) >= radius
        return filled_up(greedy_balls(apart < radius, open_, k), candidates.by_hash(), k)


def greedy_balls(within: Booleans, open_: Booleans, k: int) -> list[int]:
    """Rows in the order of how many open rows their ball (n, n) still holds, until none holds any."""
    left = open_.copy()
    counts = within[:, left].sum(axis=1).astype(np.int64)
    chosen: list[int] = []
    while len(chosen) < k and counts.max(initial=0) > 0:
        row = int(counts.argmax())
        chosen.append(row)
        newly = left & within[row]
        counts -= within[:, newly].sum(axis=1)
        left &= ~newly
        counts[row] = 0
    return chosen


@dataclass(frozen=True)
class Clue:
    """Ask the item nearest to each of k centers of k-means, in which every item weighs its entropy.

    The candidates are the 2,000 of highest entropy and as many drawn evenly; clusters with most entropy come first.
    Needs probabilities and features; costs O(n c) and O(candidates k d) an iteration. Made for a shift between what is
    labelled and the pool.

    Source: Prabhu, Chandrasekaran, Saenko, Hoffman. Active Domain Adaptation via Clustering Uncertainty-weighted
    Embeddings. ICCV 2021.
    """

    name: ClassVar[str] = "clue"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES, Need.FEATURES})
    explores: ClassVar[bool] = True

    def prepare(self, context: Context, rng: Generator) -> ScoreState:
        return ScoreState(context.multiple, context.seed)

    def score(self, shard: ScoredRows, state: ScoreState) -> Floats:
        """The entropy (n,) of each row."""
        return entropy(given(shard), state.multiple)

    def choose(self, candidates: Candidates, k: int, state: ScoreState, rng: Generator) -> Indices:
        weights = np.maximum(candidates.scores, 1e-6)
        return central(candidates, candidates.block.dense, np.arange(len(candidates)), weights, k, rng)


@dataclass(frozen=True)
class DropQuery(_Groups):
    """Ask the items whose predicted class flips when features are left out, nearest to k centers of k-means among them.

    Of 5,000 items drawn evenly those stay that flip in more than half of `draws` copies, in which each feature is
    nought with the chance `rate`; the prediction is the consensus of a committee over the dense features. Where fewer
    flip than are asked for, the closest races follow. Needs a committee, probabilities and features; costs O(candidates
    draws d K c) and k-means.

    Source: Gupte, Aklilu, Nirschl, Yeung-Levy. Revisiting Active Learning in the Era of Vision Foundation Models.
    TMLR 2024.
    """

    name: ClassVar[str] = "dropquery"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.COMMITTEE, Need.PROBABILITIES, Need.FEATURES})

    rate: float = parameter(0.75, 0.01, 0.99, says="share of the features that are left out")
    draws: int = parameter(3, 1, 50, says="copies of each item")

    def choose(self, candidates: Candidates, k: int, state: GroupState, rng: Generator) -> Indices:
        assert state.heads is not None
        dense = candidates.block.dense
        before = self._said(state, dense)
        flips = np.zeros(len(dense))
        for _ in range(self.draws):
            kept = (rng.random(dense.shape, dtype=np.float32) >= self.rate).astype(np.float32)
            flips += (self._said(state, dense * kept / np.float32(1 - self.rate)) != before).any(axis=1)
        rows = np.flatnonzero(flips > self.draws / 2)
        chosen = central(candidates, dense[rows], rows, None, min(k, len(rows)), rng) if len(rows) else rows
        closest = np.argsort(-margin_uncertainty(given(candidates), state.multiple), kind="stable")
        return filled_up([int(row) for row in chosen], closest, k)

    def _said(self, state: GroupState, dense: Floats) -> Floats:
        """What the consensus says of each row: its class, or the classes above one half (n, 1 or c)."""
        assert state.heads is not None
        parts = []
        for start in range(0, len(dense), 2_048):
            consensus = state.heads.probabilities(Block(dense[start : start + 2_048])).mean(axis=0)
            parts.append(consensus > 0.5 if state.multiple else consensus.argmax(axis=1)[:, None])
        return np.concatenate(parts)


def central(
    candidates: Candidates, points: Floats, rows: Indices, weights: Floats | None, k: int, rng: Generator
) -> Indices:
    """The rows nearest to k centers of the points, the heaviest clusters first, filled up by the keyed hash."""
    mass = np.ones(len(points)) if weights is None else weights.astype(np.float64)
    centers, belongs = k_means(points, mass, k, rng)
    held = np.bincount(belongs, weights=mass, minlength=len(centers))
    order = np.argsort(-np.round(held, 6), kind="stable")
    chosen = [int(rows[row]) for row in nearest_rows(points, centers, order)]
    among = np.isin(candidates.by_hash(), rows)
    return filled_up(chosen, candidates.by_hash()[among], k)
