"""What the current answers of a project teach: one row a labelled item, by the rules of disagreement.

Each counted answer has weight 1/n of its item; a manager's decisive answer wins over the others; a retracted
answer, an answer to earlier content and an answer without a class teach nothing.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.core.arrays import Floats
from app.db import Annotation, Item, is_newest
from app.task_types import TASK_TYPES
from app.task_types.base import Question


@dataclass
class LabelledItem:
    """One item with what its answers say about each class (shares that sum to one, or 0/1 means per class).

    `audit`: it was served as a member of the audit share; `chosen`: by the order of a round; `imported_test`: it is of
    the client's own test set.
    """

    item_id: int
    unit: int
    revision: int
    audit: bool
    imported_test: bool
    shares: Floats
    annotations: list[int] = field(default_factory=list)
    chosen: bool = False


@dataclass(frozen=True)
class LabelSet:
    """All labelled items of a project at one moment."""

    items: list[LabelledItem]
    newest_annotation: int  # the highest annotation id that was looked at, counted or not

    @property
    def annotation_ids(self) -> list[int]:
        return sorted(number for item in self.items for number in item.annotations)


def label_set(session: Session, project_id: int, question: Question, class_ids: list[int]) -> LabelSet:
    """Read the current answers and put them together by item; O(answers) time and memory."""
    rows = session.execute(
        rows_of(project_id).where(
            Annotation.item_revision == Item.revision,
            Item.state == "open",
            is_newest(),
        )
    ).all()
    newest = session.execute(
        select(Annotation.id).where(Annotation.project_id == project_id).order_by(Annotation.id.desc()).limit(1)
    ).scalar_one_or_none()
    return LabelSet(combined(rows, question, class_ids), newest or 0)


def rows_of(project_id: int) -> Select[Any]:
    """The answers of a project with what `combined` reads of them, the earliest first."""
    return (
        select(
            Annotation.id,
            Annotation.item_id,
            Annotation.item_revision,
            Annotation.unit,
            Annotation.label,
            Annotation.kind,
            Annotation.decisive,
            Annotation.counted,
            Annotation.retracted,
            Item.reserved,
            Item.split,
        )
        .join(Item, Item.id == Annotation.item_id)
        .where(Annotation.project_id == project_id)
        .order_by(Annotation.id)
    )


def combined(rows: Iterable[Any], question: Question, class_ids: list[int]) -> list[LabelledItem]:
    """One labelled item for each item and unit that the answers teach something about."""
    kind = TASK_TYPES[question.type]
    by_item: dict[tuple[int, int], list[Any]] = defaultdict(list)
    for row in rows:
        if (row.counted or row.decisive) and not row.retracted:
            by_item[(row.item_id, row.unit)].append(row)
    return [item for rows_ in by_item.values() if (item := _combine(rows_, kind, question, class_ids)) is not None]


def by_class(items: list[LabelledItem], class_ids: list[int]) -> dict[str, Any]:
    """How often each class is named: `taught` items, and for each class its labels (shares that sum) and its items."""
    shares = np.array([item.shares for item in items], dtype=np.float64).reshape(len(items), len(class_ids))
    counts = zip(class_ids, shares.sum(axis=0), (shares > 0).sum(axis=0), strict=True)
    return {
        "taught": len(items),
        "classes": [
            {"class_id": number, "labels": round(float(total), 1), "items": int(named)}
            for number, total, named in counts
        ],
    }


def _combine(rows: list[Any], kind: Any, question: Question, class_ids: list[int]) -> LabelledItem | None:
    deciding = [row for row in rows if row.decisive][-1:] or rows
    shares, used = [], []
    for row in deciding:
        target = kind.targets(kind.in_force(row.label.get(question.id, {}), question), class_ids)
        if target is not None:
            shares.append(target)
            used.append(row.id)
    if not shares:
        return None
    first = rows[0]
    mean = np.asarray(shares, dtype=np.float32).mean(axis=0)
    test = first.split == "audit"
    # What somebody chose to import is no uniform sample of the pool, although the audit draw fell on it too.
    audit = first.reserved and any(row.kind == "audit" for row in rows)
    chosen = any(row.kind == "query" for row in rows)
    return LabelledItem(first.item_id, first.unit, first.item_revision, audit, test, mean, used, chosen)
