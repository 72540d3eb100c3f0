"""Query strategies over a pool, by name."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from app.core.errors import Invalid
from app.core.plugins import entries
from app.strategies.base import (
    KEEPS,
    OF_OUR_LEARNER,
    Candidates,
    Context,
    Heads,
    Need,
    PoolStrategy,
    ScoredRows,
    keyed_hash,
)
from app.strategies.pool.core_set import CoreSet, LightweightCoreSet
from app.strategies.pool.herding import Coverage, UncertaintyHerding
from app.strategies.pool.uncertainty import Entropy, LeastConfident, Margin, Random

OWN: tuple[type[Any], ...] = (
    Random,
    LeastConfident,
    Margin,
    Entropy,
    Coverage,
    UncertaintyHerding,
    CoreSet,
    LightweightCoreSet,
)
POOL_STRATEGIES: Mapping[str, type[Any]] = entries("strategies", OWN)
AUTO = "auto"


def make_strategy(name: str, parameters: Mapping[str, Any]) -> PoolStrategy:
    """The strategy by name with its parameters.

    Raises:
        Invalid: no such strategy, a parameter that it does not have, or a value of another type.
    """
    if name not in POOL_STRATEGIES:
        raise Invalid(f"there is no strategy {name!r}; there are {AUTO}, {', '.join(POOL_STRATEGIES)}")
    kind = POOL_STRATEGIES[name]
    known = {field.name: field for field in fields(kind)}
    for parameter, value in parameters.items():
        if parameter not in known:
            raise Invalid(f"strategy {name} has no parameter {parameter!r}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Invalid(f"strategy {name}: {parameter} is a number")
        if not math.isfinite(value) or value < 0:
            raise Invalid(f"strategy {name}: {parameter} is finite and not below nought")
    strategy: PoolStrategy = kind(**parameters)
    return strategy


__all__ = [
    "AUTO",
    "KEEPS",
    "OF_OUR_LEARNER",
    "POOL_STRATEGIES",
    "Candidates",
    "Context",
    "Heads",
    "Need",
    "PoolStrategy",
    "ScoredRows",
    "keyed_hash",
    "make_strategy",
]
