"""Audit items that a manager asks for now: the next ones that are served, in the audit order, ahead of the share.

They are the head of the same order that the share takes its items from, so the audit answers are a uniform sample as
before: a request says when they come, never which. It is done once so many items are answered. What was given back or
skipped, or ran out, is asked for again, so it is counted from the leases and nothing has to be kept in step with them.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from app.core.errors import Conflict, Invalid
from app.db import Item, Lease, Project, Serving, WriteSession, reads
from app.services import audit, auditing, leases
from app.services.access import Person, project_for
from app.services.pool import IN_POOL

USUAL, MOST = 40, 1_000  # items of a request
NOBODY = 0  # an annotator's id that no lease has

# Items that were given out since a request, and those of them that are answered.
SINCE = reads(
    text("""
        SELECT count(DISTINCT item_id) AS given,
               count(DISTINCT CASE WHEN state = 'answered' THEN item_id END) AS answered
        FROM leases WHERE kind = 'audit' AND project_id = :project AND id > :since AND state IN ('live', 'answered')
    """),
    "given answered",
)


@dataclass(frozen=True)
class Asked:
    """How many audit items were asked for, 0 for none, and the newest lease when that was."""

    count: int = 0
    since: int = 0


NOTHING = Asked()


@dataclass(frozen=True)
class Request:
    """A request that is not done: `left` of its `count` items have no answer yet, `in_hands` of these are given out."""

    count: int
    left: int
    in_hands: int


@dataclass(frozen=True)
class Standing:
    """The request that runs, if any, and how many audit items may be given out still, counted up to 1,000."""

    request: Request | None
    open: int
    words: str


def of_project(session: Session, project: Project) -> Standing:
    """What was asked for and what is there to be asked for; O(open items, 1,000 at most, and leases since then)."""
    row = session.execute(
        select(Serving.audit_asked, Serving.audit_since).where(Serving.project_id == project.id)
    ).one()
    found = _request(session, project.id, Asked(row.audit_asked, row.audit_since))
    left = _open(session, project)
    return Standing(found, left, _words(session, project, found, left))


def show(session: Session, person: Person, ref: int | str) -> Standing:
    """The same for managers alone: annotators are not to know what their items are for."""
    return of_project(session, project_for(session, person, ref, "manager"))


def begin(session: WriteSession, person: Person, ref: int | str, count: int) -> Standing:
    """Let the next `count` items that are served be audit items.

    Raises:
        Conflict: the project is not open, no audit item is open, or a request runs already.
        Invalid: fewer audit items are open.
    """
    project = project_for(session, person, ref, "manager")
    if project.state != "open":
        raise Conflict(f"the project is {project.state}: open it first")
    leases.one_at_a_time(session, project.id)  # nothing is given out between the newest lease and the request
    running = of_project(session, project)
    if running.request is not None:
        raise Conflict(f"there is a request already, {running.words}: cancel that first")
    if running.open == 0:
        raise Conflict(running.words)
    if count > running.open:
        raise Invalid(f"{running.words}: ask for no more", fields={"count": count})
    newest = session.execute(select(func.coalesce(func.max(Lease.id), 0))).scalar_one()
    _store(session, project.id, Asked(count, newest))
    audit.record(session, "audit.asked", person.id, project_id=project.id, count=count)
    return of_project(session, project)


def cancel(session: WriteSession, person: Person, ref: int | str) -> None:
    """Go back to the share; what people hold stays theirs. Nothing happens where no request runs."""
    project = project_for(session, person, ref, "manager")
    leases.one_at_a_time(session, project.id)
    running = of_project(session, project).request
    _store(session, project.id, NOTHING)
    if running is not None:
        told = {"count": running.count, "left": running.left}
        audit.record(session, "audit.cancelled", person.id, project_id=project.id, **told)


def left_to_give(session: WriteSession, project_id: int, asked: Asked) -> int:
    """How many of the next items are to be audit items; ends a request that is done."""
    row = _since(session, project_id, asked)
    if row.answered >= asked.count:
        _store(session, project_id, NOTHING)
    return max(0, asked.count - int(row.given))


def _request(session: Session, project_id: int, asked: Asked) -> Request | None:
    if not asked.count:
        return None
    row = _since(session, project_id, asked)
    if row.answered >= asked.count:
        return None
    return Request(asked.count, asked.count - int(row.answered), int(row.given) - int(row.answered))


def _since(session: Session, project_id: int, asked: Asked) -> Any:
    return session.connection().execute(SINCE, {"project": project_id, "since": asked.since}).one()


def _open(session: Session, project: Project) -> int:
    values = {"project": project.id, "annotator": NOBODY, "overlap": project.overlap}
    source = leases.CHOSEN if auditing.is_active(project) else leases.DRAWN
    values |= {} if source is leases.CHOSEN else {"reserved": True}
    found: int = session.execute(source.counted(most=MOST), values).scalar_one()
    return found


def _store(session: WriteSession, project_id: int, asked: Asked) -> None:
    values = {"audit_asked": asked.count, "audit_since": asked.since}
    session.execute(update(Serving).where(Serving.project_id == project_id).values(**values))


def _words(session: Session, project: Project, found: Request | None, left: int) -> str:
    some = f"{'at least ' if left == MOST else ''}{left:,} audit item{' is' if left == 1 else 's are'} open"
    if found is not None:
        waits = "" if left or found.in_hands else "; no audit item is open any more"
        waits = waits if project.state == "open" else f"; the project is {project.state}"
        return f"{found.left:,} of {found.count:,} audit items left{waits}"
    if left == 0 and project.audit_share == 0:
        return "no audit item is open: the audit share is 0, so that none of the items that come in is one"
    if left:
        return some
    if not _has_any(session, project.id):
        return "no audit item is open: the project has none yet"
    return "no audit item is open: all of them are answered or in people's hands"


def _has_any(session: Session, project_id: int) -> bool:
    """Whether any item of the pool is an audit item, answered or not."""
    either = Item.done.in_((False, True))  # so that an index leads to them
    here = (Item.project_id == project_id, *IN_POOL, either, Item.reserved)
    return session.execute(select(Item.id).where(*here).limit(1)).first() is not None
