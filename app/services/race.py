"""Two simulated annotators beside each other: one answers what the strategy asks, one answers at random.

Both know the true labels, both teach the same learner, both are judged on the same items that neither may
answer. It is the code that runs a real round, so what the two curves show is what a project would see.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.core.arrays import Booleans, Indices
from app.core.block import Block, Rows
from app.evaluation.intervals import share
from app.evaluation.metrics import hits
from app.learners import CannotFit, make_learner
from app.loop.executors import LocalExecutor
from app.loop.propose import Labelled, Plan, propose, unheard

ARMS = {"chosen": "auto", "random": "random"}
STEP = 10  # answers between two points of a curve


@dataclass(frozen=True)
class Field:
    """What the race is run on: `truth` (n,) holds class positions, `test` (n,) marks the items that only judge."""

    rows: Rows
    truth: Indices
    test: Booleans
    classes: tuple[int, ...]
    modality: str
    seed: int


@dataclass
class Race:
    """How far both annotators are; `answered` holds positions in the field, in the order of the answers."""

    answered: dict[str, list[int]] = field(default_factory=lambda: {arm: [] for arm in ARMS})
    points: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {arm: [] for arm in ARMS})

    @classmethod
    def from_json(cls, stored: dict[str, Any] | None) -> "Race":
        """The race as it was left; a new one for None."""
        return cls(stored["answered"], stored["points"]) if stored else cls()

    def to_json(self) -> dict[str, Any]:
        """What a later slice goes on from."""
        return {"answered": self.answered, "points": self.points}

    def labels(self) -> int:
        """Answers of the one who has fewer."""
        return min(len(answers) for answers in self.answered.values())


def run(race: Race, field_: Field, goal: int) -> Iterator[None]:
    """Let both answer ten more items, in turn, until both have `goal`; yields after each point.

    Cost: two fits and a pass over the field a point.
    """
    goal = min(goal, int((~field_.test).sum()))
    while (behind := race.labels()) < goal:
        for arm, strategy in ARMS.items():
            if len(race.answered[arm]) == behind:
                _step(race, field_, arm, strategy, min(STEP, goal - behind))
                yield


def _step(race: Race, field_: Field, arm: str, strategy: str, count: int) -> None:
    answered = race.answered[arm]
    open_rows = np.setdiff1d(np.flatnonzero(~field_.test), np.array(answered, dtype=np.int64))
    asked = _propose(field_, answered, open_rows, strategy, count)
    race.answered[arm] = [*answered, *(int(row) for row in asked)]
    accuracy = _judge(field_, race.answered[arm])
    race.points[arm].append({"labels": len(race.answered[arm]), "accuracy": accuracy})


def _propose(field_: Field, answered: list[int], open_rows: Indices, strategy: str, count: int) -> Indices:
    plan = _plan(field_, strategy, count, len(answered))
    with LocalExecutor() as executor:
        proposal = propose(_labelled(field_, answered), [_Part(field_.rows, open_rows)], plan, executor, unheard)
    place = {int(item): row for row, item in enumerate(field_.rows.ids[:, 0])}
    return np.array([place[int(item)] for item in proposal.ids[:, 0]], dtype=np.int64)


def _judge(field_: Field, answered: list[int]) -> dict[str, Any] | None:
    """Accuracy on the items that nobody answers, with its band; None while no learner can be fitted."""
    taught = _labelled(field_, answered)
    learner = make_learner("auto", {}, taught.block, len(field_.classes))
    try:
        model = learner.fit(taught.block, taught.targets, taught.weights, multiple=False, seed=field_.seed)
    except CannotFit:
        return None
    test = np.flatnonzero(field_.test)
    right = hits(model.probabilities(field_.rows.block.take(test)), _targets(field_, test), False)
    found = share(float(right.sum()), len(right))
    return found.to_json() if found else None


def _plan(field_: Field, strategy: str, count: int, step: int) -> Plan:
    return Plan(
        classes=field_.classes,
        multiple=False,
        modality=field_.modality,
        strategy=strategy,
        size=count,
        seed=int(np.random.SeedSequence([field_.seed, step]).generate_state(1, np.uint32)[0]),
    )


def _labelled(field_: Field, answered: list[int]) -> Labelled:
    rows = np.array(answered, dtype=np.int64)
    return Labelled(
        ids=field_.rows.ids[rows],
        block=field_.rows.block.take(rows),
        targets=_targets(field_, rows),
        weights=np.ones(len(rows)),
        audit=np.zeros(len(rows), dtype=np.bool_),
    )


def _targets(field_: Field, rows: Indices) -> Any:
    return np.eye(len(field_.classes), dtype=np.float32)[field_.truth[rows]]


@dataclass(frozen=True)
class _Part:
    """Some rows of the field as a shard."""

    whole: Rows
    positions: Indices

    @property
    def rows(self) -> int:
        return len(self.positions)

    def load(self) -> Rows:
        block: Block = self.whole.block.take(self.positions)
        return Rows(self.whole.ids[self.positions], block)

    def mapped(self) -> tuple[Rows, None]:
        return self.load(), None
