"""Query strategies over a pool, by name."""

from collections.abc import Mapping
from typing import Any

from app.core.errors import Invalid
from app.core.plugins import entries
from app.strategies.automatic import OF_WORDS, Automatic
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
from app.strategies.parameters import check_parameters, described
from app.strategies.pool.balance import ClassBalance, Falcun, RareNeighbours
from app.strategies.pool.clusters import Clue, DropQuery, KMeans, ProbCover, TypiClust
from app.strategies.pool.committee import CommitteeDivergence, ConsensusEntropy, VariationRatio, VoteEntropy
from app.strategies.pool.core_set import CoreSet, LightweightCoreSet
from app.strategies.pool.density import (
    Contrastive,
    Discriminative,
    GraphDensity,
    InformationDensity,
    RankedBatch,
)
from app.strategies.pool.design import OutputVariance, ParameterDistance
from app.strategies.pool.gradients import Badge, ExpectedGradient
from app.strategies.pool.herding import Coverage, UncertaintyHerding
from app.strategies.pool.library import ScikitActiveml
from app.strategies.pool.numbers import GreedyInputOutput, GreedyOutput, ModelChange
from app.strategies.pool.posterior import Bald, BatchBald, Epig, PowerBald
from app.strategies.pool.product import Product
from app.strategies.pool.reduction import ExpectedError
from app.strategies.pool.several import Cvirs, ExpectedLabelLoss, LabelCardinality, MeanDoubt
from app.strategies.pool.subsample import Subsample
from app.strategies.pool.uncertainty import Entropy, ExpectedCost, LeastConfident, Margin, Random

OWN: tuple[type[Any], ...] = (
    *(Random, LeastConfident, Margin, Entropy, ExpectedCost),
    *(Coverage, UncertaintyHerding, CoreSet, LightweightCoreSet),
    *(VoteEntropy, VariationRatio, ConsensusEntropy, CommitteeDivergence),
    *(Bald, PowerBald, BatchBald, Epig),
    *(ExpectedGradient, Badge, ExpectedError, OutputVariance, ParameterDistance),
    *(InformationDensity, GraphDensity, RankedBatch, Contrastive, Discriminative),
    *(KMeans, TypiClust, ProbCover, Clue, DropQuery, Falcun),
    *(ClassBalance, RareNeighbours, Product),
    *(MeanDoubt, ExpectedLabelLoss, LabelCardinality, Cvirs),
    *(GreedyOutput, GreedyInputOutput, ModelChange),
    *(Subsample, ScikitActiveml),
)
POOL_STRATEGIES: Mapping[str, type[Any]] = entries("strategies", OWN)
AUTO = "auto"
KINDS: Mapping[str, type[Any]] = {AUTO: Automatic, **POOL_STRATEGIES}


def make_strategy(name: str, parameters: Mapping[str, Any]) -> PoolStrategy:
    """The strategy by name with its parameters; `auto` as it is once there are labels of two classes.

    Raises:
        Invalid: no such strategy, a parameter that it does not have, or a value of another type.
    """
    if name not in KINDS:
        raise Invalid(f"there is no strategy {name!r}; there are {', '.join(KINDS)}")
    kind = KINDS[name]
    check_parameters(name, kind, parameters)
    strategy: PoolStrategy = kind(**parameters)
    return strategy


def catalogue() -> list[dict[str, Any]]:
    """Every strategy that may be named, `auto` first, with its parameters."""
    return [{"name": name, "parameters": described(kind)} for name, kind in KINDS.items()]


__all__ = [
    "AUTO",
    "KEEPS",
    "KINDS",
    "OF_OUR_LEARNER",
    "OF_WORDS",
    "POOL_STRATEGIES",
    "Candidates",
    "Context",
    "Heads",
    "Need",
    "PoolStrategy",
    "ScoredRows",
    "catalogue",
    "keyed_hash",
    "make_strategy",
]
