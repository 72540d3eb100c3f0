"""What the service holds about a person: handed out as a whole, and erased."""

from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.core.errors import Conflict, NotFound
from app.db import Annotation, BrowserSession, Event, Lease, Member, Project, Token, User, WriteSession
from app.services import audit
from app.services.access import Person
from app.services.accounts import keep_an_admin, need_admin


def export(session: Session, person: Person, user_id: int) -> dict[str, Any]:
    """Everything about one person, for that person and for admins; other people do not exist (NotFound)."""
    user = session.get(User, user_id)
    if user is None or person.token_project is not None or (user_id != person.id and not person.admin):
        raise NotFound("there is no such user, or it is not you")
    members = select(Member.project_id, Member.role, Member.slice, Member.created_at).where(Member.user_id == user_id)
    tokens = select(Token.id, Token.name, Token.scopes, Token.created_at, Token.expires_at)
    answers = select(
        Annotation.id,
        Annotation.project_id,
        Annotation.item_id,
        Annotation.version,
        Annotation.label,
        Annotation.seconds_spent,
        Annotation.created_at,
    )
    events = select(Event.at, Event.action, Event.project_id, Event.detail)
    return {
        "user": {
            "id": user.id,
            "name": user.name,
            "admin": user.admin,
            "active": user.active,
            "created_at": user.created_at,
        },
        "projects": _rows(session, members.order_by(Member.project_id)),
        "tokens": _rows(session, tokens.where(Token.user_id == user_id).order_by(Token.id)),
        "answers": _rows(session, answers.where(Annotation.annotator_id == user_id).order_by(Annotation.id)),
        "events": _rows(session, events.where(Event.user_id == user_id).order_by(Event.id)),
    }


def erase(session: WriteSession, person: Person, user_id: int) -> None:
    """Forget who somebody was: no name, password, session, token or role stays; the answers keep a pseudonym.

    Raises:
        Conflict: the last admin, or the only manager of a project.
    """
    need_admin(person)
    user = session.get(User, user_id)
    if user is None or user.folded_name == _pseudonym(user_id):
        raise NotFound("there is no such user")
    keep_an_admin(session, user)
    if alone := _managed_alone(session, user_id):
        raise Conflict("this person is the only manager of a project: name another one first", projects=alone)
    for owned in (BrowserSession, Token, Member):
        session.execute(delete(owned).where(owned.user_id == user_id))
    session.execute(update(Lease).where(Lease.annotator_id == user_id, Lease.state == "live").values(state="released"))
    user.name = user.folded_name = _pseudonym(user_id)
    user.password_hash, user.admin, user.active = None, False, False
    audit.record(session, "user.erased", person.id, user=user_id)


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
            "action": event.action,
            "detail": event.detail,
        }
        for event in audit.listed(session, before, limit)
    ]


def _rows(session: Session, statement: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in session.execute(statement).mappings()]


def _pseudonym(user_id: int) -> str:
    return f"person-{user_id}-erased"


def _managed_alone(session: Session, user_id: int) -> list[int]:
    managers = (
        select(Member.project_id)
        .join(Project, Project.id == Member.project_id)
        .where(Member.role == "manager", Project.deleted_at.is_(None))
        .group_by(Member.project_id)
        .having(func.count() == 1, func.max(Member.user_id) == user_id)
    )
    return list(session.execute(managers.order_by(Member.project_id)).scalars())
