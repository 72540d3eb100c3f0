"""Complete versions of outside models: where they lie, how they are read, and what they suggest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.settings import Settings
from app.db import PredictionSet, PredictionShard, Project
from app.features import Given, ShardInfo, StoredShard
from app.learners import EXTERNAL
from app.services import tasks
from app.services.access import Person, project_for
from app.services.pool import FeaturePool

PROBABILITIES, FEATURES = "probabilities", "features"


@dataclass(frozen=True)
class Version:
    """A complete version of an outside model: its probabilities, the features it brought, and how it is used."""

    set_id: int
    model: str
    version: str
    use: str
    given: Given
    class_ids: list[int]  # its classes that are classes still
    features: FeaturePool | None

    def learner(self) -> dict[str, Any]:
        """What a round's row says of its learner."""
        return {"name": EXTERNAL, "model": self.model, "version": self.version, "predictions": self.set_id}


def set_folder(settings: Settings, project_id: int, name: str) -> Path:
    """Where the shards of one version lie."""
    return settings.data / "predictions" / str(project_id) / name


def listed(session: Session, person: Person, project_ref: int | str, limit: int, before: int | None) -> Sequence[Any]:
    """Versions with their bytes on the disk, newest first, for reviewers and managers; `before` is an id."""
    project = project_for(session, person, project_ref, "reviewer")
    size = select(func.coalesce(func.sum(PredictionShard.bytes), 0)).where(PredictionShard.set_id == PredictionSet.id)
    statement = select(PredictionSet, size.scalar_subquery()).where(PredictionSet.project_id == project.id)
    if before is not None:
        statement = statement.where(PredictionSet.id < before)
    return session.execute(statement.order_by(PredictionSet.id.desc()).limit(limit)).all()


def shards_of(session: Session, settings: Settings, chosen: PredictionSet, kind: str) -> list[StoredShard]:
    """The shards of one kind of a version, in the order in which they were written."""
    rows = session.execute(
        select(PredictionShard)
        .where(PredictionShard.set_id == chosen.id, PredictionShard.kind == kind)
        .order_by(PredictionShard.id)
    ).scalars()
    folder = set_folder(settings, chosen.project_id, chosen.folder)
    return [StoredShard(folder, ShardInfo(row.name, row.rows, row.checksum, row.bytes, False)) for row in rows]


def opened(session: Session, settings: Settings, set_id: int | None, class_ids: list[int]) -> Version | None:
    """A version ready to be used; None where it is not there or has no class in common with the project."""
    chosen = session.get(PredictionSet, set_id) if set_id is not None else None
    if chosen is None or chosen.state != "complete":
        return None
    project = session.get_one(Project, chosen.project_id)
    merged = tasks.driving(tasks.questions(session, project)).merged
    now = [merged.get(number, number) for number in chosen.class_ids]
    kept = [number for number in dict.fromkeys(now) if number in class_ids]
    if not kept:
        return None
    places = np.array([kept.index(number) if number in kept else -1 for number in now], dtype=np.int64)
    shards = shards_of(session, settings, chosen, PROBABILITIES)
    given = Given.read(shards, places, tasks.several(project))
    return Version(
        chosen.id, chosen.model, chosen.version, chosen.use, given, kept, _features(session, settings, chosen)
    )


def _features(session: Session, settings: Settings, chosen: PredictionSet) -> FeaturePool | None:
    """The features that came with a version: they take the place of the project's own in its rounds."""
    if not chosen.width:
        return None
    shards = shards_of(session, settings, chosen, FEATURES)
    folder = set_folder(settings, chosen.project_id, chosen.folder)
    sentence = f"The features of {chosen.model}, {chosen.version}."
    return FeaturePool(0, f"predictions-{chosen.id}", sentence, folder, [each.info for each in shards])


def suggest(
    session: Session, settings: Settings, project_id: int, class_ids: list[int], rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Places of an order with what the newest version pushed for suggestions says of their items.

    `rows` hold `item_id`, `unit`, `revision` and `probabilities` by `class_ids`; the ones of which the version says
    nothing stay as they are.
    """
    newest = session.execute(
        select(PredictionSet.id)
        .where(PredictionSet.project_id == project_id, PredictionSet.state == "complete")
        .where(PredictionSet.use == "suggest")
        .order_by(PredictionSet.completed_at.desc(), PredictionSet.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    version = opened(session, settings, newest, class_ids)
    if version is None or not rows:
        return rows
    ids = np.array([(row["item_id"], row["unit"], row["revision"]) for row in rows], dtype=np.int64)
    found, known = version.given.of(ids)
    whole = np.zeros((len(known), len(class_ids)), dtype=np.float32)
    whole[:, [class_ids.index(number) for number in version.class_ids]] = known
    said = iter(whole)
    return [
        {**row, "probabilities": [round(float(value), 5) for value in next(said)]} if there else row
        for row, there in zip(rows, found, strict=True)
    ]
