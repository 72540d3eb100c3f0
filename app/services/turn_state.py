"""What a turn of the loop knows while it runs, and how it reports where it is."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import insert, select, update

from app.db import Item, QueueEntry, WriteSession
from app.evaluation.guard import Guard
from app.features import gather
from app.loop.pricing import Pricing
from app.loop.propose import Labelled, Plan
from app.services import aiming, costs, looking, pool, stopping, versions
from app.services.answered import one_of
from app.services.jobs import Running
from app.services.labels import LabelledItem, LabelSet

INSERT_ROWS = 500


@dataclass(frozen=True)
class Turn:
    """Everything that a turn read from the database before it began to think."""

    project_id: int
    round_id: int
    number: int
    modality: str
    class_ids: list[int]
    plan: Plan
    features: pool.FeaturePool
    labels: LabelSet
    excluded: Any
    started: float
    version: versions.Version | None
    newest_annotation: int | None  # up to which answers are learned from; None leaves what it was
    silence: str | None  # why no learner runs, in a sentence
    guard: Guard = field(default_factory=Guard)  # as the round before left it
    view: looking.View | None = None  # of a pool that is looked at in parts
    before: stopping.Before | None = None  # what the served round says of its sample
    times: costs.Known | None = None  # what labelling takes, where the order is to go by it
    pricing: Pricing | None = None
    chooses_audits: bool = False  # by its learner, instead of by chance
    powers_estimate: bool = False  # by what its learner expects of the audit items without an answer
    merged: Mapping[int, int] = field(default_factory=dict)  # classes that are read as others
    aimed: aiming.Aiming | None = None  # what the strategy asks for beside labels and features


class Progress:
    """Stores the step for the status panel, at most twice a second."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._last = time.monotonic()

    def __call__(self, step: str, fraction: float) -> None:
        """Store the step, unless one was stored just now."""
        if time.monotonic() - self._last > 0.5:
            self._last = time.monotonic()
            self._running.report({"step": step, "fraction": round(fraction, 3)})


def labelled_rows(turn: Turn, items: list[LabelledItem]) -> Labelled:
    """The rows of the labelled items that have vectors, in the order of their ids."""
    ids = np.array([(item.item_id, item.unit, item.revision) for item in items], dtype=np.int64).reshape(-1, 3)
    found, block = gather(turn.features.opened(), ids)
    kept = [item for item, there in zip(items, found, strict=True) if there]
    columns = len(turn.class_ids)
    return Labelled(
        ids=ids[found],
        block=block,
        targets=np.array([item.shares for item in kept], dtype=np.float32).reshape(len(kept), columns),
        weights=np.ones(len(kept)),
        audit=np.array([item.audit for item in kept], dtype=np.bool_),
        chosen=np.array([item.chosen for item in kept], dtype=np.bool_),
        order=np.array([item.annotations[0] for item in kept], dtype=np.int64),
    )


def mark_done(session: WriteSession, round_id: int) -> None:
    """Items that were answered while the turn was thinking are not offered by its order.

    On PostgreSQL an answer that is being committed while the order is knows nothing of its places, and the order
    nothing of the answer; so the turn's second commit looks again. What somebody is changing just then is left to them.
    """
    done = select(Item.done).where(Item.id == QueueEntry.item_id).correlate(QueueEntry).scalar_subquery()
    answered = (
        select(QueueEntry.item_id)
        .where(QueueEntry.round_id == round_id, ~QueueEntry.done, done)  # each place looks its item up, in any plan
        .with_for_update(skip_locked=True)
    )
    ids = session.execute(answered).scalars().all()
    if ids:
        places = update(QueueEntry).where(QueueEntry.round_id == round_id, one_of(session, QueueEntry.item_id, ids))
        session.execute(places.values(done=True).execution_options(synchronize_session=False))


def insert_rows(session: WriteSession, table: Any, rows: list[dict[str, Any]]) -> None:
    """Insert rows of a table, some hundred a statement."""
    for start in range(0, len(rows), INSERT_ROWS):
        session.execute(insert(table), rows[start : start + INSERT_ROWS])
