"""The draws of a project and what its audit orders were drawn from, as the tables keep them.

A frame is kept for each project that chooses its audit items, and is brought up to date whenever an order is dealt. It
takes about a byte an item.
"""

from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.arrays import Doubles, Indices
from app.db import AuditDraw, AuditFrame, WriteSession
from app.evaluation.frames import Frame
from app.services.records import packed, unpacked


@dataclass(frozen=True)
class Made:
    """All draws of a project in their order, (m,) each: see `AuditDraw`."""

    items: Indices
    places: Indices
    chances: Doubles
    left: Indices
    newest: Indices

    @property
    def next(self) -> int:
        """The first place after all of them."""
        return int(self.places[-1]) + 1 if len(self.places) else 0

    def first(self, count: int) -> "Made":
        """The first ones alone."""
        first = slice(count)
        return Made(
            self.items[first], self.places[first], self.chances[first], self.left[first], self.newest[first]
        )  # fmt: skip


def drawn(session: Session, project_id: int) -> Made | None:
    """All draws of a project, None where there are none."""
    rows = session.execute(
        select(AuditDraw.item_id, AuditDraw.place, AuditDraw.chance, AuditDraw.remaining, AuditDraw.newest_item)
        .where(AuditDraw.project_id == project_id, AuditDraw.drawn_at.is_not(None))
        .order_by(AuditDraw.place)
    ).all()
    if not rows:
        return None
    items, places, chances, left, newest = (np.array(column) for column in zip(*rows, strict=True))
    return Made(items, places, chances.astype(np.float64), left, newest)


def of_project(session: Session, project_id: int, made: Made | None, there: Indices) -> Frame:
    """What is kept of a project's audit items; what its draws say of those that are there (k,) where nothing is kept.

    That is so before the first order, and where an earlier release dealt all of them.
    """
    row = session.get(AuditFrame, project_id)
    if row is not None:
        gone = [(first, last, count) for first, last, count in row.gone]
        return Frame(unpacked(row.items), unpacked(row.since), gone)
    if made is None:
        return Frame.empty()
    return _told_by(made, np.union1d(there, made.items))


def keep(session: WriteSession, project_id: int, frame: Frame) -> None:
    """Keep what an order was dealt from."""
    row = {"items": packed(frame.ids), "since": packed(frame.since), "gone": [list(each) for each in frame.gone]}
    session.merge(AuditFrame(project_id=project_id, **row))


def _told_by(made: Made, ids: Indices) -> Frame:
    """Since when items (n,) could be drawn, by the newest item that each draw could take.

    Where a draw had another number of items left than are known of, it was drawn from others: only later ones count.
    """
    newest = np.maximum.accumulate(made.newest)
    left = np.searchsorted(ids, newest, side="right") - np.arange(len(made.items))
    others = np.flatnonzero(left != made.left)
    first = np.searchsorted(newest, ids, side="left")
    ids, first = ids[first < len(newest)], first[first < len(newest)]
    if others.size:
        first = np.maximum(first, int(others[-1]) + 1)
    return Frame(ids, np.append(made.places, made.next)[first], [])
