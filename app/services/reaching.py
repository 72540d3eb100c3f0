"""What the audit answers of a project speak of: its audit items as they were given, and with which share they came."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, exists, func, select, text
from sqlalchemy.orm import Session

from app.core.arrays import Booleans, Indices
from app.db import AuditDraw, Item, Lease, Project, Selected, WriteSession
from app.evaluation.reach import Audited, Reach, Shares, reach
from app.loop.serving import audit_place
from app.services.answered import one_of
from app.services.leases import OPEN
from app.services.pool import IN_POOL

MOST = 100_000  # audit items that nobody was given, those with the lowest draws: a uniform sample of them
COLUMNS = select(Item.id, Item.draw, Item.key)


@dataclass(frozen=True)
class Standing:
    """The audit items that chance gives out, and what their answers speak of."""

    audited: Audited
    reach: Reach
    shares: Shares

    @property
    def unheard(self) -> int:
        """How many audit items are not spoken of."""
        return int(self.reach.unheard.sum())

    @property
    def ahead(self) -> int:
        """How many of these come before the order goes on from where it was."""
        last = self.audited.draws[self.audited.given].max(initial=-1)
        return int((self.reach.unheard & ~self.audited.given & (self.audited.draws < last)).sum())

    def drawn(self, to: int) -> Reach:
        """The items that were given as by draws, after others that could take items up to an id."""
        return reach(self.audited, self.shares, drawn_to=to)

    @property
    def barred(self) -> Booleans:
        """The audit items (n,) that the lowest share would not have taken."""
        if self.audited.places is None:
            return np.zeros(len(self.audited.ids), dtype=np.bool_)
        return np.asarray(self.audited.places >= self.shares.levels[0])

    @property
    def shut(self) -> float:
        """How many audit items the lowest share would have made of the items that came in while it was 0."""
        return self.shares.shut * float(self.shares.levels[0]) if self.shares.shut and len(self.shares.levels) else 0.0


def of_answers(session: Session, project: Project, judged: Indices) -> Standing | None:
    """What the audit answers to some items (n,) speak of; None where they speak of the whole pool, all of them alike.

    That is so while nothing came in after the first of them was given; then it costs O(n), else O(audit items).
    """
    if project.former_shares is None and _in_order(session, project.id, judged):
        return None
    return read(session, project, judged)


def read(session: Session, project: Project, judged: Indices) -> Standing:
    """The same whether or not it is the whole pool. O(audit items), and over items that came in without a share."""
    shares = shares_of(session, project)
    before, never = _given(session, project.id, judged), _never(session, project.id, MOST)
    if len(never) == MOST:
        before = [row for row in before if row.draw <= never[-1].draw]
    rows = [*before, *never]
    ids = np.array([row.id for row in rows], dtype=np.int64)
    draws = np.array([row.draw for row in rows], dtype=np.int64)
    given = np.arange(len(rows)) < len(before)
    places = None
    if len(shares.levels) > 1:
        places = np.array([audit_place(project.seed, row.key) for row in rows], dtype=np.float64)
    audited = Audited(ids, draws, given, np.isin(ids, judged), places)
    return Standing(audited, reach(audited, shares), shares)


def shares_of(session: Session, project: Project) -> Shares:
    """The audit shares that the items of a project came in with. O(items that came in while it was 0)."""
    former = project.former_shares or []
    since = [0, *(int(end) + 1 for end, _ in former)]
    shares = [*(float(share) for _, share in former), project.audit_share]
    shut = 0
    for first, share, after in zip(since, shares, [*since[1:], None], strict=True):
        if share == 0:
            here = [Item.id >= first, *([] if after is None else [Item.id < after])]
            counted = select(func.count()).where(Item.project_id == project.id, *here, *IN_POOL)
            shut += session.execute(counted).scalar_one()
    return Shares(np.array(since, dtype=np.int64), np.array(shares), shut)


def barred(session: Session, project: Project, ids: Indices) -> Indices:
    """Those of some items that the lowest audit share would not have taken; none where it was never changed."""
    levels = shares_of(session, project).levels if project.former_shares else np.empty(0)
    if levels.size < 2:
        return ids[:0]
    rows = session.execute(select(Item.id, Item.key).where(one_of(session, Item.id, ids.tolist()))).all()
    return np.array([row.id for row in rows if audit_place(project.seed, row.key) >= levels[0]], dtype=np.int64)


def share_at(project: Project, item_id: int) -> float:
    """The audit share that an item came in with."""
    found = (float(share) for end, share in project.former_shares or [] if item_id <= end)
    return next(found, project.audit_share)


def change(session: WriteSession, project: Project, share: float) -> None:
    """Set the audit share of items to come; the project's row is locked, so that none comes in meanwhile."""
    if share == project.audit_share:
        return
    newest = session.execute(select(func.max(Item.id)).where(Item.project_id == project.id)).scalar()
    former = project.former_shares or []
    if newest is not None and (not former or newest > former[-1][0]):
        project.former_shares = [*former, [newest, project.audit_share]]
    project.audit_share = share


def _in_order(session: Session, project_id: int, judged: Indices) -> bool:
    """Whether all of some items were given before each audit item that nobody was given yet."""
    if not len(judged):
        return True
    last = session.execute(select(func.max(Item.draw)).where(one_of(session, Item.id, judged.tolist()))).scalar()
    first = _never(session, project_id, 1)
    return not first or last is None or last < first[0].draw


def _never(session: Session, project_id: int, most: int) -> list[Any]:
    """Audit items that nobody was given, in their order."""
    given, named, drawn = _marks()
    here = (Item.project_id == project_id, Item.reserved, text(OPEN), ~given, ~named, ~drawn)
    return list(session.execute(COLUMNS.where(*here).order_by(Item.draw).limit(most)).all())


def _given(session: Session, project_id: int, judged: Indices) -> list[Any]:
    """Audit items that chance gave out, also those that were skipped or are in somebody's hands."""
    given, named, drawn = _marks()
    answered = one_of(session, Item.id, judged.tolist())
    here = (Item.project_id == project_id, Item.reserved, Item.state == "open", given | named | answered, ~drawn)
    return list(session.execute(COLUMNS.where(*here)).all())


def _marks() -> tuple[ColumnElement[bool], ColumnElement[bool], ColumnElement[bool]]:
    """Whether an item was given as an audit item, was named by a selection as one, and was drawn by a learner."""
    return (
        exists(select(Lease.id).where(Lease.item_id == Item.id, Lease.kind == "audit")),
        exists(select(Selected.item_id).where(Selected.item_id == Item.id)),
        exists(select(AuditDraw.item_id).where(AuditDraw.item_id == Item.id, AuditDraw.drawn_at.is_not(None))),
    )
