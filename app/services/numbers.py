"""Numbers in metadata: kept in order of their size, so that comparing them reads only what fits.

Filled by the job of the full-text index and changed with it (`search`). Few items that fit are read by their ids. Many
are tested along the order that is asked for, from the first of them to the last: where the numbers grow with the items,
the walk begins where they fit. What the table holds is never taken for an answer: the item itself is tested too.
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, text
from sqlalchemy.orm import Session

from app.core.filters import Condition
from app.db import Item, ItemNumber, WriteSession
from app.db.functions import MemberNumber, Tested
from app.services.among import are_few, by_ids

COMPARE: dict[str, Callable[[Any, float], ColumnElement[bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
PROBED = 2_000  # items at either end of a project that are tested before its whole range is looked up
ADD = "INSERT OR IGNORE INTO item_numbers (field, value, item_id) VALUES (?, ?, ?)"
DROP = "DELETE FROM item_numbers WHERE field = ? AND value = ? AND item_id = ?"
GIVEN = "unnest(CAST(:fields AS bigint[]), CAST(:values AS float8[]), CAST(:items AS bigint[]))"
ADD_MANY = text(
    f"INSERT INTO item_numbers (field, value, item_id) SELECT * FROM {GIVEN} ON CONFLICT DO NOTHING"  # noqa: S608  # a constant
)
DROP_MANY = text(
    f"DELETE FROM item_numbers AS old USING {GIVEN} AS gone (field, value, item_id)"  # noqa: S608  # a constant
    " WHERE old.field = gone.field AND old.value = gone.value AND old.item_id = gone.item_id"
)

Numbers = set[tuple[int, float]]


def field(project_id: int, name: str) -> int:
    """The number under which the values of a name in a project's metadata are kept."""
    digest = blake2b(f"{project_id}\0{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def of(project_id: int, metadata: Mapping[str, Any], fields: dict[str, int] | None = None) -> Numbers:
    """The numbers in an item's metadata by their fields; `fields` remembers names between items."""
    known = {} if fields is None else fields
    found = set()
    for name, value in metadata.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            if name not in known:
                known[name] = field(project_id, name)
            found.add((known[name], float(value)))
    return found


def add(session: WriteSession, numbers: Iterable[tuple[int, Numbers]]) -> None:
    """Keep the numbers of some items, by their ids."""
    _write(session, ADD, ADD_MANY, _rows(numbers))


def change(session: WriteSession, before: Mapping[int, Numbers], after: Mapping[int, Numbers]) -> None:
    """Let the numbers follow items whose metadata were changed."""
    gone = [(item, numbers - after.get(item, set())) for item, numbers in before.items()]
    _write(session, DROP, DROP_MANY, _rows(gone))
    add(session, ((item, numbers - before.get(item, set())) for item, numbers in after.items()))


def holds(name: str, asked: Sequence[Condition], metadata: Any) -> ColumnElement[bool]:
    """Whether comparisons of one name hold of a column of metadata."""
    number = MemberNumber(metadata, name)
    return and_(*(COMPARE[each.operator](number, each.number) for each in asked))


def fitting(
    session: Session, project_id: int, name: str, asked: Sequence[Condition], reached: int
) -> list[ColumnElement[bool]]:
    """What must hold of a row of `items` for comparisons of one name; the table knows items up to the id `reached`.

    Reads the numbers that fit, to 20,001 of them, and all of them where they are many and the first or last items of
    the project do not fit.
    """
    tested = holds(name, asked, Item.meta)
    if not reached:
        return [tested]
    kept = (
        ItemNumber.field == field(project_id, name),
        *(COMPARE[each.operator](ItemNumber.value, each.number) for each in asked),
    )
    last = session.execute(select(func.max(Item.id)).where(Item.project_id == project_id)).scalar() or 0
    found = select(ItemNumber.item_id).where(*kept)
    if are_few(session, found):
        few = by_ids(session, found)
        return [few if reached >= last else or_(few, Item.id > reached), tested]
    bounds = []
    if not _any_of_the_first(session, project_id, name, asked, Item.id):
        bounds.append(Tested(Item.id) >= session.execute(select(func.min(ItemNumber.item_id)).where(*kept)).scalar())
    if reached >= last and not _any_of_the_first(session, project_id, name, asked, Item.id.desc()):
        bounds.append(Tested(Item.id) <= session.execute(select(func.max(ItemNumber.item_id)).where(*kept)).scalar())
    return [*bounds, tested]


def _any_of_the_first(session: Session, project_id: int, name: str, asked: Sequence[Condition], order: Any) -> bool:
    # The metadata come along: asked for by their ids, PostgreSQL merged the few with the whole table.
    first = select(Item.id, Item.meta).where(Item.project_id == project_id).order_by(order).limit(PROBED).subquery()
    return session.execute(select(first.c.id).where(holds(name, asked, first.c.meta)).limit(1)).first() is not None


def _rows(numbers: Iterable[tuple[int, Numbers]]) -> list[tuple[int, float, int]]:
    # In the order of the key, neighbours are written together.
    return sorted((number, value, item) for item, found in numbers for number, value in found)


def _write(session: WriteSession, one: str, many: Any, rows: list[tuple[int, float, int]]) -> None:
    if not rows:
        return
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(one, rows)
        return
    fields, values, items = (list(column) for column in zip(*rows, strict=True))
    connection.execute(many, {"fields": fields, "values": values, "items": items})
