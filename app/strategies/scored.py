"""What strategies share that only score: the highest first, or a draw in which high scores have better chances."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from app.core.arrays import Doubles, Floats, Indices
from app.core.block import Block
from app.strategies.base import Candidates, Context, Heads, ScoredRows, keyed_hash
from app.strategies.parameters import parameter

SMALLEST = 1e-12
ROWS_AT_ONCE = 2_048  # of a shard, where several heads speak of each row


@dataclass(frozen=True)
class ScoreState:
    """Whether several classes may hold, the seed of the noise, and the heads where they are needed."""

    multiple: bool
    seed: int
    heads: Heads | None = None


@dataclass(frozen=True)
class Scored:
    """A strategy whose batch is its best scores.

    `noise` is T in the draw of items with chances that grow as score^(1/T), without replacement; 0 takes the highest.

    Source of the draw: Kirsch, Farquhar, Atighehchian, Jesson, Branchaud-Charron, Gal. Stochastic Batch Acquisition: A
    Simple Baseline for Deep Active Learning. TMLR 2023.
    """

    explores: ClassVar[bool] = False
    by_cost: ClassVar[bool] = True

    noise: float = parameter(0.0, 0, 100, says="how much chance has a say; 0 is none")

    def prepare(self, context: Context, rng: Generator) -> Any:
        return ScoreState(context.multiple, context.seed, context.heads)

    def utility(self, shard: ScoredRows, state: Any) -> Floats:
        """How much each row is wanted (n,), from 0 upward."""
        raise NotImplementedError

    def score(self, shard: ScoredRows, state: Any) -> Floats:
        """The utility (n,), or the keys of the draw where there is noise."""
        return powered(self.utility(shard, state), shard.ids, state.seed, self.noise)

    def priced(self, candidates: Candidates, prices: Doubles) -> Candidates:
        """The candidates with their scores divided by what each costs (n,); keys of the draw less its logarithm."""
        scores = candidates.scores - np.log(prices) if self.noise else candidates.scores / prices
        return replace(candidates, scores=np.asarray(scores, dtype=np.float32))

    def choose(self, candidates: Candidates, k: int, state: Any, rng: Generator) -> Indices:
        """The highest scores first; near-duplicates of one before go to the end."""
        return candidates.best_apart(k)


class Drawn:
    """A strategy whose candidates are a uniform draw of the pool: every score is nought, and ties go by the hash.

    The loop knows by `drawn` about which hashes will do, so that few rows are copied in vain.
    """

    explores: ClassVar[bool] = False
    drawn: ClassVar[bool] = True

    def score(self, shard: ScoredRows, state: Any) -> Floats:
        """Noughts (n,): the candidates are a uniform draw of the pool."""
        return np.zeros(shard.ids.shape[0], dtype=np.float32)


def powered(utility: Floats, ids: Indices, seed: int, noise: float) -> Floats:
    """log s + T Gumbel (n,), whose k highest are a draw with chances s^(1/T); the utility itself without noise."""
    if noise == 0:
        return np.asarray(utility, dtype=np.float32)
    keys = np.log(np.maximum(utility.astype(np.float64), SMALLEST)) + noise * gumbel(ids, seed)
    return np.asarray(keys, dtype=np.float32)


def gumbel(ids: Indices, seed: int, salt: int = 0x6B31) -> Doubles:
    """Standard Gumbel noise (n,) by a keyed hash of the identities: the same for an item under any cut."""
    uniform = (keyed_hash(ids, seed ^ salt) >> np.uint64(11)).astype(np.float64) + 0.5
    return np.asarray(-np.log(-np.log(uniform * 2.0**-53)), dtype=np.float64)


def entropy(probabilities: Floats, multiple: bool) -> Floats:
    """-sum p log p over the last axis, in nats; where several classes may hold the sum of the binary entropies."""
    p = np.clip(probabilities, SMALLEST, 1.0)
    each = p * np.log(p)
    if multiple:
        q = np.clip(1 - probabilities, SMALLEST, 1.0)
        each = each + q * np.log(q)
    return np.asarray(-each.sum(axis=-1), dtype=np.float32)


def in_slices(block: Block, function: Any) -> Floats:
    """A function of some thousand rows at a time to (n,), so that several heads' opinions stay small."""
    dense = block.dense
    starts = range(0, len(block), ROWS_AT_ONCE)
    parts = [function(Block(dense[start : start + ROWS_AT_ONCE])) for start in starts]
    return np.concatenate([np.empty(0, dtype=np.float32), *parts]).astype(np.float32, copy=False)
