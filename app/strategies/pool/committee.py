"""Query by committee: ask where heads that were fitted on different draws of the labels disagree."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from app.core.arrays import Floats
from app.strategies.base import Need, ScoredRows
from app.strategies.parameters import parameter
from app.strategies.scored import Scored, ScoreState, entropy, in_slices


@dataclass(frozen=True)
class Committee(Scored):
    """What committees have in common: linear heads over the dense features, each of another mind.

    By `members` they are eight ridge heads, each on a bootstrap of the labels, or three different learners on all of
    them: ridge, logistic regression and the nearest class mean.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({Need.COMMITTEE, Need.FEATURES})

    heads: int = parameter(8, 2, 64, says="members of the committee, where they are draws")
    members: str = parameter(
        "draws", says="one learner on draws of the labels, or several", choices=("draws", "learners")
    )

    def utility(self, shard: ScoredRows, state: ScoreState) -> Floats:
        """How much the heads disagree about each row (n,)."""
        heads = state.heads
        assert heads is not None
        return in_slices(shard.block, lambda part: self.disagreement(heads.probabilities(part), state.multiple))

    def disagreement(self, opinions: Floats, multiple: bool) -> Floats:
        """Map the heads' probabilities (K, n, c) to scores (n,)."""
        raise NotImplementedError


@dataclass(frozen=True)
class VoteEntropy(Committee):
    """Score -sum_c v_c log v_c, where v_c is the share of the heads that vote for class c; in [0, log min(K, C)].

    Needs a committee; costs O(n d K c). Takes K values at most a class, so ties are many; does not hear how sure the
    heads are.

    Source: Dagan, Engelson. Committee-Based Sampling for Training Probabilistic Classifiers. ICML 1995.
    """

    name: ClassVar[str] = "vote_entropy"

    def disagreement(self, opinions: Floats, multiple: bool) -> Floats:
        """Map the heads' probabilities (K, n, c) to scores (n,)."""
        return entropy(votes(opinions, multiple), multiple)


@dataclass(frozen=True)
class VariationRatio(Committee):
    """Score 1 - max_c v_c, where v_c is the share of the heads that vote for class c; in [0, 1 - 1 / min(K, C)].

    Where several classes may hold: the share of the minority on the most disputed class. Needs a committee; costs
    O(n d K c). The coarsest of the four.

    Source: Freeman. Elementary Applied Statistics. 1965; Gal, Islam, Ghahramani. Deep Bayesian Active Learning. 2017.
    """

    name: ClassVar[str] = "variation_ratio"

    def disagreement(self, opinions: Floats, multiple: bool) -> Floats:
        """Map the heads' probabilities (K, n, c) to scores (n,)."""
        share = votes(opinions, multiple)
        if multiple:
            return np.asarray(np.minimum(share, 1 - share).max(axis=1), dtype=np.float32)
        return np.asarray(1 - share.max(axis=1), dtype=np.float32)


@dataclass(frozen=True)
class ConsensusEntropy(Committee):
    """Score H(mean_k p_k) in nats: how undecided the committee is as a whole.

    Needs a committee; costs O(n d K c). Does not tell heads that disagree from heads that all hesitate.

    Source: named so in Danka, Horvath. modAL: A modular active learning framework for Python. 2018.
    """

    name: ClassVar[str] = "consensus_entropy"

    def disagreement(self, opinions: Floats, multiple: bool) -> Floats:
        """Map the heads' probabilities (K, n, c) to scores (n,)."""
        return entropy(opinions.mean(axis=0), multiple)


@dataclass(frozen=True)
class CommitteeDivergence(Committee):
    """Score mean_k KL(p_k || mean p) in nats, in [0, log K]: how far the heads lie from their consensus.

    Equal to H(mean p) - mean_k H(p_k), which is how it is computed. Needs a committee; costs O(n d K c). With few
    labels most of the disagreement is the draw's.

    Source: McCallum, Nigam. Employing EM and Pool-Based Active Learning for Text Classification. ICML 1998.
    """

    name: ClassVar[str] = "committee_divergence"

    def disagreement(self, opinions: Floats, multiple: bool) -> Floats:
        """Map the heads' probabilities (K, n, c) to scores (n,)."""
        return mutual_information(opinions, multiple)


def votes(opinions: Floats, multiple: bool) -> Floats:
    """The share (n, c) of the heads that vote for each class: their best one, or all above one half."""
    if multiple:
        return np.asarray((opinions > 0.5).mean(axis=0), dtype=np.float32)
    best = opinions.argmax(axis=2)
    classes = np.arange(opinions.shape[2])
    return np.asarray((best[:, :, None] == classes).mean(axis=0), dtype=np.float32)


def mutual_information(opinions: Floats, multiple: bool) -> Floats:
    """H(mean p) - mean H(p_k) (n,), not below nought."""
    apart = entropy(opinions.mean(axis=0), multiple) - entropy(opinions, multiple).mean(axis=0)
    return np.asarray(np.maximum(apart, 0), dtype=np.float32)
