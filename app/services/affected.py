"""Which answers to look at again after a class was added or merged: those that the change most likely concerns.

A class with few labels is new: items of other classes that are most like its labelled ones may belong to it. Of any
other class, the answers that the current model finds least probable are the ones to doubt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from app.core.arrays import Floats
from app.core.errors import NotFound
from app.core.settings import Settings
from app.db import Item, Project, ProjectClass, Round
from app.features import gather
from app.services import opening, pool, tasks
from app.services.access import Person, project_for
from app.services.labels import LabelledItem, label_set

FEW = 20  # labelled items below which a class counts as new
LOOKED_AT = 20_000  # newest labelled items that are compared


@dataclass(frozen=True)
class Affected:
    """Keys of items in the order in which to look at them; `by` is `similarity` or `probability`, with its values.

    `words` says why there is none.
    """

    by: str | None
    keys: Sequence[str]
    values: Sequence[float]
    words: str | None = None


def affected(session: Session, settings: Settings, person: Person, ref: int | str, number: int, limit: int) -> Affected:
    """The labelled items that a new or merged class most likely concerns; for reviewers and managers.

    O(answers) to read the labels, and one look at the features of at most 20,000 labelled items.

    Raises:
        NotFound: there is no such class.
    """
    project = project_for(session, person, ref, "reviewer")
    row = session.get(ProjectClass, (project.id, number))
    if row is None:
        raise NotFound("there is no such class")
    if row.retired:
        return _nothing(
            f"{row.name} is {'merged' if row.merged_into else 'retired'}: ask about a class that is offered"
        )
    question = next(each for each in tasks.questions(session, project) if each.id == row.question)
    class_ids = [each.id for each in question.classes if not each.retired]
    found = label_set(session, project.id, question, class_ids).items[-LOOKED_AT:]
    items = [item for item in found if not item.imported_test]
    place = class_ids.index(number)
    own = [item for item in items if item.shares[place] >= max(item.shares)]
    if not own:
        return _nothing(f"No item is {row.name} yet: give it to a few, then ask again.")
    if len(own) < FEW and not len(tasks.meaning(question, number)) > 1:
        others = [item for item in items if item.shares[place] < max(item.shares)]
        near = _similarity(session, settings, project, own, others)
        return _listed(session, "similarity", others, near, np.argsort(-near, kind="stable"), limit)
    sure = _probability(session, settings, project, own, tasks.meaning(question, number))
    return _listed(session, "probability", own, sure, np.argsort(sure, kind="stable"), limit)


def _nothing(words: str) -> Affected:
    return Affected(None, (), (), words)


def _similarity(
    session: Session, settings: Settings, project: Project, own: list[LabelledItem], others: list[LabelledItem]
) -> Floats:
    """Cosine similarity of each other item to the mean of the class's own; NaN without features."""
    features = pool.active(session, settings, project.id)
    if features is None or not others:
        return np.full(len(others), np.nan)
    shards = features.opened()
    _, mine = gather(shards, _ids(own))
    found, block = gather(shards, _ids(others))
    near = np.full(len(others), np.nan)
    if len(mine):
        centre = mine.dense.mean(axis=0)
        near[found] = block.dense @ (centre / max(float(np.linalg.norm(centre)), 1e-12))
    return near


def _probability(
    session: Session, settings: Settings, project: Project, own: list[LabelledItem], numbers: Sequence[int]
) -> Floats:
    """What the newest model gives the class (with those merged into it); NaN without features or model."""
    sure = np.full(len(own), np.nan)
    features = pool.active(session, settings, project.id)
    model, class_ids = _newest_model(session, settings, project, features.version if features else "")
    columns = [class_ids.index(number) for number in numbers if number in class_ids]
    if features is None or model is None or not columns:
        return sure
    found, block = gather(features.opened(), _ids(own))
    if len(block):
        sure[found] = model.probabilities(block)[:, columns].sum(axis=1)
    return sure


def _newest_model(session: Session, settings: Settings, project: Project, version: str) -> tuple[Any, list[int]]:
    row = session.execute(
        select(Round)
        .options(defer(Round.labels))
        .where(Round.project_id == project.id, Round.model_file.is_not(None), Round.featurizer == version)
        .order_by(Round.number.desc())
        .limit(1)
    ).scalar_one_or_none()
    if row is None or row.model_file is None:
        return None, []
    model = opening.model_of(settings, project.id, row.model_file)
    return (None, []) if model is None else (model, list(row.class_ids))


def _ids(items: list[LabelledItem]) -> Any:
    return np.array([(item.item_id, item.unit, item.revision) for item in items], dtype=np.int64).reshape(-1, 3)


def _listed(session: Session, by: str, items: list[LabelledItem], values: Floats, order: Any, limit: int) -> Affected:
    """The first items of an order that have a value, by key."""
    chosen = [place for place in order.tolist() if np.isfinite(values[place])][:limit]
    if not chosen:
        return _nothing("Nothing can be compared yet: a round is needed first.")
    ids = [items[place].item_id for place in chosen]
    keys: dict[int, str] = dict(session.execute(select(Item.id, Item.key).where(Item.id.in_(ids))).all())
    return Affected(by, [keys[each] for each in ids], [round(float(values[place]), 4) for place in chosen])
