"""The clients' own vectors: pushed with the items, all of one width, kept until the feature store takes them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Row, func, insert, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.core.arrays import Floats
from app.db import ClientFeature, Item, PendingFeature, WriteSession
from app.services.rows import PreparedRow

BYTES = 4  # of one number of a stored vector


def width_of(session: Session, project_id: int) -> int | None:
    """How many numbers the project's vectors have; None before the first one."""
    size = session.execute(
        select(func.length(ClientFeature.vector))
        .join(Item, Item.id == ClientFeature.item_id)
        .where(Item.project_id == project_id)
        .limit(1)
    ).scalar_one_or_none()
    return None if size is None else int(size) // BYTES


def other_widths(rows: Iterable[PreparedRow], width: int | None) -> tuple[list[tuple[int, str, str]], int | None]:
    """The rows whose vectors are not of the width, with line, key and reason; and the width, set by the first one."""
    refused = []
    for row in rows:
        if row.features is None:
            continue
        given = len(row.features) // BYTES
        width = width or given
        if given != width:
            reason = f"features has {given:,} numbers; the first vector of this project has {width:,}"
            refused.append((row.line, row.key, reason))
    return refused, width


def refused(session: WriteSession, project_id: int, rows: Sequence[PreparedRow]) -> list[tuple[int, str, str]]:
    """The rows of a batch whose vectors do not fit; until the transaction ends nobody else sets the first width."""
    if all(row.features is None for row in rows):
        return []
    width = width_of(session, project_id)
    if width is None and session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(8202, :project)"), {"project": project_id % 2**31})
        width = width_of(session, project_id)
    return other_widths(rows, width)[0]


def keep(
    session: WriteSession,
    project_id: int,
    rows: Iterable[PreparedRow],
    known: dict[str, Row[Any]],
    changed: set[int],
    created: set[str],
) -> None:
    """Store vectors; an item that the feature store has passed by is put in line for it once more.

    `created` holds the keys of items that this batch has made: the store comes to those by itself.
    """
    wanted = {known[row.key].id: row for row in rows if row.features is not None}
    if not wanted:
        return
    stored = select(ClientFeature.item_id, ClientFeature.vector).where(ClientFeature.item_id.in_(wanted))
    before: dict[int, bytes] = dict(session.execute(stored).all())
    fresh = [{"item_id": item_id, "vector": row.features} for item_id, row in wanted.items() if item_id not in before]
    if fresh:
        session.execute(insert(ClientFeature), fresh)
    replaced = [item_id for item_id, row in wanted.items() if item_id in before and before[item_id] != row.features]
    for item_id in replaced:
        session.execute(
            update(ClientFeature).where(ClientFeature.item_id == item_id).values(vector=wanted[item_id].features)
        )
    late = [item_id for item_id, row in wanted.items() if item_id not in before and row.key not in created]
    changed |= {wanted[item_id].line for item_id in (*replaced, *late)}
    put_in_line(session, project_id, [*replaced, *late])


def put_in_line(session: WriteSession, project_id: int, item_ids: list[int]) -> None:
    """Ask for new vectors of items that the feature store may have passed by."""
    if not item_ids:
        return
    insert_for = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    values = [{"item_id": item_id, "project_id": project_id} for item_id in item_ids]
    session.execute(insert_for(PendingFeature).values(values).on_conflict_do_nothing())


def of_items(session: Session, item_ids: Sequence[int]) -> dict[int, Floats]:
    """The vectors of those items that have one."""
    rows = session.execute(
        select(ClientFeature.item_id, ClientFeature.vector).where(ClientFeature.item_id.in_(item_ids))
    )
    return {item_id: np.frombuffer(vector, dtype="<f4") for item_id, vector in rows}
