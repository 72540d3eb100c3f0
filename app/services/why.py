"""Why an item is asked: what the model thinks of it, and the labelled items that are most like it.

An annotator sees the own answers among them, who may review sees everybody's. Nothing is told about items that are
served blind, so that an answer stays its annotator's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from app.core.settings import Settings
from app.db import Annotation, Item, Lease, Project, is_newest
from app.features import gather
from app.services import annotations, leases, pool, tasks
from app.services.access import Person

NEIGHBOURS = 3
LOOKED_AT = 2_000  # newest labelled items among which the nearest are looked for
TEXT_SHOWN = 400


@dataclass(frozen=True)
class Neighbour:
    """A labelled item with its stored label and its cosine similarity to the item that is asked."""

    key: str
    payload: dict[str, Any]
    label: dict[str, Any]
    similarity: float


@dataclass(frozen=True)
class Why:
    """The most probable classes with their probabilities, and the nearest labelled items, nearest first."""

    project: Project
    blind: bool
    classes: Sequence[tuple[str, str, float]] = ()
    neighbours: Sequence[Neighbour] = ()


def why(session: Session, settings: Settings, person: Person, lease_id: int) -> Why:
    """Explain one of the person's own leases; O(labelled items, at most 2,000) beside a look at the shards' ids.

    Raises:
        NotFound: no such lease, or it is another annotator's.
    """
    held = leases.mine(session, lease_id, person)
    project = session.get_one(Project, held.project_id)
    if held.blind:
        return Why(project, blind=True)
    return Why(project, False, _classes(session, project, held), _neighbours(session, settings, person, held))


def _classes(session: Session, project: Project, held: Lease) -> list[tuple[str, str, float]]:
    known = {each.number: each for each in tasks.classes_of(session, project.id)}
    likely = (held.reason or {}).get("likely") or []
    question = tasks.driving(tasks.questions(session, project))
    ranked = tasks.opinion(question, [number for number, _ in likely], [float(share) for _, share in likely])
    return [(known[number].name, known[number].color, share) for share, number in ranked if number in known]


def _neighbours(session: Session, settings: Settings, person: Person, held: Lease) -> list[Neighbour]:
    features = pool.active(session, settings, held.project_id)
    rows = _labelled(session, person, held)
    if features is None or not rows:
        return []
    item = session.get_one(Item, held.item_id)
    ids = [(held.item_id, held.unit, item.revision), *((row.item_id, row.unit, row.revision) for row in rows)]
    found, block = gather(features.opened(), np.array(ids, dtype=np.int64))
    if not found[0]:
        return []
    kept = [row for row, there in zip(rows, found[1:], strict=True) if there]
    similarity = np.asarray(block.dense[1:] @ block.dense[0])
    nearest = np.argsort(-similarity, kind="stable")[:NEIGHBOURS]
    return [
        Neighbour(kept[i].key, _short(kept[i].payload), kept[i].label, round(float(similarity[i]), 3)) for i in nearest
    ]


def _labelled(session: Session, person: Person, held: Lease) -> Sequence[Row[Any]]:
    columns = (Annotation.item_id, Annotation.unit, Annotation.label, Item.key, Item.payload, Item.revision)
    statement = (
        select(*columns)
        .join(Item, Item.id == Annotation.item_id)
        .where(Annotation.project_id == held.project_id, ~Annotation.retracted, Item.state == "open")
        .where(Annotation.item_id != held.item_id, Item.split == "pool", Annotation.item_revision == Item.revision)
        .where(is_newest())
        .order_by(Annotation.id.desc())
        .limit(LOOKED_AT)
    )
    if not annotations.may_review(session, person, held.project_id):
        statement = statement.where(Annotation.annotator_id == person.id)
    rows = session.execute(statement).all()
    return list({(row.item_id, row.unit): row for row in reversed(rows)}.values())


def _short(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload with a long text cut to its beginning."""
    text = payload.get("text")
    return {**payload, "text": text[:TEXT_SHOWN]} if isinstance(text, str) else payload
