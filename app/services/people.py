"""Erasing what the service holds about a person, and the audit log. `docs/personal-data.md` says where it lies.

Erasure keeps the person's row under a random name, so that answers stay with one and the same nobody.
"""

import json
import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.core.errors import Conflict, NotFound
from app.db import (
    Annotation,
    BrowserSession,
    Edit,
    KeyedRequest,
    Lease,
    Member,
    OneTimeLink,
    Project,
    Snapshot,
    Token,
    User,
    WriteSession,
)
from app.db.session import now
from app.services import audit, closing, jobs, leases, links
from app.services.access import Person
from app.services.accounts import keep_an_admin, need_admin
from app.services.personal import ABOUT, renamed


def erase(session: WriteSession, person: Person, user_id: int, *, answers: bool = False) -> None:
    """Forget who somebody was: no name, password, session, token or role stays; the answers keep a pseudonym.

    With `answers` the answers go too, where they are the person's own. A job writes a tombstone, so that a restored
    backup forgets the person again, and has the database's leftovers overwritten.

    Raises:
        Conflict: the last admin, or the only manager of a project.
    """
    need_admin(person)
    user = session.get(User, user_id)
    if user is None or user.erased_at is not None:
        raise NotFound("there is no such user")
    keep_an_admin(session, user)
    if alone := _managed_alone(session, user_id):
        raise Conflict("this person is the only manager of a project: name another one first", projects=alone)
    if answers:
        _without_answers(session, user_id)
    forget(session, user)
    audit.record(session, "user.erased", person.id, user=user_id, answers=answers)


def forget(session: WriteSession, user: User) -> None:
    """Take the name and all rights away, wherever they stand, and ask for the job; `erase` without its questions."""
    before, made = user.name, user.created_at.isoformat()
    pseudonym = f"erased-{secrets.token_hex(6)}"  # random: it says nothing of who it was
    for owned in (BrowserSession, Token, Member, KeyedRequest, OneTimeLink):
        session.execute(delete(owned).where(owned.user_id == user.id))
    links.end_of(session, user.id)
    # Answers kept for repeated requests of other people quote the name.
    quoted = KeyedRequest.answer.contains(json.dumps(before, ensure_ascii=False), autoescape=True)
    session.execute(delete(KeyedRequest).where(quoted))
    leases.release_of(session, user.id)
    imported = update(Annotation).where(Annotation.annotator_name == before)
    session.execute(imported.values(annotator_name=pseudonym))
    naming = select(Snapshot).where(Snapshot.filter.contains(ABOUT, autoescape=True))
    for snapshot in session.execute(naming).scalars():
        snapshot.filter = renamed(snapshot.filter, before, pseudonym)
    user.name = user.folded_name = pseudonym
    user.password_hash, user.admin, user.active, user.erased_at = None, False, False, now(session)
    jobs.enqueue(session, "erase", None, {"user": user.id, "made": made})


def _without_answers(session: WriteSession, user_id: int) -> None:
    """Remove a person's own answers with every version of them; their items are asked about again."""
    own = select(Annotation.answer_id).where(Annotation.annotator_id == user_id, Annotation.version == 1)
    mine = Annotation.answer_id.in_(own)
    items = session.execute(select(Annotation.project_id, Annotation.item_id).where(mine).distinct()).all()
    _without_changes(session, {str(each) for each in session.execute(own).scalars()}, [row.item_id for row in items])
    session.execute(delete(Annotation).where(mine))
    freed = update(Lease).where(Lease.annotator_id == user_id, Lease.state.in_(("live", "answered")))
    session.execute(freed.values(state="released"))
    for number in sorted({row.project_id for row in items}):
        ids = sorted(row.item_id for row in items if row.project_id == number)
        for start in range(0, len(ids), 500):
            closing.refresh(session, session.get_one(Project, number), ids[start : start + 500])


def _without_changes(session: WriteSession, answers: set[str], items: Sequence[int]) -> None:
    """Take out of what undoing would bring back what is of these answers; earlier releases kept their labels there."""
    for start in range(0, len(items), 500):
        for edit in session.execute(select(Edit).where(Edit.item_id.in_(items[start : start + 500]))).scalars():
            if edit.after.get("label", {}).get("answer") in answers:
                edit.before, edit.after = (_without_label(each) for each in (edit.before, edit.after))
                if not edit.after:
                    session.delete(edit)
    session.flush()


def _without_label(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "label"}


def audit_log(session: Session, person: Person, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Lines of the audit log older than the id `before`, newest first, for admins."""
    need_admin(person)
    names = {row.id: row.name for row in session.execute(select(User.id, User.name))}
    return [
        {
            "id": event.id,
            "at": event.at,
            "user": names.get(event.user_id) if event.user_id else None,
            "project": event.project_id,
            "request": event.request_id,
            "action": event.action,
            "detail": event.detail,
        }
        for event in audit.listed(session, before, limit)
    ]


def _managed_alone(session: Session, user_id: int) -> list[int]:
    managers = (
        select(Member.project_id)
        .join(Project, Project.id == Member.project_id)
        .where(Member.role == "manager", Project.deleted_at.is_(None))
        .group_by(Member.project_id)
        .having(func.count() == 1, func.max(Member.user_id) == user_id)
    )
    return list(session.execute(managers.order_by(Member.project_id)).scalars())
