"""Rounds of a project whose model is elsewhere: waiting for its predictions, pushed or asked for, and using them.

What such a round gives out to be learned from leaves the audit answers out, so they judge the model honestly although
nobody here can fit it a second time without them.
"""

from typing import Any

import numpy as np
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.core.arrays import Booleans, Indices
from app.db import Item, Job, Project, QueueEntry, Round, Serving, WriteSession
from app.features import Given
from app.learners import HTTP, OUTSIDE, CannotFit, check_fit
from app.services import jobs, outbox, rounds, tasks
from app.services.jobs import Running
from app.services.labels import LabelledItem, LabelSet


def is_external(project: Project) -> bool:
    """Whether the project's model is trained elsewhere."""
    return project.learner.get("name") in OUTSIDE


def to_learn_from(labels: LabelSet) -> list[LabelledItem]:
    """The labelled items that a model outside is taught: neither audit answers nor the client's own test set."""
    return [item for item in labels.items if not item.imported_test and not item.audit]


def can_learn(labels: LabelSet, multiple: bool) -> bool:
    """Whether the labels tell anything apart."""
    shares = [item.shares for item in to_learn_from(labels)]
    if not shares:
        return False
    try:
        check_fit(np.array(shares, dtype=np.float32), multiple)
    except CannotFit:
        return False
    return True


def must_wait(session: Session, project: Project, labels: LabelSet) -> bool:
    """Whether a due round waits for predictions: people have an order already and there is something to learn."""
    published = session.execute(select(Serving.round_id).where(Serving.project_id == project.id)).scalar_one()
    return published is not None and can_learn(labels, tasks.several(project))


def wait(session: WriteSession, running: Running, row: Round, labels: LabelSet) -> None:
    """Make a round wait, with what is to be learned from; its job wakes when predictions are complete.

    A project that has a scorer asks it meanwhile, see `scoring`.
    """
    items = to_learn_from(labels)
    row.state = "waiting_for_predictions"
    row.labels = sorted(number for item in items for number in item.annotations)
    row.labels_count = len(items)
    row.sentence = words(row)
    # Of rounds that waited before, whose job somebody has cancelled.
    session.execute(
        update(Round)
        .where(Round.project_id == row.project_id, Round.state == "waiting_for_predictions", Round.id != row.id)
        .values(state="skipped", reason="a later round waits in its place")
    )
    if row.learner.get("name") == HTTP:
        rounds.ask_scorer(session, row.project_id, row.number)
        row.sentence = f"Round {row.number} is about to be scored. The last order is served."
    else:
        told = {"round": row.number, "labels": row.labels_count}
        outbox.emit(session, row.project_id, "round.waiting_for_predictions", told)
    jobs.park(session, running, {"newest_annotation": labels.newest_annotation})


def came_meanwhile(session: Session, running: Running) -> bool:
    """Whether predictions were completed while this round was being prepared: another job uses them."""
    waiting = select(Job.payload).where(Job.project_id == running.project_id, Job.kind == "round")
    payload = session.execute(waiting.where(Job.state == "waiting")).scalar_one_or_none()
    return bool(payload and payload.get("predictions"))


def words(row: Round) -> str:
    """What a waiting round waits for, and what to do."""
    return (
        f"Round {row.number} waits for the predictions of your own model, taught with {row.labels_count:,} labelled "
        "items: push them (project.learn_with of the Python client does it); the last order is served meanwhile."
    )


def keeping_places(
    session: Session,
    project_id: int,
    given: Given,
    class_ids: list[int],
    excluded: Indices,
    fresh: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """The new order with the items of the last one that have no prediction in their old places."""
    last = session.execute(
        select(Serving.round_id, Round.class_ids)
        .join(Round, Round.id == Serving.round_id)
        .where(Serving.project_id == project_id)
    ).one_or_none()
    if last is None:
        return fresh
    rows = session.execute(
        select(QueueEntry, Item.revision)
        .join(Item, Item.id == QueueEntry.item_id)
        .where(QueueEntry.round_id == last.round_id, ~QueueEntry.done)
        .order_by(QueueEntry.rank)
    ).all()
    ids = np.array([(entry.item_id, entry.unit, revision) for entry, revision in rows], dtype=np.int64).reshape(-1, 3)
    kept = ~given.has(ids)[0] & ~_among(ids[:, 0], excluded)
    same = last.class_ids == class_ids
    old = {
        place: {
            "item_id": entry.item_id,
            "unit": entry.unit,
            "score": entry.score,
            "probabilities": entry.probabilities if same else None,
        }
        for place, (entry, _) in enumerate(rows)
        if kept[place]
    }
    return _merged(old, fresh)


def _merged(old: dict[int, dict[str, Any]], fresh: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Fresh rows in order, each old one at its place, or behind where the order is shorter."""
    order: list[dict[str, Any]] = []
    waiting = iter(fresh)
    for place in range(len(old) + len(fresh)):
        row = old.get(place)
        if row is None:
            row = next(waiting, None)
        if row is not None:
            order.append(row)
    behind = [row for place, row in sorted(old.items()) if place >= len(old) + len(fresh)]
    return order + behind


def _among(items: Indices, excluded: Indices) -> Booleans:
    return np.isin(items, excluded)
