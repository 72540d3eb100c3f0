"""Several wishes at once, each with its strength."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from app.core.arrays import Doubles, Floats, Indices
from app.core.errors import Invalid
from app.strategies.base import KEEPS, Candidates, Context, Need, ScoredRows
from app.strategies.parameters import parameter
from app.strategies.pool.balance import BalanceState, balance_state
from app.strategies.pool.core_set import mean_of_pool
from app.strategies.pool.density import nearest_cosine
from app.strategies.pool.uncertainty import given, margin_uncertainty

MOST_EXAMPLES = 100
WIDER = 4  # times as many candidates where a weight is only known of them


@dataclass(frozen=True)
class ProductState:
    """The balance of the classes, the labelled rows (n, d); the pool's mean row (d,) and the examples (m, d) where they
    are asked for.
    """

    balance: BalanceState
    labelled: Floats
    mean: Doubles | None
    examples: Floats | None


@dataclass(frozen=True)
class Product:
    """Ask argmax_x u^uncertainty (1 - max cos(x, S))^diversity (mean cos)^density b^balance s^similarity w^weight.

    One item after the other; wishes in [0, 1], each with its strength as the exponent; 0 leaves it out. u is margin
    uncertainty, S the labelled and the picked items, the mean over the whole pool; b = sum_c p_c w_c as in
    `class_balance`; s = max cos(x, e) over the example items, which `like` names by their keys, with commas between
    them; w the number `by` in the item's metadata, as a share of the greatest of the candidates, and 0 without one.
    What has u < `threshold`, or fails another wish entirely, comes last. The candidates are the 2,000 best without
    diversity and weight and as many drawn evenly, four times as many with a weight. Needs probabilities and features;
    costs O(n (c + d m)) for m examples and O(candidates (L + k) d). An item that fails one wish is out, whatever the
    others say.

    Source: the weighted product model: Bridgman. Dimensional Analysis. 1922; Triantaphyllou. Multi-Criteria Decision
    Making Methods. 2000.
    """

    name: ClassVar[str] = "product"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.PROBABILITIES, Need.FEATURES})  # and what its wishes need
    explores: ClassVar[bool] = True

    uncertainty: float = parameter(1.0, 0, 10, says="strength of the model's doubt")
    diversity: float = parameter(1.0, 0, 10, says="strength of the distance to what was asked")
    density: float = parameter(0.0, 0, 10, says="strength of the likeness to the pool")
    balance: float = parameter(0.0, 0, 10, says="strength of the classes with few labels")
    threshold: float = parameter(0.0, 0, 1, says="the least doubt that is asked about")
    similarity: float = parameter(0.0, 0, 10, says="strength of the likeness to the examples")
    like: str = parameter("", says="keys of the example items, with commas between them")
    weight: float = parameter(0.0, 0, 10, says="strength of a number in the metadata")
    by: str = parameter("", says="the name of that number")

    def __post_init__(self) -> None:
        if len(keys_of(self.like)) > MOST_EXAMPLES:
            raise Invalid(f"strategy product: like names at most {MOST_EXAMPLES} items")
        needs = self.needs
        if self.similarity:
            if not keys_of(self.like):
                raise Invalid("strategy product: similarity needs the keys of example items in like")
            needs |= {Need.EXAMPLES}
        if self.weight:
            if not self.by.strip():
                raise Invalid("strategy product: weight needs the name of a number in the metadata in by")
            needs |= {Need.WEIGHTS}
        object.__setattr__(self, "needs", needs)
        object.__setattr__(self, "keeps", KEEPS * (WIDER if self.weight else 1))

    def prepare(self, context: Context, rng: Generator) -> ProductState:
        examples = context.examples if self.similarity else None
        mean = mean_of_pool(context)[0] if self.density else None  # another pass over the pool
        return ProductState(balance_state(context), context.labelled.dense, mean, examples)

    def score(self, shard: ScoredRows, state: ProductState) -> Floats:
        """The product (n,) without diversity and weight."""
        p, dense = given(shard), shard.block.dense
        doubt = margin_uncertainty(p, state.balance.multiple)
        wanted = np.minimum(p @ state.balance.wanted, 1)
        worth = doubt**self.uncertainty * wanted**self.balance * (doubt >= self.threshold)
        if state.mean is not None:
            worth = worth * np.maximum(dense @ state.mean.astype(np.float32), 0) ** self.density
        if state.examples is not None:
            worth = worth * np.clip(nearest_cosine(dense, state.examples), 0, 1) ** self.similarity
        return np.asarray(worth, dtype=np.float32)

    def choose(self, candidates: Candidates, k: int, state: ProductState, rng: Generator) -> Indices:
        dense = candidates.block.dense
        worth = candidates.scores.astype(np.float64)
        if self.weight:
            worth *= shares(candidates.weights) ** self.weight
        nearest = nearest_cosine(dense, state.labelled)
        left = np.ones(len(dense), dtype=np.bool_)
        chosen: list[int] = []
        while len(chosen) < min(k, len(dense)):
            apart = np.clip(1 - nearest, 0, 1) ** self.diversity
            row = int(np.where(left, np.round(worth * apart, 7), -1).argmax())
            chosen.append(row)
            left[row] = False
            nearest = np.maximum(nearest, dense @ dense[row])
        return np.array(chosen, dtype=np.int64)


def keys_of(listed: str) -> list[str]:
    """The keys of a list with commas between them, each once."""
    return list(dict.fromkeys(key for each in listed.split(",") if (key := each.strip())))


def shares(weights: Doubles | None) -> Doubles:
    """Numbers (n,) as shares of the greatest one; what is missing (not a number) or below nought is nought."""
    assert weights is not None
    above = np.maximum(np.nan_to_num(weights, nan=0.0), 0)
    return np.asarray(above / max(float(above.max(initial=0)), 1e-300))
