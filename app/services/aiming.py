"""What a project's strategy asks for beside labels and features: items to be like, and a number in the metadata."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.arrays import Doubles, Indices
from app.core.errors import Invalid
from app.db import Database, Item
from app.features import gather
from app.loop.needs import Aims
from app.services.pool import FeaturePool
from app.strategies import Need, make_strategy
from app.strategies.pool.product import keys_of

AT_ONCE = 500
NAMED = 3


def _nobody() -> Indices:
    return np.empty((0, 3), dtype=np.int64)


@dataclass(frozen=True)
class Aiming:
    """The example items (m, 3) that there are, of how many, and how to read the weights of others."""

    examples: Indices = field(default_factory=_nobody)
    named: int = 0
    weights: Callable[[Indices], Doubles] | None = None

    def aims(self, features: FeaturePool) -> Aims:
        """With the rows of the examples; looks them up in every shard."""
        if not self.named:
            return Aims(weights=self.weights)
        found, block = gather(features.opened(), self.examples)
        there = int(found.sum())
        told = "" if there == self.named else f" Of {self.named} example items {self.named - there} could not be read."
        return Aims(block.dense if there else None, self.weights, told)


def of(db: Database, session: Session, project_id: int, strategy: str, parameters: Mapping[str, Any]) -> Aiming:
    """What a strategy with these parameters asks for; reads its example items."""
    if not (needs := asks(strategy, parameters)):
        return Aiming()
    weights = _weights(db, str(parameters["by"]).strip()) if Need.WEIGHTS in needs else None
    if Need.EXAMPLES not in needs:
        return Aiming(weights=weights)
    keys = keys_of(parameters["like"])
    rows = session.execute(select(Item.id, Item.revision).where(Item.project_id == project_id, Item.key.in_(keys)))
    ids = np.array([(item, 0, revision) for item, revision in sorted(map(tuple, rows))], dtype=np.int64)
    return Aiming(ids.reshape(-1, 3), len(keys), weights)


def check(session: Session, project_id: int, strategy: Mapping[str, Any]) -> None:
    """Raise Invalid where example items are named that the project does not have."""
    parameters = {key: value for key, value in strategy.items() if key != "name"}
    if Need.EXAMPLES not in asks(str(strategy["name"]), parameters):
        return
    keys = keys_of(parameters["like"])
    found = session.execute(select(Item.key).where(Item.project_id == project_id, Item.key.in_(keys))).scalars()
    if lost := sorted(set(keys) - set(found)):
        named = ", ".join(repr(key) for key in lost[:NAMED]) + (" and others" if len(lost) > NAMED else "")
        raise Invalid(f"strategy {strategy['name']}: there is no item {named}", fields={"strategy": "like"})


def asks(strategy: str, parameters: Mapping[str, Any]) -> frozenset[Need]:
    """Which of the two a strategy asks for."""
    return make_strategy(strategy, parameters).needs & {Need.EXAMPLES, Need.WEIGHTS}


def _weights(db: Database, name: str) -> Callable[[Indices], Doubles]:
    """The number of that name in the metadata of items (n, 3), not a number where there is none; O(n)."""

    def told(ids: Indices) -> Doubles:
        numbers: dict[int, float] = {}
        items = ids[:, 0].tolist()
        with db.read() as session:
            for start in range(0, len(items), AT_ONCE):
                some = select(Item.id, Item.meta).where(Item.id.in_(items[start : start + AT_ONCE]))
                for item, metadata in session.execute(some):
                    value = metadata.get(name)
                    if isinstance(value, int | float) and not isinstance(value, bool):
                        numbers[item] = float(value)
        return np.array([numbers.get(item, np.nan) for item in items], dtype=np.float64)

    return told
