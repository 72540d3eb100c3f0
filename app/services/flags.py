"""Flags: annotators' notes on items, which managers and reviewers read, answer and close."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from app.core.text import check_text
from app.db import Flag, Item, User, WriteSession
from app.db.session import now
from app.services import outbox
from app.services.access import Person, absent, visible

NOTES_SHOWN = 10
LONGEST = 2_000  # characters of a note and of a reply


@dataclass(frozen=True)
class StoredFlag:
    """A note with its writer's name and the reply, if any; `state` is `open` or `closed`."""

    id: int
    item: int
    person: str
    note: str
    state: str
    reply: str | None
    created_at: datetime


def flag(session: WriteSession, person: Person, item_id: int, note: str) -> Flag:
    """Store a note on an item of a project that the person works in. Raises NotFound."""
    item, project = visible(session, person, Item, item_id)
    if item.state == "deleted":
        raise absent(Item)
    moment = now(session)
    checked = check_text(note, what="note", limit=LONGEST)
    row = Flag(
        project_id=project.id, item_id=item.id, user_id=person.id, note=checked, created_at=moment, updated_at=moment
    )
    session.add(row)
    session.flush()
    told = {"flag": row.id, "item": item.id, "key": item.key, "note": checked}
    outbox.emit(session, project.id, "flag.created", told)
    return row


def of_item(session: Session, item_id: int) -> Sequence[StoredFlag]:
    """All notes on an item, oldest first."""
    rows = session.execute(
        select(Flag, User.name).join(User, User.id == Flag.user_id).where(Flag.item_id == item_id).order_by(Flag.id)
    )
    return [_stored(row, name) for row, name in rows]


@dataclass(frozen=True)
class OwnNote:
    """A person's own note on an item, with the reply if there is one; `updated_at` moves with state and reply."""

    id: int
    key: str
    note: str
    state: str
    reply: str | None
    updated_at: datetime


def of_person(session: Session, person: Person, project_id: int) -> list[OwnNote]:
    """The person's own newest notes in a project, the last changed first."""
    rows = session.execute(
        select(Flag, Item.key)
        .join(Item, Item.id == Flag.item_id)
        .where(Flag.project_id == project_id, Flag.user_id == person.id)
        .order_by(Flag.updated_at.desc(), Flag.id.desc())
        .limit(NOTES_SHOWN)
    ).all()
    return [OwnNote(row.id, key, row.note, row.state, row.reply, row.updated_at) for row, key in rows]


def settle(session: WriteSession, person: Person, flag_id: int, state: str, reply: str | None) -> StoredFlag:
    """Close a note or open it again, with a reply where one is given; reviewers and managers.

    Raises NotFound, Forbidden.
    """
    row, _ = visible(session, person, Flag, flag_id, "reviewer")
    row.state, row.updated_at = state, now(session)
    if reply is not None:
        row.reply = check_text(reply, what="reply", limit=LONGEST)
    session.flush()
    return _stored(row, session.get_one(User, row.user_id).name)


def count(session: Session, project_id: int) -> int:
    """Items with a note that nobody has closed."""
    return session.execute(
        select(func.count(func.distinct(Flag.item_id))).where(Flag.project_id == project_id, Flag.state == "open")
    ).scalar_one()


def flagged(project_id: int) -> ColumnElement[bool]:
    """Whether an item has a note that nobody has closed."""
    return Item.id.in_(select(Flag.item_id).where(Flag.project_id == project_id, Flag.state == "open"))


def _stored(row: Flag, name: str) -> StoredFlag:
    return StoredFlag(row.id, row.item_id, name, row.note, row.state, row.reply, row.created_at)
