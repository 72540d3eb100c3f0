"""Strategies that ask what the model hesitates about."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from app.core.arrays import Floats, Indices
from app.strategies.base import Candidates, Context, Need, ScoredRows


def margin_uncertainty(probabilities: Floats, multiple: bool = False) -> Floats:
    """1 - (p1 - p2) for the two highest probabilities, in [0, 1]; for several classes the closest call of any."""
    if multiple:
        return np.asarray((1 - np.abs(2 * probabilities - 1)).max(axis=1), dtype=np.float32)
    ranked = np.partition(probabilities, -2, axis=1)
    return np.asarray(1 - (ranked[:, -1] - ranked[:, -2]), dtype=np.float32)


@dataclass(frozen=True)
class _Uncertainty:
    """What the three have in common: the state says only whether several classes may hold."""

    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES})
    explores: ClassVar[bool] = False

    def prepare(self, context: Context, rng: Generator) -> bool:
        return context.multiple

    def choose(self, candidates: Candidates, k: int, state: Any, rng: Generator) -> Indices:
        """The highest scores first; near-duplicates of one before go to the end."""
        return candidates.best_apart(k)


@dataclass(frozen=True)
class LeastConfident(_Uncertainty):
    """Score u(x) = 1 - max_c p_c, in [0, 1).

    Needs c >= 2 classes; costs O(n c). Blind to redundancy but for near-duplicates, which are put off.

    Source: Lewis, Gale. A Sequential Algorithm for Training Text Classifiers. SIGIR 1994.
    """

    name: ClassVar[str] = "least_confident"

    def score(self, shard: ScoredRows, state: bool) -> Floats:
        """Map probabilities (n, c) to scores (n,)."""
        p = shard.probabilities
        assert p is not None
        if state:
            return np.asarray((1 - np.maximum(p, 1 - p)).max(axis=1), dtype=np.float32)
        return np.asarray(1 - p.max(axis=1), dtype=np.float32)


@dataclass(frozen=True)
class Margin(_Uncertainty):
    """Score u(x) = 1 - (p1 - p2), where p1 >= p2 are the two highest probabilities; 1 is a tie.

    Needs c >= 2 classes; costs O(n c). Blind to redundancy but for near-duplicates, which are put off.

    Source: Scheffer, Decomain, Wrobel. Active Hidden Markov Models for Information Extraction. IDA 2001.
    """

    name: ClassVar[str] = "margin"

    def score(self, shard: ScoredRows, state: bool) -> Floats:
        """Map probabilities (n, c) to scores (n,)."""
        assert shard.probabilities is not None
        return margin_uncertainty(shard.probabilities, state)


@dataclass(frozen=True)
class Entropy(_Uncertainty):
    """Score H(p) = -sum_c p_c log p_c in nats; for several classes the sum of the binary entropies.

    Needs c >= 2 classes; costs O(n c). With many classes the long tail of small probabilities misleads it.

    Source: Shannon. A Mathematical Theory of Communication. 1948; Settles. Active Learning Literature Survey. 2009.
    """

    name: ClassVar[str] = "entropy"

    def score(self, shard: ScoredRows, state: bool) -> Floats:
        """Map probabilities (n, c) to scores (n,)."""
        assert shard.probabilities is not None
        p = np.clip(shard.probabilities, 1e-12, 1.0)
        each = p * np.log(p)
        if state:
            q = np.clip(1 - shard.probabilities, 1e-12, 1.0)
            each = each + q * np.log(q)
        return np.asarray(-each.sum(axis=1), dtype=np.float32)


@dataclass(frozen=True)
class Random:
    """Score U(0, 1) by a keyed hash of the item: every batch is a uniform sample without replacement.

    Needs nothing; costs O(n). Learns nothing from the answers: the honest baseline.
    """

    name: ClassVar[str] = "random"
    needs: ClassVar[frozenset[Need]] = frozenset()
    explores: ClassVar[bool] = False

    def prepare(self, context: Context, rng: Generator) -> None:
        return None

    def score(self, shard: ScoredRows, state: None) -> Floats:
        """Equal scores (n,): the loop's tie-break is the seeded draw."""
        return np.zeros(shard.ids.shape[0], dtype=np.float32)

    def choose(self, candidates: Candidates, k: int, state: None, rng: Generator) -> Indices:
        return candidates.best(k)
