"""Strategies that ask what would tell most about the model: draws of the linear head's posterior stand for it."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from app.core.arrays import Doubles, Floats, Indices
from app.strategies.base import Candidates, Context, Heads, Need, ScoredRows
from app.strategies.parameters import parameter
from app.strategies.pool.committee import mutual_information
from app.strategies.scored import Scored, ScoreState, in_slices, powered

CONFIGURATIONS = 1_000  # of answers, of which the joint entropy is a mean
AFFORDABLE = 4_000_000  # numbers an array of joint probabilities may hold
TARGETS = 200


@dataclass(frozen=True)
class Bald(Scored):
    """Score I(y; w | x) = H(mean_k p_k) - mean_k H(p_k) in nats over K posterior draws of the head, in [0, log C].

    Needs posterior draws (Laplace approximation of logistic regression on the dense features); costs O(n d K c). Its
    batch repeats itself: each item is told apart alone.

    Source: Houlsby, Huszar, Ghahramani, Lengyel. Bayesian Active Learning for Classification and Preference Learning.
    2011.
    """

    name: ClassVar[str] = "bald"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.POSTERIOR, Need.FEATURES})

    heads: int = parameter(16, 2, 128, says="draws of the posterior")

    def utility(self, shard: ScoredRows, state: ScoreState) -> Floats:
        """Map a shard to its mutual information (n,)."""
        heads = state.heads
        assert heads is not None
        return in_slices(shard.block, lambda part: mutual_information(heads.probabilities(part), state.multiple))


@dataclass(frozen=True)
class PowerBald(Bald):
    """Draw items with chances I(y; w | x)^(1 / noise), without replacement: `bald` with a batch that does not repeat.

    Needs posterior draws; costs O(n d K c), as `bald`. At high noise it is a uniform draw.

    Source: Kirsch, Farquhar, Atighehchian, Jesson, Branchaud-Charron, Gal. Stochastic Batch Acquisition. TMLR 2023.
    """

    name: ClassVar[str] = "power_bald"

    noise: float = parameter(1.0, 0.01, 100, says="how much chance has a say")


@dataclass(frozen=True)
class BatchBald(Bald):
    """Ask the batch that tells most together: argmax_x I(y_1..y_b, y; w), one item after the other.

    Exact while the answers' combinations are few, then over 1,000 sampled ones. The candidates are the 300 of highest
    `bald`; after `joint` picks, when chance drowns the gain, their order follows. Needs posterior draws and one class
    an item; costs O(n d K c) and O(joint candidates combinations K c).

    Source: Kirsch, van Amersfoort, Gal. BatchBALD: Efficient and Diverse Batch Acquisition for Deep Bayesian Active
    Learning. NeurIPS 2019.
    """

    name: ClassVar[str] = "batch_bald"
    by_cost: ClassVar[bool] = False  # it weighs items together
    needs: ClassVar[frozenset[Need]] = frozenset({Need.POSTERIOR, Need.FEATURES, Need.ONE_CLASS})
    keeps: ClassVar[int] = 300

    joint: int = parameter(20, 1, 200, says="picks that are weighed together")

    def choose(self, candidates: Candidates, k: int, state: Any, rng: Generator) -> Indices:
        """The greedy joint picks first, then the highest scores."""
        assert state.heads is not None
        opinions = state.heads.probabilities(candidates.block).astype(np.float64)  # (K, n, c)
        picked = joint_picks(opinions, candidates, min(self.joint, k), rng)
        rest = [int(row) for row in candidates.best(len(candidates)) if int(row) not in set(picked)]
        return np.array([*picked, *rest][:k], dtype=np.int64)


def joint_picks(opinions: Doubles, candidates: Candidates, k: int, rng: Generator) -> list[int]:
    """Greedy maximum of H(y_1..y_b, y) - sum_i E H(y_i | w) over the candidates; ties break by the keyed hash."""
    heads, rows, classes = opinions.shape
    conditional = -(opinions * np.log(np.maximum(opinions, 1e-12))).sum(axis=2).mean(axis=0)
    most = int(np.clip(AFFORDABLE // max(rows * classes, 1), 50, CONFIGURATIONS))
    given = np.ones((1, heads))  # P(answers so far | draw), a row for each combination
    weight = np.ones(1)  # 1 / (how often a combination stands here), in the mean over all
    exact = True
    by_hash = candidates.by_hash()
    picked: list[int] = []
    flat = opinions.reshape(heads, rows * classes)
    while len(picked) < min(k, rows):
        together = (given @ flat / heads).reshape(len(given), rows, classes)
        log = np.log(np.maximum(together, 1e-300))
        entropies = -np.einsum("m,mnc,mnc->n", weight, together, log)
        gain = entropies - conditional
        gain[picked] = -np.inf
        best = int(by_hash[np.argmax(np.round(gain, 10)[by_hash])])
        picked.append(best)
        wider = (given[:, None, :] * opinions[:, best, :].T[None]).reshape(-1, heads)
        if exact and len(wider) <= most:
            given, weight = wider, np.ones(len(wider))
            continue
        exact = False
        given, weight = _sampled(np.repeat(weight, classes), wider, most, rng)
    return picked


def _sampled(weight: Doubles, combinations: Doubles, most: int, rng: Generator) -> tuple[Doubles, Doubles]:
    """Combinations drawn by their probability, each with the weight that makes the mean over them unbiased."""
    mass = weight * combinations.mean(axis=1)
    drawn = rng.choice(len(combinations), size=most, p=mass / mass.sum())
    given = combinations[drawn]
    return given, 1 / (most * np.maximum(given.mean(axis=1), 1e-300))


@dataclass(frozen=True)
class EpigState:
    """What `Scored` needs, and the draws' opinions (K, m, c) of the target rows."""

    multiple: bool
    seed: int
    heads: Heads | None
    targets: Doubles


@dataclass(frozen=True)
class Epig(Bald):
    """Ask what tells most about the predictions to come: mean_{x*} I(y; y* | x, x*) in nats, in [0, log C].

    x* are up to 200 rows of the pool's fixed sample. The candidates are the 1,000 of highest `bald` and as many drawn
    by chance, since what tells about the model need not tell about the pool. Needs posterior draws and one class an
    item; costs O(n d K c) and O(candidates targets K c^2).

    Source: Bickford Smith, Kirsch, Farquhar, Gal, Foster, Rainforth. Prediction-Oriented Bayesian Active Learning.
    AISTATS 2023.
    """

    name: ClassVar[str] = "epig"
    by_cost: ClassVar[bool] = False  # it weighs items together
    needs: ClassVar[frozenset[Need]] = frozenset({Need.POSTERIOR, Need.FEATURES, Need.ONE_CLASS})
    explores: ClassVar[bool] = True
    keeps: ClassVar[int] = 1_000

    def prepare(self, context: Context, rng: Generator) -> EpigState:
        assert context.heads is not None
        rows = int(np.clip(30_000_000 // (2 * self.keeps * context.classes**2), 20, TARGETS))
        some = context.sample.block.take(np.arange(min(rows, len(context.sample.block))))
        targets = context.heads.probabilities(some).astype(np.float64)
        return EpigState(context.multiple, context.seed, context.heads, targets)

    def score(self, shard: ScoredRows, state: EpigState) -> Floats:
        """`bald` (n,): who is sent up, not yet who is chosen."""
        return self.utility(shard, ScoreState(state.multiple, state.seed, state.heads))

    def choose(self, candidates: Candidates, k: int, state: EpigState, rng: Generator) -> Indices:
        assert state.heads is not None
        opinions = state.heads.probabilities(candidates.block).astype(np.float64)
        gain = expected_information(opinions, state.targets)
        scores = powered(gain.astype(np.float32), candidates.ids, state.seed, self.noise)
        return Candidates(candidates.ids, candidates.block, None, scores, candidates.seed).best_apart(k)


def expected_information(opinions: Doubles, targets: Doubles) -> Doubles:
    """mean over targets of I(y; y*) (n,), from draws' probabilities (K, n, c) and (K, m, c)."""
    heads, rows, _ = opinions.shape
    among = targets.reshape(heads, -1) / heads  # (K, m c)
    alone = targets.mean(axis=0).ravel()
    gain = np.empty(rows)
    for row in range(rows):
        mine = opinions[:, row, :]
        together = mine.T @ among  # (c, m c)
        apart = mine.mean(axis=0)[:, None] * alone[None, :]
        ratio = np.log(np.maximum(together, 1e-300)) - np.log(np.maximum(apart, 1e-300))
        gain[row] = (together * ratio).sum() / max(targets.shape[1], 1)
    return gain
