"""Whether labels fit the items that they are of: a ranking names as many candidates as its item has."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from app.core.errors import InvalidLabel
from app.db import Item, Project
from app.services import tasks
from app.services.rows import PreparedRow
from app.task_types import Question


def payloads(session: Session, asked: Sequence[Question], item_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The content of items where labels have to fit it: where candidates are compared; else nothing."""
    if not tasks.compares(asked) or not item_ids:
        return {}
    return {row.id: row.payload for row in session.execute(select(Item.id, Item.payload).where(Item.id.in_(item_ids)))}


def misfit(label: Mapping[str, Any], asked: Sequence[Question], payload: Mapping[str, Any] | None) -> str | None:
    """Why a stored label does not fit an item's content; None where it does, or nothing depends on it."""
    try:
        if payload is not None:
            tasks.check_item(label, asked, payload)
    except InvalidLabel as error:
        return str(error)
    return None


def misfits(
    session: Session, project: Project, batch: Sequence[PreparedRow], known: Mapping[str, Row[Any]]
) -> list[tuple[int, str, str]]:
    """The rows that label an existing item by what does not fit its content, with line, key and reason."""
    asked = tasks.questions(session, project)
    only = [row for row in batch if row.payload is None and row.labels and row.key in known]
    contents = payloads(session, asked, [known[row.key].id for row in only])
    found = []
    for row in only:
        reasons = (misfit(each.stored, asked, contents.get(known[row.key].id)) for each in row.labels)
        if (reason := next((each for each in reasons if each is not None), None)) is not None:
            found.append((row.line, row.key, reason))
    return found
