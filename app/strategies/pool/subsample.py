"""Any other strategy, on a bounded draw of the pool."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.random import Generator

from app.core.arrays import Floats, Indices
from app.core.block import Rows
from app.core.errors import Invalid
from app.strategies.base import Candidates, Context, Need, PoolStrategy, ScoredRows, keyed_hash
from app.strategies.parameters import parameter


@dataclass(frozen=True)
class SubsampleState:
    """What the strategy inside is told, and the seed of the draw."""

    context: Context
    seed: int


@dataclass(frozen=True)
class Subsample:
    """Ask as the strategy `inside` does, with its usual parameters, among `keeps` items drawn evenly from the pool.

    For what is too slow on the whole pool, or to see what a full pass is worth: time and memory are those of `inside`
    on `keeps` items, and one pass for the draw. Needs what `inside` needs. A rare class that is not in the draw is not
    asked about: of 0.1 % of a pool 10,000 drawn items hold about ten.

    Source: Ertekin, Huang, Bottou, Giles. Learning on the Border: Active Learning in Imbalanced Data Classification.
    CIKM 2007.
    """

    name: ClassVar[str] = "subsample"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.FEATURES})  # of each one: what `inside` needs
    explores: ClassVar[bool] = False

    inside: str = parameter("core_set", says="the strategy that chooses among the drawn items")
    keeps: int = parameter(10_000, 100, 50_000, says="items that are drawn")

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", self._inner().needs)

    def _inner(self) -> PoolStrategy:
        from app.strategies import POOL_STRATEGIES  # this strategy is one of them

        if self.inside not in POOL_STRATEGIES or self.inside == self.name:
            others = ", ".join(name for name in POOL_STRATEGIES if name != self.name)
            raise Invalid(f"strategy subsample: inside is one of {others}")
        inner: PoolStrategy = POOL_STRATEGIES[self.inside]()
        return inner

    def prepare(self, context: Context, rng: Generator) -> SubsampleState:
        return SubsampleState(replace(context, over=_nothing), context.seed)  # the state may go to another machine

    def score(self, shard: ScoredRows, state: SubsampleState) -> Floats:
        """A uniform draw (n,) by the keyed hash."""
        return np.asarray(keyed_hash(shard.ids, state.seed) >> np.uint64(40), dtype=np.float32)

    def choose(self, candidates: Candidates, k: int, state: SubsampleState, rng: Generator) -> Indices:
        inner = self._inner()
        rows = Rows(candidates.ids, candidates.block)

        def over(function: Callable[..., Any], *each: Sequence[Any]) -> list[Any]:
            return [function(0, rows, *(values[0] for values in each))]

        small = replace(state.context, pool_rows=len(candidates), over=over)
        prepared: Any = inner.prepare(small, rng)
        scored = ScoredRows(candidates.ids, candidates.block, candidates.probabilities)
        return inner.choose(replace(candidates, scores=inner.score(scored, prepared)), k, prepared, rng)


def _nothing(_function: Callable[..., Any], *_each: Sequence[Any]) -> list[Any]:
    """No pass over the pool: the inner strategy gets one over its draw."""
    return []
