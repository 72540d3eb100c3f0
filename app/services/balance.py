"""How often each class is named, in the labels and in the pool, and how often people disagree."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db import Annotation, Project, Round
from app.services import answered, tasks
from app.services.labels import by_class, label_set
from app.task_types.base import Question

COUNTED_NOW = 2_000  # answers that are put together anew for whoever looks; of more, what the last round counted


def balance(session: Session, project: Project, last: Round | None) -> dict[str, Any]:
    """Classes in the labels, and in the pool as the audit answers (or the client's own test set) tell it.

    `balance_round` is the round that counted the labels; None where they are counted now, which is so of up to 2,000
    answers, and as long as no round has counted any.
    """
    question = tasks.driving(tasks.questions(session, project))
    classes = tasks.classes_of(session, project.id, retired=False, question=question.id)
    metrics = (last.metrics or {}) if last else {}
    counted = metrics.get("labelled") if _are_many(session, project.id) else None
    found = counted or _now(session, project.id, question, [each.number for each in classes])
    by_number = _merged(found, question)
    judged = metrics.get("balance", [])
    # What a round found of classes that were merged meanwhile holds for none of them: nothing until the next round.
    stale = {question.merged.get(each["class_id"]) for each in judged} - {None}
    pool = {each["class_id"]: each for each in judged if each["class_id"] not in stale}
    rows = []
    for each in classes:
        labels, items = by_number.get(each.number, (0.0, 0))
        rows.append(
            {
                "class": {"id": each.number, "name": each.name, "color": each.color},
                "labels": round(labels, 1),
                "items": items,  # of which one answer at least says so
                "label_share": round(labels / max(found["taught"], 1), 4),
                "pool": pool.get(each.number),
            }
        )
    return {
        "balance": rows,
        "balance_of": metrics.get("balance_of", "audit"),
        "balance_round": last.number if last and counted else None,
    }


def disputed(session: Session, project: Project, last: Round | None) -> int:
    """Items whose label is a tie: counted now, or where there are many answers by the last round."""
    counted = (last.metrics or {}).get("disputed") if last and _are_many(session, project.id) else None
    return int(counted) if counted is not None else ties(session, project)


def ties(session: Session, project: Project) -> int:
    """Items whose label is a tie now; O(answers)."""
    return len(answered.disputed_ids(session, project)) if project.overlap > 1 else 0


def _are_many(session: Session, project_id: int) -> bool:
    some = select(Annotation.id).where(Annotation.project_id == project_id).limit(COUNTED_NOW + 1).subquery()
    return bool(session.execute(select(func.count()).select_from(some)).scalar_one() > COUNTED_NOW)


def _now(session: Session, project_id: int, question: Question, class_ids: list[int]) -> dict[str, Any]:
    labelled = label_set(session, project_id, question, class_ids).items
    return by_class([item for item in labelled if not item.imported_test], class_ids)


def _merged(found: dict[str, Any], question: Question) -> dict[int, tuple[float, int]]:
    """Labels and items by class, those of a class that was merged since under the one that it is now."""
    by_number: dict[int, tuple[float, int]] = {}
    for each in found["classes"]:
        number = question.merged.get(each["class_id"], each["class_id"])
        labels, items = by_number.get(number, (0.0, 0))
        by_number[number] = (labels + each["labels"], items + each["items"])
    return by_number
