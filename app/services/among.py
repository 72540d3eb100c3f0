"""Items by a select of their ids: few are read by them, many are tested one by one in the order that is asked for."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BinaryExpression, ColumnElement, any_, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.operators import in_op

from app.db import Item
from app.db.functions import Tested

FEW = 20_000  # so many items are read by their ids; more are tested one by one in the order that is asked for


def among(session: Session, found: Any) -> ColumnElement[bool]:
    """Whether an item's id is one of a select's; databases begin with a few ids, and end with many."""
    return by_ids(session, found) if are_few(session, found) else Tested(Item.id).in_(found)


def by_ids(session: Session, found: Any) -> ColumnElement[bool]:
    """Whether an item's id is one of a few of a select's."""
    if session.get_bind().dialect.name == "postgresql":  # an array is never taken for a reason to read all
        return Item.id == any_(func.array(found.scalar_subquery()))
    return Item.id.in_(found)


def are_few(session: Session, found: Any) -> bool:
    """Whether a select gives few rows; reads no more of them than it takes to know."""
    some = select(found.subquery().c[0]).limit(FEW + 1).subquery()
    return int(session.execute(select(func.count()).select_from(some)).scalar_one()) <= FEW


def of_project(project_id: int, conditions: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Whether an item is one of a project's; only tested where another condition gives the ids to read.

    SQLite takes every project for one of ten items, and would walk all of this one's instead of reading those.
    """
    column: Any = Tested(Item.project_id) if any(map(_gives_ids, conditions)) else Item.project_id
    return column == project_id  # type: ignore[no-any-return]


def _gives_ids(condition: ColumnElement[bool]) -> bool:
    return (
        isinstance(condition, BinaryExpression)
        and condition.operator is in_op
        and getattr(condition.left, "name", None) == Item.id.key
    )
