"""What the audit answers of a project speak of: its audit items as they were given, and with which share they came.

The pool that they speak of is what people are asked about: an item whose label came otherwise, by an import, a script
or a manager's word, is none of it, audit item or not, for nobody draws them by chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, case, exists, func, literal_column, or_, select, text
from sqlalchemy.orm import Session

from app.core.arrays import Booleans, Indices
from app.db import Annotation, AuditDraw, Item, Lease, Project, Selected, WriteSession, is_newest
from app.evaluation.reach import END, Audited, Pool, Reach, Shares, reach, thinned
from app.loop.serving import audit_place
from app.services import tasks
from app.services.answered import one_of
from app.services.leases import OPEN
from app.services.pool import IN_POOL

MOST = 100_000  # audit items without an answer, those with the lowest draws: a uniform sample of them
COLUMNS = select(Item.id, Item.draw, Item.key, Item.created_at)
# People are asked about it, or were.
ASKED = or_(
    ~Item.done,
    exists(select(Annotation.id).where(Annotation.item_id == Item.id, Annotation.kind.not_in(("import", "review")))),
)
ENOUGH = 0.9  # of the answers: where so many speak of all, nobody looks at what fewer items are known by


@dataclass(frozen=True)
class Standing:
    """The audit items (n,) that chance gives out, the ids up to which each of the pushes that brought them goes, and
    which items somebody holds.
    """

    audited: Audited
    shares: Shares
    ends: list[int]
    held: Booleans

    @property
    def barred(self) -> Booleans:
        """The audit items (n,) that the lowest share would not have taken."""
        if self.audited.places is None or not len(self.shares.levels):
            return np.zeros(len(self.audited.ids), dtype=np.bool_)
        return np.asarray(self.audited.places >= self.shares.levels[0])

    def ahead(self, found: Reach) -> int:
        """How many audit items without an answer come before the order goes on from where it was."""
        last = self.audited.draws[self.audited.answered].max(initial=-1)
        silent = (found.others | found.unknown) & ~self.audited.answered & ~self.audited.left_out & ~self.held
        return int((silent & (self.audited.draws < last)).sum())


def of_answers(session: Session, project: Project, judged: Indices) -> tuple[Standing, Reach] | None:
    """What the audit answers to some items (n,) speak of; None where they are a sample of the whole pool, all of them.

    That is so where no audit item without an answer has a lower draw than one with; then it costs O(n), else O(audit
    items), and O(pool) where few of the answers speak of the whole.
    """
    if project.former_shares is None and _in_order(session, project, judged):
        return None
    standing = read(session, project, judged)
    whole = reach(standing.audited, standing.shares, _whole(), ())
    if len(standing.shares.shares) == 1 and whole.told.sum() >= ENOUGH * standing.audited.answered.sum():
        return standing, whole
    counted = pool_of(session, project, [*standing.ends, *(int(each) - 1 for each in standing.shares.since[1:])])
    return standing, reach(standing.audited, standing.shares, counted, standing.ends)


def read(session: Session, project: Project, judged: Indices) -> Standing:
    """The audit items as they stand. O(audit items)."""
    shares = shares_of(session, project)
    rows = [*_given(session, project.id, judged), *(never := _never(session, project.id, judged, MOST))]
    if len(never) == MOST:
        rows = [row for row in rows if row.draw <= never[-1].draw]
    ids = np.array([row.id for row in rows], dtype=np.int64)
    draws = np.array([row.draw for row in rows], dtype=np.int64)
    places = None
    if len(shares.levels) > 1:
        places = np.array([audit_place(project.seed, row.key) for row in rows], dtype=np.float64)
    answered = np.isin(ids, judged)
    given = ~np.isin(ids, [row.id for row in never])
    silent = ~answered & np.isin(ids, left_out(session, project, ids[given & ~answered]))
    held = np.isin(ids, _held(session, project.id))
    last: dict[Any, int] = {}
    for row in rows:
        last[row.created_at] = max(last.get(row.created_at, 0), row.id)
    ends = thinned(sorted(last.values())[:-1])
    return Standing(Audited(ids, draws, given, answered, silent, places), shares, ends, held)


def pool_of(session: Session, project: Project, ids: Sequence[int]) -> Pool:
    """How many items that people are asked about have ids up to each of some; one pass over the pool."""
    bounds = sorted({each for each in ids if each > 0})
    place: ColumnElement[int] = literal_column(str(len(bounds)))
    if bounds:
        place = case(*((Item.id <= each, literal_column(str(at))) for at, each in enumerate(bounds)), else_=place)
    here = select(place.label("place")).where(Item.project_id == project.id, *IN_POOL, ASKED).subquery()
    counts = np.zeros(len(bounds) + 1, dtype=np.int64)
    for at, count in session.execute(select(here.c.place, func.count()).group_by(here.c.place)):
        counts[int(at)] = count
    return Pool(np.array([*bounds, END], dtype=np.int64), np.cumsum(counts))


def shares_of(session: Session, project: Project) -> Shares:
    """The audit shares that the items of a project came in with; the present one only once an item did."""
    former = project.former_shares or []
    since = [0, *(int(end) + 1 for end, _ in former)]
    shares = [*(float(each) for _, each in former), project.audit_share]
    newer = select(Item.id).where(Item.project_id == project.id, Item.id >= since[-1]).limit(1)
    if former and session.execute(newer).first() is None:
        since, shares = since[:-1], shares[:-1]
    return Shares(np.array(since, dtype=np.int64), np.array(shares))


def barred(session: Session, project: Project, ids: Indices) -> Indices:
    """Those of some items that the lowest audit share would not have taken; none where it was never changed."""
    levels = shares_of(session, project).levels if project.former_shares else np.empty(0)
    if levels.size < 2:
        return ids[:0]
    rows = session.execute(select(Item.id, Item.key).where(one_of(session, Item.id, ids.tolist()))).all()
    return np.array([row.id for row in rows if audit_place(project.seed, row.key) >= levels[0]], dtype=np.int64)


def asked_about(session: Session, ids: Indices) -> Indices:
    """Those of some items that people are asked about, or were, and that are there still."""
    here = select(Item.id).where(one_of(session, Item.id, ids.tolist()), *IN_POOL, ASKED)
    return np.fromiter(session.execute(here).scalars(), dtype=np.int64)


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


def left_out(session: Session, project: Project, ids: Indices) -> list[int]:
    """Those of some items without a judging answer that people skipped, or said nobody can answer."""
    question = tasks.driving(tasks.questions(session, project))
    answers = select(Annotation.item_id, Annotation.label).where(
        one_of(session, Annotation.item_id, ids.tolist()), Annotation.kind == "audit", is_newest(Annotation),
        Annotation.counted, ~Annotation.retracted,
    )  # fmt: skip
    rows = session.execute(answers).all()
    none = [row.item_id for row in rows if (row.label.get(question.id) or {}).get("unanswerable")]
    return [*none, *_skipped(session, ids)]


def _skipped(session: Session, ids: Indices) -> Sequence[int]:
    """Those of some items that somebody skipped as audit items and nobody holds."""
    mine = (Lease.kind == "audit", one_of(session, Lease.item_id, ids.tolist()))
    held = select(Lease.item_id).where(*mine, text("leases.state = 'live'"))
    found = select(Lease.item_id).where(*mine, text("leases.state = 'skipped'"), Lease.item_id.not_in(held))
    return session.execute(found.distinct()).scalars().all()


def _held(session: Session, project_id: int) -> list[int]:
    """The audit items of a project that somebody has now."""
    live = (Lease.project_id == project_id, Lease.kind == "audit", text("leases.state = 'live'"))
    return list(session.execute(select(Lease.item_id).where(*live)).scalars())


def _whole() -> Pool:
    """A pool that is not counted, as all of it is spoken of."""
    return Pool(np.array([END], dtype=np.int64), np.array([1], dtype=np.int64))


def _in_order(session: Session, project: Project, judged: Indices) -> bool:
    """Whether all of some answered items come before each audit item without an answer."""
    if not len(judged):
        return True
    last = session.execute(select(func.max(Item.draw)).where(one_of(session, Item.id, judged.tolist()))).scalar()
    first = _never(session, project.id, judged, 1)
    if first and last is not None and last > first[0].draw:
        return False
    silent = [row.id for row in _given(session, project.id, judged) if row.id not in set(judged.tolist())]
    return not silent


def _never(session: Session, project_id: int, judged: Indices, most: int) -> list[Any]:
    """Open audit items that nobody was given, in their order."""
    given, named, drawn = _marks()
    answered = one_of(session, Item.id, judged.tolist())
    here = (Item.project_id == project_id, Item.reserved, text(OPEN), ~given, ~named, ~drawn, ~answered)
    return list(session.execute(COLUMNS.where(*here).order_by(Item.draw).limit(most)).all())


def _given(session: Session, project_id: int, judged: Indices) -> list[Any]:
    """Audit items that chance gave out, also those that were skipped, given back or are in somebody's hands."""
    given, named, drawn = _marks()
    answered = one_of(session, Item.id, judged.tolist())
    here = (Item.project_id == project_id, Item.reserved, *IN_POOL, ASKED, given | named | answered, ~drawn)
    return list(session.execute(COLUMNS.where(*here)).all())


def _marks() -> tuple[ColumnElement[bool], ColumnElement[bool], ColumnElement[bool]]:
    """Whether an item was given as an audit item, was named by a selection as one, and was drawn by a learner."""
    return (
        exists(select(Lease.id).where(Lease.item_id == Item.id, Lease.kind == "audit")),
        exists(select(Selected.item_id).where(Selected.item_id == Item.id)),
        exists(select(AuditDraw.item_id).where(AuditDraw.item_id == Item.id, AuditDraw.drawn_at.is_not(None))),
    )
