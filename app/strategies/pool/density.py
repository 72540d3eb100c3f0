"""Strategies that weigh the model's doubt by where in the pool an item lies, and those that follow the pool's shape."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator
from scipy.sparse import csr_matrix

from app.core.arrays import Doubles, Floats, Indices
from app.strategies.base import Candidates, Context, Need, ScoredRows
from app.strategies.parameters import parameter
from app.strategies.pool.core_set import mean_of_pool
from app.strategies.pool.uncertainty import given, least_confidence, margin_uncertainty
from app.strategies.scored import SMALLEST, Drawn, Scored, entropy

LABELLED_AT_ONCE = 2_000
ROWS_AT_ONCE = 256  # compared with every labelled item


@dataclass(frozen=True)
class DensityState:
    """Whether several classes may hold, the seed of the noise, and the pool's mean row (d,)."""

    multiple: bool
    seed: int
    mean: Doubles


@dataclass(frozen=True)
class InformationDensity(Scored):
    """Score u(x) (mean_j cos(x, x_j))^beta over the whole pool, from 0 upward.

    For unit rows the mean similarity is x . mean(x_j), so it is exact at the cost of one more pass, O(n d); below
    nought it counts as nought. u is the doubt named by `doubt`. Needs probabilities and features. Prefers the middle of
    the largest group, and asks for it again and again.

    Source: Settles, Craven. An Analysis of Active Learning Strategies for Sequence Labeling Tasks. EMNLP 2008.
    """

    name: ClassVar[str] = "information_density"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES, Need.FEATURES})

    beta: float = parameter(1.0, 0, 10, says="the weight of density")
    doubt: str = parameter("entropy", says="the doubt", choices=("entropy", "margin", "least_confident"))

    def prepare(self, context: Context, rng: Generator) -> DensityState:
        return DensityState(context.multiple, context.seed, mean_of_pool(context)[0])

    def utility(self, shard: ScoredRows, state: DensityState) -> Floats:
        """Map a shard to scores (n,)."""
        alike = np.maximum(shard.block.dense @ state.mean.astype(np.float32), 0)
        return np.asarray(doubt_of(self.doubt, given(shard), state.multiple) * alike**self.beta, dtype=np.float32)


def doubt_of(name: str, probabilities: Floats, multiple: bool) -> Floats:
    """One of the three doubts (n,) by name."""
    kinds = {"entropy": entropy, "margin": margin_uncertainty, "least_confident": least_confidence}
    return kinds[name](probabilities, multiple)


@dataclass(frozen=True)
class LabelledState:
    """Labelled rows (n, d), their predictions (n, c), whether several classes may hold, the pool's length."""

    labelled: Floats
    predicted: Floats | None
    multiple: bool
    pool_rows: int
    seed: int


def labelled_state(context: Context) -> LabelledState:
    """What strategies need that compare candidates with labelled rows."""
    return LabelledState(
        context.labelled.dense, context.labelled_probabilities, context.multiple, context.pool_rows, context.seed
    )


@dataclass(frozen=True)
class RankedBatch:
    """Ask argmax_x a (1 - max_{s in S} cos(x, s)) + (1 - a) u(x), a = U / (U + L), one item after the other.

    S are the labelled and the picked items, U and L how many are open and labelled, u is 1 - max p: far items first,
    and the model's doubt as labels come in. The candidates are the 2,000 of highest doubt and as many drawn evenly.
    Needs probabilities and features; costs O(n c) and O(candidates (L + k) d). With a long pool a stays near 1, and it
    is `core_set` on the candidates; copies of labelled items are held back only by that.

    Source: Cardoso, Silva, Canuto, Moro, Goncalves. Ranked batch-mode active learning. Information Sciences 379, 2017.
    """

    name: ClassVar[str] = "ranked_batch"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES, Need.FEATURES})
    explores: ClassVar[bool] = True

    def prepare(self, context: Context, rng: Generator) -> LabelledState:
        return labelled_state(context)

    def score(self, shard: ScoredRows, state: LabelledState) -> Floats:
        """The doubt (n,): who is sent up, not yet who is chosen."""
        return least_confidence(given(shard), state.multiple)

    def choose(self, candidates: Candidates, k: int, state: LabelledState, rng: Generator) -> Indices:
        dense = candidates.block.dense
        alike = nearest_cosine(dense, state.labelled)
        left = np.ones(len(dense), dtype=np.bool_)
        chosen: list[int] = []
        while len(chosen) < min(k, len(dense)):
            share = (state.pool_rows - len(chosen)) / (state.pool_rows + len(state.labelled))
            worth = share * (1 - alike) + (1 - share) * candidates.scores
            row = int(np.where(left, np.round(worth, 6), -np.inf).argmax())
            chosen.append(row)
            left[row] = False
            alike = np.maximum(alike, dense @ dense[row])
        return np.array(chosen, dtype=np.int64)


def nearest_cosine(rows: Floats, others: Floats) -> Floats:
    """The largest cosine (n,) of each row to any of the others; 0 where there are none."""
    nearest = np.full(len(rows), -1.0 if len(others) else 0.0, dtype=np.float32)
    for start in range(0, len(others), LABELLED_AT_ONCE):
        nearest = np.maximum(nearest, (rows @ others[start : start + LABELLED_AT_ONCE].T).max(axis=1))
    return nearest


@dataclass(frozen=True)
class Contrastive:
    """Score mean_j KL(p_j || p) in nats over the labelled items most like x: alike in features, unlike in prediction.

    `neighbours` labelled items are compared. The candidates are the 2,000 of smallest margin and as many drawn evenly.
    Needs probabilities, labelled features and the service's own learner, whose predictions of labelled items it takes;
    costs O(n c) and O(candidates L d). Drawn to wrong labels.

    Source: Margatina, Vernikos, Barrault, Aletras. Active Learning by Acquiring Contrastive Examples. EMNLP 2021.
    """

    name: ClassVar[str] = "contrastive"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES, Need.LABELLED, Need.REFIT, Need.ONE_CLASS})
    explores: ClassVar[bool] = True

    neighbours: int = parameter(10, 1, 200, says="labelled items to compare with")

    def prepare(self, context: Context, rng: Generator) -> LabelledState:
        return labelled_state(context)

    def score(self, shard: ScoredRows, state: LabelledState) -> Floats:
        """Margin uncertainty (n,): who is sent up, not yet who is chosen."""
        return margin_uncertainty(given(shard), state.multiple)

    def choose(self, candidates: Candidates, k: int, state: LabelledState, rng: Generator) -> Indices:
        assert state.predicted is not None
        apart = divergence_from_neighbours(
            candidates.block.dense, given(candidates), state.labelled, state.predicted, self.neighbours
        )
        return Candidates(candidates.ids, candidates.block, None, apart, candidates.seed).best_apart(k)


def divergence_from_neighbours(rows: Floats, p: Floats, labelled: Floats, predicted: Floats, count: int) -> Floats:
    """mean KL(p_j || p) (n,) over each row's nearest labelled rows."""
    count = min(count, len(labelled))
    log = np.log(np.maximum(p, 1e-7))
    own = (predicted * np.log(np.maximum(predicted, 1e-7))).sum(axis=1)
    apart = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        alike = rows[part] @ labelled.T
        near = np.argpartition(-alike, count - 1, axis=1)[:, :count]
        crossed = np.einsum("njc,nc->n", predicted[near], log[part]) / count
        apart[part] = own[near].mean(axis=1) - crossed
    return np.asarray(np.round(np.maximum(apart, 0), 6), dtype=np.float32)


@dataclass(frozen=True)
class Discriminative(Drawn):
    """Ask the items that a classifier finds least like the labelled ones; after each part of the batch it learns anew.

    A ridge discriminator between labelled and picked rows (+1) and a sample of the pool (-1), both of equal weight; the
    batch comes in `parts`. The candidates are 5,000 items drawn evenly. Needs labelled features; costs O(parts (d^3 +
    (L + sample) d^2)). Looks at the features alone, and is content once both are mixed.

    Source: Gissin, Shalev-Shwartz. Discriminative Active Learning. 2019.
    """

    name: ClassVar[str] = "discriminative"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.LABELLED, Need.FEATURES})
    keeps: ClassVar[int] = 5_000

    parts: int = parameter(10, 1, 100, says="how often the discriminator learns within a batch")

    def prepare(self, context: Context, rng: Generator) -> tuple[Floats, Floats]:
        return context.labelled.dense, context.sample.block.dense

    def choose(self, candidates: Candidates, k: int, state: tuple[Floats, Floats], rng: Generator) -> Indices:
        labelled, sample = state
        dense = candidates.block.dense
        chosen: list[int] = []
        for part in np.array_split(np.arange(min(k, len(dense))), min(self.parts, k)):
            asked = np.concatenate([labelled, dense[chosen]])
            seems = np.round(np.einsum("nd,d->n", dense, discriminator(asked, sample)), 5)
            seems[chosen] = np.inf
            chosen += [int(row) for row in np.argsort(seems, kind="stable")[: len(part)]]
        return np.array(chosen, dtype=np.int64)


def discriminator(asked: Floats, sample: Floats) -> Floats:
    """Ridge weights (d,) that give asked rows +1 and the sample -1, both sides of equal weight; higher is asked."""
    center = (asked.mean(axis=0) + sample.mean(axis=0)) / 2
    left, right = asked - center, sample - center
    gram = left.T @ left / len(left) + right.T @ right / len(right)
    gram[np.diag_indices(len(gram))] += 1e-2
    return np.asarray(np.linalg.solve(gram, left.mean(axis=0) - right.mean(axis=0)), dtype=np.float32)


@dataclass(frozen=True)
class GraphDensity(Drawn):
    """Ask argmax_i g_i, where g_i = sum_j W_ij / degree at first, and take g_i from each neighbour of the item asked.

    W holds exp(-(1 - cos) / r) between an item and its ten nearest, r the mean of those distances; a neighbour is one
    in either direction. The candidates are 4,000 items drawn evenly. Needs features; costs O(candidates^2 d). Blind to
    the model and to what is labelled: meant for the first batches.

    Source: Ebert, Fritz, Schiele. RALF: A Reinforced Active Learning Formulation for Object Class Recognition. CVPR
    2012.
    """

    name: ClassVar[str] = "graph_density"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.FEATURES})
    keeps: ClassVar[int] = 4_000

    neighbours: int = parameter(10, 1, 100, says="neighbours of each item in the graph")

    def prepare(self, context: Context, rng: Generator) -> None:
        return None

    def choose(self, candidates: Candidates, k: int, state: None, rng: Generator) -> Indices:
        graph = neighbour_graph(candidates.block.dense, self.neighbours)
        degree = np.diff(graph.indptr)
        density = np.round(np.asarray(graph.sum(axis=1)).ravel() / np.maximum(degree, 1), 6)
        chosen: list[int] = []
        left = np.ones(len(density), dtype=np.bool_)
        while len(chosen) < min(k, len(density)):
            row = int(np.where(left, density, -np.inf).argmax())
            chosen.append(row)
            left[row] = False
            density[graph.indices[graph.indptr[row] : graph.indptr[row + 1]]] -= density[row]
        return np.array(chosen, dtype=np.int64)


def neighbour_graph(rows: Floats, count: int) -> csr_matrix:
    """The weights (n, n) in (0, 1] between each row and its nearest; symmetric, so that a row may have more of them."""
    count = min(count, len(rows) - 1)
    if count < 1:
        return csr_matrix((len(rows), len(rows)))
    alike = rows @ rows.T
    np.fill_diagonal(alike, -2)
    near = np.argpartition(-alike, count - 1, axis=1)[:, :count]
    apart = np.maximum(1 - np.take_along_axis(alike, near, axis=1).astype(np.float64), 0)
    weight = np.maximum(np.exp(-apart / max(float(apart.mean()), 1e-6)), SMALLEST)
    graph = csr_matrix((weight.ravel(), near.ravel(), np.arange(0, near.size + 1, count)), shape=(len(rows),) * 2)
    return graph.maximum(graph.T).tocsr()
