"""One-time links: for the first admin, for who is invited, for who forgot the password, and for the demo's visitor."""

from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.core.secrets import hashed, new_secret
from app.db import OneTimeLink, WriteSession
from app.db.session import now

Kind = Literal["setup", "invitation", "password", "sign_in"]
ENDED = "this link is not valid any more: ask for a new one"
ENDED_SETUP = "this link is not valid any more: start the service again for a new one, or use `labelwise user create`"


def make(session: WriteSession, kind: Kind, *, hours: float, uses: int = 1, by: int | None = None, **more: Any) -> str:
    """A code of a new link; only its hash is stored. `more` are columns of the row: whose it is, where it leads."""
    code = new_secret()
    moment = now(session)
    ends = moment + timedelta(hours=hours)
    session.add(
        OneTimeLink(
            code_hash=hashed(code), kind=kind, uses_left=uses, created_by=by, created_at=moment, expires_at=ends, **more
        )
    )
    session.flush()
    return code


def check(session: Session, code: str, kind: Kind, moment: datetime) -> OneTimeLink:
    """A link of that kind as it stands; nothing is used up. Raises NotFound for one that cannot be used now."""
    found = select(OneTimeLink).where(OneTimeLink.code_hash == hashed(code), OneTimeLink.kind == kind)
    alive = found.where(OneTimeLink.uses_left > 0, OneTimeLink.expires_at > moment)
    if (link := session.execute(alive).scalar_one_or_none()) is None:
        raise NotFound(ENDED_SETUP if kind == "setup" else ENDED)
    return link


def use(session: WriteSession, code: str, kind: Kind) -> OneTimeLink:
    """Take one use of a link; two requests at once cannot share the last one. Raises NotFound as `check` does."""
    link = session.execute(
        update(OneTimeLink)
        .where(OneTimeLink.code_hash == hashed(code), OneTimeLink.kind == kind, OneTimeLink.uses_left > 0)
        .where(OneTimeLink.expires_at > now(session))
        .values(uses_left=OneTimeLink.uses_left - 1)
        .returning(OneTimeLink)
    ).scalar_one_or_none()
    if link is None:
        raise NotFound(ENDED_SETUP if kind == "setup" else ENDED)
    return link


def end_passwords(session: WriteSession, user_id: int) -> None:
    """End the links by which somebody may choose a new password: one was chosen, or a newer link was made."""
    session.execute(delete(OneTimeLink).where(OneTimeLink.kind == "password", OneTimeLink.user_id == user_id))


def end_of(session: WriteSession, user_id: int, project_id: int | None = None) -> None:
    """End what somebody who may do so no more lets people in by: to one project, or everywhere, oneself included."""
    if project_id is not None:
        made = delete(OneTimeLink).where(OneTimeLink.created_by == user_id, OneTimeLink.project_id == project_id)
    else:
        made = delete(OneTimeLink).where(or_(OneTimeLink.created_by == user_id, OneTimeLink.user_id == user_id))
    session.execute(made)
