"""What the current learner says of items that are not stored; nothing of them is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import AppError, Conflict, Invalid
from app.core.settings import Settings
from app.db import Database, Project, Round, Serving
from app.services import applying, features, heads, outside, tasks
from app.services.access import Person, project_for
from app.services.borrowing import transform
from app.services.rows import PreparedRow

MOST_ITEMS = 200


@dataclass(frozen=True)
class Predicted:
    """One item's label in the API's form and its probabilities by class name, most probable first."""

    key: str
    label: dict[str, Any]
    probabilities: dict[str, float]


@dataclass(frozen=True)
class _Content:
    project_id: int
    payload: dict[str, Any]


def predict(
    db: Database, settings: Settings, person: Person, project_ref: int | str, items: Sequence[dict[str, Any]]
) -> tuple[int, list[Predicted]]:
    """The round whose learner speaks, and what it says of each item, in order.

    Raises:
        Conflict: no round has a model yet, or the project's model is outside.
        Invalid: no or too many items, or one that the project would not take; its place is named.
    """
    if not 1 <= len(items) <= MOST_ITEMS:
        raise Invalid(f"items is a list of 1 to {MOST_ITEMS}", fields={"items": len(items)})
    with db.read() as session:
        project = project_for(session, person, project_ref, "reviewer")
        head = heads.of_round(session, settings, project, _current(session, project))
        asked = tasks.questions(session, project)
        question = tasks.driving(asked)
    rows = _read(db, settings, project.id, items)
    block = transform(head.featurizer, _payloads(db, settings, project, head, rows), head.state)
    names = {each.id: each.name for each in question.classes}
    found = []
    for row, said in zip(rows, head.model.probabilities(block).tolist(), strict=True):
        ranked = tasks.opinion(question, head.round.class_ids, said)
        told = {names.get(number, str(number)): round(share, 5) for share, number in ranked}
        label = tasks.show_label({question.id: tasks.likely(question, ranked)[0]}, asked)
        found.append(Predicted(row.key, label, told))
    return head.round.number, found


def _current(session: Session, project: Project) -> Round:
    if (silence := tasks.silence(tasks.questions(session, project))) is not None:
        raise Conflict(silence)
    if outside.is_external(project):
        raise Conflict("this project's model is outside: ask it there")
    row = session.execute(
        select(Round).join(Serving, Serving.round_id == Round.id).where(Serving.project_id == project.id)
    ).scalar_one_or_none()
    if row is None:
        raise Conflict("no round has been run yet: push items, label some of two classes, and try again")
    return row


def _read(db: Database, settings: Settings, project_id: int, items: Sequence[dict[str, Any]]) -> list[PreparedRow]:
    reader = applying.reader_of(db, settings, project_id, applying.Options())
    reader.expect(items)
    rows = []
    for place, item in enumerate(items):
        try:
            row = reader.prepare(place + 1, item)
            if row.payload is None:
                raise Invalid("the item's content is missing")
            if row.to_fetch:
                raise Invalid("nothing is fetched for a prediction: upload the file and name it")
        except AppError as error:
            raise Invalid(f"items[{place}]: {error}", fields={f"items.{place}": str(error)}) from None
        rows.append(row)
    return rows


def _payloads(
    db: Database, settings: Settings, project: Project, head: heads.Head, rows: Sequence[PreparedRow]
) -> Sequence[Any]:
    if head.featurizer.name != "client":
        content: list[Any] = [_Content(project.id, row.payload or {}) for row in rows]
        with db.read() as session:
            return features.payloads(session, settings, project.modality, content)
    vectors = [np.frombuffer(row.features or b"", dtype="<f4") for row in rows]
    for place, vector in enumerate(vectors):
        if len(vector) != head.state:
            said = f"features has {len(vector):,} numbers" if len(vector) else "features is missing"
            raise Invalid(f"items[{place}]: {said}; this project learns from pushed vectors of {head.state:,} numbers")
    return list(vectors)
