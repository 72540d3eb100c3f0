"""A round's trained head with all that it needs to speak again: its features' state, its classes, its card."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import Conflict
from app.core.settings import Settings
from app.db import FeatureSet, Project, Round
from app.featurizers import Featurizer, make_featurizer, options_of
from app.learners import DAMAGED, OUTSIDE, LinearModel
from app.services import opening
from app.services.pool import feature_folder


@dataclass(frozen=True)
class Head:
    """A linear head, the classes of its columns by number, and the featurizer with its state that feeds it."""

    round: Round
    model: LinearModel
    featurizer: Featurizer
    state: Any


def of_round(session: Session, settings: Settings, project: Project, row: Round) -> Head:
    """The head that a round trained, with its features.

    Raises:
        Conflict: the round's model is outside, or it has none that can be read.
    """
    if row.learner.get("name") in OUTSIDE:
        raise Conflict(f"the model of round {row.number} is outside: ask it there")
    if row.model_file is None:
        why = row.fallback or row.sentence or row.reason or "its labels do not tell classes apart"
        raise Conflict(f"round {row.number} has no model ({why}): label items of two classes first")
    model = opening.model_of(settings, project.id, row.model_file)
    if model is None:
        raise Conflict(f"the model of round {row.number} cannot be read again, is gone or damaged: start a new round")
    featurizer, state = _features(session, settings, project, row)
    return Head(row, model, featurizer, state)


def _features(session: Session, settings: Settings, project: Project, row: Round) -> tuple[Featurizer, Any]:
    chosen = session.execute(
        select(FeatureSet).where(FeatureSet.project_id == project.id, FeatureSet.version == row.featurizer)
    ).scalar_one_or_none()
    path: Path = feature_folder(settings, project.id, row.featurizer) / "state"
    if chosen is None or not path.exists():
        raise Conflict(f"the features of round {row.number} are gone: start a new round")
    featurizer = make_featurizer(chosen.name, options_of(chosen.name, project.featurizer, settings.text_encoder))
    try:
        return featurizer, featurizer.load(path)
    except DAMAGED:
        raise Conflict(f"the features of round {row.number} are damaged: start a new round") from None
