"""Cost-aware ranking: what a candidate is worth, divided by a power of the seconds that it takes.

The exponent is capped at 1, worth a second. Doubt and time go together, so a full ratio may give up what teaches most;
with an exponent of 0.5 an item that takes four times as long has to be worth twice as much.

Source: Settles, Craven, Friedland. Active Learning with Real Annotation Costs. NIPS Workshop 2008 (the ratio);
Haertel, Seppi, Ringger, Carroll. Return on Investment for Active Learning. Same workshop.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from app.core.arrays import Doubles, Indices
from app.strategies import Candidates, PoolStrategy
from app.strategies.base import PricedStrategy

MOST = 1.0  # the exponent's cap
FARTHEST = 20.0  # times the median: what is told beyond it is a guess
WIDER = 4  # times as many candidates by score, as the cheapest ones may lie farther down


@dataclass(frozen=True)
class Pricing:
    """The exponent, and what items (n, 3) take in seconds (n,); `lack` says why that cannot be told."""

    exponent: float
    seconds: Callable[[Indices], Doubles] | None
    lack: str = ""


def by_cost(strategy: Any) -> TypeGuard[PricedStrategy]:
    """Whether a strategy, or its class, can weigh its candidates by what they cost."""
    return bool(getattr(strategy, "by_cost", False))


def wider(strategy: PoolStrategy, pricing: Pricing | None) -> int:
    """How many times more candidates are kept by score; those that are also drawn at random hold cheap ones already."""
    return WIDER if pricing and pricing.seconds and by_cost(strategy) and not strategy.explores else 1


def priced(candidates: Candidates, strategy: PoolStrategy, pricing: Pricing | None) -> tuple[Candidates, str]:
    """The candidates at their prices, (seconds / their median)^exponent, and a sentence that says so, or why not."""
    if pricing is None or pricing.exponent <= 0 or not len(candidates):
        return candidates, ""
    if not by_cost(strategy):
        return candidates, f" Not by cost: {strategy.name} does not rank items one by one."
    if pricing.seconds is None:
        return candidates, f" Not by cost: {pricing.lack}."
    seconds = pricing.seconds(candidates.ids)
    middle = float(np.median(seconds))
    ratio = np.clip(seconds / max(middle, 1e-9), 1 / FARTHEST, FARTHEST)
    exponent = min(pricing.exponent, MOST)
    told = f" Quick items come first: an item's worth is divided by its expected seconds to the power {exponent:g}."
    return strategy.priced(candidates, ratio**exponent), told
