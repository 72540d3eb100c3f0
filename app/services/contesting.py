"""An outside model's version beside a round of the project, on the items that judge the round."""

from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import Conflict
from app.core.settings import Settings
from app.db import Item, PredictionSet, Project, RoundRecord
from app.services import answered, comparing, pairs, records, rounds, tasks, versions
from app.services.access import Person, absent, standing, visible


def contest(
    session: Session, settings: Settings, person: Person, project_ref: int | str, number: int, set_id: int
) -> dict[str, Any]:
    """A version's predictions held against those of a round, by the answers that the round knew; nothing is learned.

    Cost: O(judged items). What the version says of other items, and items that it does not speak of, are left out.

    Raises:
        NotFound: there is no such round, or no such version in the project.
        Conflict: the version is not complete or has no class of the project, or what the round said is not kept.
    """
    project = standing(session, person, project_ref, "reviewer").project
    row = rounds.one(session, person, project_ref, number)
    chosen, owner = visible(session, person, PredictionSet, set_id, "reviewer")
    if owner.id != project.id:
        raise absent(PredictionSet)
    version = versions.opened(session, settings, set_id, list(row.class_ids))
    if version is None:
        raise Conflict(
            f"version {chosen.version} of {chosen.model} is not complete, or has none of the round's classes"
        )
    question = tasks.driving(tasks.questions(session, project))
    record = comparing.record_of(session, row)
    shared = pairs.common(record, _as_record(session, project, record, version), question.merged)
    paired = comparing.paired_of(shared.pairs)
    return {
        "round": row.number,
        "model": chosen.model,
        "version": chosen.version,
        "words": comparing.words((f"round {number}", f"{chosen.model} {chosen.version}"), shared, paired),
        "accuracy": comparing.accuracy_of(shared, paired),
        "classes": comparing.classes_of(session, project, question, shared.pairs),
    }


def _as_record(session: Session, project: Project, record: RoundRecord, version: versions.Version) -> RoundRecord:
    """The record that a round of this version would have left of the items that judged another one."""
    judged = dict(record.judged or {})
    multiple = tasks.several(project)
    for name in records.STRATA:
        if name not in judged:
            continue
        items = judged[name]["items"]
        revisions = session.execute(select(Item.id, Item.revision).where(answered.one_of(session, Item.id, items)))
        now = {each.id: each.revision for each in revisions}
        ids = np.array([(item, 0, now.get(item, 0)) for item in items], dtype=np.int64).reshape(-1, 3)
        found, probabilities = version.given.of(ids)
        judged[name] = {
            "items": [item for item, there in zip(items, found, strict=True) if there],
            "said": records.taken_for(probabilities, version.class_ids, multiple),
            "answers": [each for each, there in zip(judged[name]["answers"], found, strict=True) if there],
        }
    return RoundRecord(judged=judged, sample={"items": [], "said": []})
