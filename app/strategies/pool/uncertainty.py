"""Strategies that ask what the model hesitates about."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from app.core.arrays import Doubles, Floats, Indices
from app.strategies.base import Candidates, Context, Need, ScoredRows
from app.strategies.costs import costs_of, least_expected, unfit
from app.strategies.parameters import parameter
from app.strategies.scored import Drawn, Scored, ScoreState, entropy

PROBABILITIES = frozenset({Need.PROBABILITIES})


def margin_uncertainty(probabilities: Floats, multiple: bool = False) -> Floats:
    """1 - (p1 - p2) for the two highest probabilities, in [0, 1]; for several classes the closest call of any."""
    if multiple:
        return np.asarray((1 - np.abs(2 * probabilities - 1)).max(axis=1), dtype=np.float32)
    ranked = np.partition(probabilities, -2, axis=1)
    return np.asarray(1 - (ranked[:, -1] - ranked[:, -2]), dtype=np.float32)


@dataclass(frozen=True)
class LeastConfident(Scored):
    """Score u(x) = 1 - max_c p_c, in [0, 1).

    Needs c >= 2 classes; costs O(n c). Blind to redundancy but for near-duplicates, which are put off.

    Source: Lewis, Gale. A Sequential Algorithm for Training Text Classifiers. SIGIR 1994.
    """

    name: ClassVar[str] = "least_confident"
    needs: ClassVar[frozenset[Need]] = PROBABILITIES

    def utility(self, shard: ScoredRows, state: ScoreState) -> Floats:
        """Map probabilities (n, c) to scores (n,)."""
        return least_confidence(given(shard), state.multiple)


@dataclass(frozen=True)
class Margin(Scored):
    """Score u(x) = 1 - (p1 - p2), where p1 >= p2 are the two highest probabilities; 1 is a tie.

    Needs c >= 2 classes; costs O(n c). Blind to redundancy but for near-duplicates, which are put off.

    Source: Scheffer, Decomain, Wrobel. Active Hidden Markov Models for Information Extraction. IDA 2001.
    """

    name: ClassVar[str] = "margin"
    needs: ClassVar[frozenset[Need]] = PROBABILITIES

    def utility(self, shard: ScoredRows, state: ScoreState) -> Floats:
        """Map probabilities (n, c) to scores (n,)."""
        return margin_uncertainty(given(shard), state.multiple)


@dataclass(frozen=True)
class Entropy(Scored):
    """Score H(p) = -sum_c p_c log p_c in nats; for several classes the sum of the binary entropies.

    Needs c >= 2 classes; costs O(n c). With many classes the long tail of small probabilities misleads it.

    Source: Shannon. A Mathematical Theory of Communication. 1948; Settles. Active Learning Literature Survey. 2009.
    """

    name: ClassVar[str] = "entropy"
    needs: ClassVar[frozenset[Need]] = PROBABILITIES

    def utility(self, shard: ScoredRows, state: ScoreState) -> Floats:
        """Map probabilities (n, c) to scores (n,)."""
        return entropy(given(shard), state.multiple)


@dataclass(frozen=True)
class ExpectedCost(Scored):
    """Score min_d sum_c p_c C[c, d]: the cost that the best decision still expects, where mistakes differ.

    `costs` is C, a row for each true class and in it a number for each decision, as `0 1; 5 0`, in the order of the
    project's classes; every right decision costs 0. Without it C[c, d] = |c - d|^power, for classes in an order: 1
    counts steps, 2 their squares, and 0 is `least_confident` to the letter. From 0 to the greatest cost. Needs c >= 2
    classes of which one holds, as many as the costs have; costs O(n c^2). Says nothing where the costs are a guess.

    Source: Margineantu. Active Cost-Sensitive Learning. IJCAI 2005.
    """

    name: ClassVar[str] = "expected_cost"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES, Need.ONE_CLASS})

    power: float = parameter(1.0, 0, 4, says="how a mistake's cost grows with the steps between the classes")
    costs: str = parameter("", says="what each mistake costs, as 0 1; 5 0")

    def __post_init__(self) -> None:
        costs_of(self.name, self.costs)

    def unfit(self, classes: int) -> str:
        """Why it cannot work with so many classes."""
        return unfit(costs_of(self.name, self.costs), classes)

    def utility(self, shard: ScoredRows, state: ScoreState) -> Floats:
        """Map probabilities (n, c) to scores (n,)."""
        costs = costs_of(self.name, self.costs)
        return least_expected(given(shard), self._by_steps(given(shard).shape[1]) if costs is None else costs)

    def _by_steps(self, classes: int) -> Doubles:
        places = np.arange(classes)
        steps = np.abs(places[:, None] - places[None, :]).astype(np.float64)
        return np.where(steps > 0, steps**self.power, 0)


def given(shard: ScoredRows | Candidates) -> Floats:
    """The probabilities, which the loop gives to every strategy that says it needs them."""
    assert shard.probabilities is not None
    return shard.probabilities


def least_confidence(probabilities: Floats, multiple: bool = False) -> Floats:
    """1 - max_c p_c; for several classes that of the least sure one."""
    if multiple:
        return np.asarray((1 - np.maximum(probabilities, 1 - probabilities)).max(axis=1), dtype=np.float32)
    return np.asarray(1 - probabilities.max(axis=1), dtype=np.float32)


@dataclass(frozen=True)
class Random(Drawn):
    """Score U(0, 1) by a keyed hash of the item: every batch is a uniform sample without replacement.

    Needs nothing; costs O(n). Learns nothing from the answers: the honest baseline.
    """

    name: ClassVar[str] = "random"
    needs: ClassVar[frozenset[Need]] = frozenset()

    def prepare(self, context: Context, rng: Generator) -> None:
        return None

    def choose(self, candidates: Candidates, k: int, state: None, rng: Generator) -> Indices:
        return candidates.best(k)
