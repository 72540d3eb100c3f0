"""Browser sessions: opened, kept while they are used, and ended on every change of what a person may do.

A session ends twelve hours after its last use and seven days after its beginning, whatever comes first; both are
settings. Its row says when it ends if nobody uses it again, so that nothing but this moment has to be looked at.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update

from app.core.secrets import hashed, new_secret
from app.core.settings import Settings
from app.db import BrowserSession, Token, User, WriteSession
from app.db.session import now
from app.services import audit
from app.services.access import Person

MOST_SESSIONS = 50  # of one person at once
NOTED_EVERY = timedelta(minutes=1)  # the use of a session


@dataclass(frozen=True)
class SignedIn:
    """A fresh browser session; the secret goes into the cookie and nowhere else. It ends then at the latest."""

    secret: str
    csrf_token: str
    user: dict[str, Any]
    expires_at: datetime


@dataclass(frozen=True)
class Held:
    """Whose a cookie is, the CSRF token of its pages, and the session behind it."""

    person: Person
    csrf_token: str
    session_id: int
    created_at: datetime
    expires_at: datetime


def end_of(settings: Settings, created_at: datetime, moment: datetime) -> datetime:
    """When a session ends that is used at a moment and then no more."""
    latest = created_at + timedelta(days=settings.session_days)
    return min(latest, moment + timedelta(hours=settings.session_idle_hours))


def begin(session: WriteSession, settings: Settings, user: User) -> SignedIn:
    """Sign a person in; of more than so many sessions the oldest ends."""
    moment = now(session)
    secret, csrf = new_secret(), new_secret()
    session.execute(delete(BrowserSession).where(BrowserSession.expires_at < moment))
    own = select(BrowserSession.id).where(BrowserSession.user_id == user.id).order_by(BrowserSession.id.desc())
    too_old = session.execute(own.offset(MOST_SESSIONS - 1)).scalars().all()
    session.execute(delete(BrowserSession).where(BrowserSession.id.in_(too_old)))
    ends = end_of(settings, moment, moment)
    session.add(
        BrowserSession(secret_hash=hashed(secret), user_id=user.id, csrf_token=csrf, created_at=moment, expires_at=ends)
    )
    session.flush()
    latest = moment + timedelta(days=settings.session_days)
    return SignedIn(secret, csrf, {"id": user.id, "name": user.name, "admin": user.admin}, latest)


def is_over(settings: Settings, held: Held, moment: datetime) -> bool:
    """Whether a session that its row lets live is too old by a setting that was made smaller since."""
    return held.created_at + timedelta(days=settings.session_days) <= moment


def is_noted(settings: Settings, held: Held, moment: datetime) -> bool:
    """Whether the row says so well enough, to the minute, that the session is used now."""
    return abs(held.expires_at - end_of(settings, held.created_at, moment)) <= NOTED_EVERY


def note_use(session: WriteSession, settings: Settings, held: Held) -> None:
    """Remember that a session is used now; one that has ended meanwhile stays ended."""
    moment = now(session)
    alive = (BrowserSession.id == held.session_id, BrowserSession.expires_at > moment)
    ends = end_of(settings, held.created_at, moment)
    session.execute(update(BrowserSession).where(*alive).values(expires_at=ends))


def end(session: WriteSession, secret: str) -> None:
    """End one session on the server's side."""
    session.execute(delete(BrowserSession).where(BrowserSession.secret_hash == hashed(secret)))


def end_all(session: WriteSession, user_id: int, *, keep: str | None = None) -> None:
    """End a person's sessions, but for the one with the secret to `keep`: what the person may do has changed."""
    mine = delete(BrowserSession).where(BrowserSession.user_id == user_id)
    session.execute(mine if keep is None else mine.where(BrowserSession.secret_hash != hashed(keep)))


def end_everywhere(session: WriteSession, person: Person, *, tokens: bool) -> None:
    """Sign the person out in every browser; with `tokens` the scripts are shut out too."""
    end_all(session, person.id)
    if tokens:
        session.execute(delete(Token).where(Token.user_id == person.id))
    audit.record(session, "sessions.ended", person.id, tokens=tokens)
