"""What a round learns from, handed over: the labelled items of its snapshot, for models that are trained elsewhere."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import Annotation, Database, Item, Project
from app.services import exports, rounds, tasks
from app.services.access import Person
from app.task_types import TASK_TYPES

ANSWERS_AT_ONCE = 500


def snapshot(db: Database, person: Person, project_ref: int | str, number: int) -> Iterator[list[dict[str, Any]]]:
    """The labelled items of a round, some hundred at a time: key, content, label and the share of each class.

    The label is the class with the largest share, or every class of at least a half where several may hold; of a tie
    it is null, and the shares say between what. Items that were deleted or got other content since are left out.

    Raises:
        NotFound: no such round.
    """
    with db.read() as session:
        row = rounds.one(session, person, project_ref, number)
        project_id, class_ids = row.project_id, list(row.class_ids)
        items = _by_item(session, list(row.labels))
    return _pages(db, project_id, class_ids, items)


def _by_item(session: Session, annotation_ids: list[int]) -> dict[int, list[int]]:
    """The snapshot's answers by item, items in their own order."""
    found: dict[int, list[int]] = {}
    for start in range(0, len(annotation_ids), ANSWERS_AT_ONCE):
        some = annotation_ids[start : start + ANSWERS_AT_ONCE]
        for number, item_id in session.execute(
            select(Annotation.id, Annotation.item_id).where(Annotation.id.in_(some))
        ).all():
            found.setdefault(item_id, []).append(number)
    return dict(sorted(found.items()))


def _pages(
    db: Database, project_id: int, class_ids: list[int], items: dict[int, list[int]]
) -> Iterator[list[dict[str, Any]]]:
    numbers = list(items)
    for start in range(0, len(numbers), ANSWERS_AT_ONCE):
        with db.read() as session:
            yield _page(session, project_id, class_ids, {n: items[n] for n in numbers[start : start + ANSWERS_AT_ONCE]})


def _page(session: Session, project_id: int, class_ids: list[int], items: dict[int, list[int]]) -> list[dict[str, Any]]:
    project = session.get_one(Project, project_id)
    asked = tasks.questions(session, project)
    question = tasks.driving(asked)
    kind, names = TASK_TYPES[question.type], {each.id: each.name for each in question.classes}
    rows = session.execute(
        select(Annotation.item_id, Annotation.label, Item.key, Item.payload)
        .join(Item, Item.id == Annotation.item_id)
        .where(Annotation.id.in_([number for own in items.values() for number in own]))
        .where(Item.state == "open", Annotation.item_revision == Item.revision)
        .order_by(Annotation.item_id, Annotation.id)
    ).all()
    shares: dict[int, list[list[float]]] = {}
    content: dict[int, dict[str, Any]] = {}
    for row in rows:
        target = kind.targets(tasks.in_force(row.label, asked).get(question.id, {}), class_ids)
        if target is not None:
            shares.setdefault(row.item_id, []).append(target)
            content[row.item_id] = {"key": row.key, **exports.content(row.payload)}
    several = bool(question.options.get("multiple"))
    named = [names.get(number, str(number)) for number in class_ids]
    return [{**content[item], **_said(np.mean(each, axis=0), named, several)} for item, each in shares.items()]


def _said(shares: Any, names: list[str], several: bool) -> dict[str, Any]:
    told = {name: round(float(share), 4) for name, share in zip(names, shares, strict=True) if share > 0}
    if several:
        label: dict[str, Any] | None = {"classes": [name for name, share in told.items() if share >= 0.5]}
    else:
        best = [name for name, share in told.items() if share == max(told.values())]
        label = {"class": best[0]} if len(best) == 1 else None
    return {"label": label, "shares": told}
