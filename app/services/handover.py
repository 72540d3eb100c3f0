"""What a round learns from, handed over: the labelled items of its snapshot, for models that are trained elsewhere."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from app.core.errors import TooLarge
from app.core.settings import Settings
from app.core.text import write_json
from app.db import Annotation, Database, Item, Project, Round
from app.services import batches, exports, rounds, tasks
from app.services.access import Person
from app.task_types import TASK_TYPES, Question

ANSWERS_AT_ONCE = 500
LESSON_BYTES = 200_000_000


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


def lesson(db: Database, settings: Settings, row: Round, head: Mapping[str, Any]) -> bytes:
    """What a round learns from in one JSON object, for a scorer: `head` and `items` with their content, files too.

    Raises:
        TooLarge: it has more than 200 MB.
    """
    with db.read() as session:
        items = _by_item(session, list(row.labels))
    parts: list[bytes] = []
    size = 0
    for page in _pages(db, row.project_id, list(row.class_ids), items, settings):
        for each in page:
            parts.append(write_json(each).encode())
            size += len(parts[-1])
            if size > LESSON_BYTES:
                raise TooLarge(f"what there is to learn from has more than {LESSON_BYTES:,} bytes")
    return write_json(head).encode()[:-1] + b',"items":[' + b",".join(parts) + b"]}"


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
    db: Database, project_id: int, class_ids: list[int], items: dict[int, list[int]], whole: Settings | None = None
) -> Iterator[list[dict[str, Any]]]:
    """`whole`: files are in the rows, else their names."""
    numbers = list(items)
    for start in range(0, len(numbers), ANSWERS_AT_ONCE):
        with db.read() as session:
            some = {number: items[number] for number in numbers[start : start + ANSWERS_AT_ONCE]}
            yield _page(session, project_id, class_ids, some, whole)


def _page(
    session: Session, project_id: int, class_ids: list[int], items: dict[int, list[int]], whole: Settings | None
) -> list[dict[str, Any]]:
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
    content: dict[int, Row[Any]] = {}
    for row in rows:
        target = kind.targets(tasks.in_force(row.label, asked).get(question.id, {}), class_ids)
        if target is not None:
            shares.setdefault(row.item_id, []).append(target)
            content[row.item_id] = row
    types = batches.types_of(session, list(content.values())) if whole is not None else {}
    found = []
    for item, each in shares.items():
        payload = content[item].payload
        shown = exports.content(payload) if whole is None else batches.content(whole, project_id, payload, types)
        if shown is not None:
            said = _said(np.mean(each, axis=0), names, class_ids, question)
            found.append({"key": content[item].key, **shown, **said})
    return found


def _said(shares: Any, names: dict[int, str], class_ids: list[int], question: Question) -> dict[str, Any]:
    kind = TASK_TYPES[question.type]
    told = {number: round(float(share), 4) for number, share in zip(class_ids, shares, strict=True) if share > 0}
    if question.options.get("multiple"):
        best = [number for number, share in told.items() if share >= tasks.LIKELY]
    else:
        best = [number for number, share in told.items() if share == max(told.values())]
    sure = len(best) == 1 or bool(question.options.get("multiple"))
    label = kind.show(kind.guess(best, question), question) if sure else None
    return {"label": label, "shares": {names.get(number, str(number)): share for number, share in told.items()}}
