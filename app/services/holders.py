"""Who holds a token or a cookie: what every request begins with, looked up for all that come at the same time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, TextualSelect, bindparam, text, update
from sqlalchemy.orm import Session

from app.db import BrowserSession, Token, User, WriteSession, reads
from app.db.session import now
from app.services.access import Person
from app.services.sessions import Held

NOTED_EVERY = timedelta(minutes=1)  # the use of a token
COOKIES_SQL = """
    SELECT sessions.secret_hash, sessions.csrf_token, sessions.id AS session_id, sessions.created_at,
        sessions.expires_at, users.id, users.name, users.admin
    FROM sessions JOIN users ON users.id = sessions.user_id
    WHERE sessions.secret_hash {these} AND users.active = :yes
"""
TOKENS_SQL = """
    SELECT tokens.secret_hash, tokens.id AS token_id, tokens.last_used_at, tokens.scopes, tokens.project_id,
        tokens.expires_at, users.id, users.name, users.admin
    FROM tokens JOIN users ON users.id = tokens.user_id
    WHERE tokens.secret_hash {these} AND users.active = :yes
"""


def _cookies(these: str) -> TextualSelect:
    return reads(
        text(COOKIES_SQL.format(these=these)).bindparams(bindparam("yes", type_=User.active.type)),
        "secret_hash csrf_token session_id created_at expires_at id name admin",
        created_at=BrowserSession.created_at.type,
        expires_at=BrowserSession.expires_at.type,
        admin=User.admin.type,
    )


def _tokens(these: str) -> TextualSelect:
    return reads(
        text(TOKENS_SQL.format(these=these)).bindparams(bindparam("yes", type_=User.active.type)),
        "secret_hash token_id last_used_at scopes project_id expires_at id name admin",
        last_used_at=Token.last_used_at.type,
        scopes=Token.scopes.type,
        expires_at=Token.expires_at.type,
        admin=User.admin.type,
    )


ONE, MANY = "= :secret", "= ANY(:secrets)"  # the second is PostgreSQL's
COOKIE, COOKIES, TOKEN, TOKENS = _cookies(ONE), _cookies(MANY), _tokens(ONE), _tokens(MANY)


def by_cookies(session: Session, hashes: Sequence[str], moment: datetime) -> dict[str, Held]:
    """Who holds each cookie, where its session lives and the person is active.

    Cookies go by the form in which they are stored; see `hashed`.
    """
    return {
        row.secret_hash: Held(
            Person(row.id, row.name, row.admin), row.csrf_token, row.session_id, row.created_at, row.expires_at
        )
        for row in _held(session, COOKIE, COOKIES, hashes)
        if row.expires_at > moment
    }


def by_tokens(session: Session, hashes: Sequence[str], moment: datetime) -> dict[str, tuple[Person, int | None]]:
    """Who holds each token, where it lives and the person is active, and its id where its use is to be noted.

    Tokens go by the form in which they are stored; see `hashed`.
    """
    found = {}
    for row in _held(session, TOKEN, TOKENS, hashes):
        if row.expires_at is not None and row.expires_at <= moment:
            continue
        admin = row.admin and row.project_id is None
        person = Person(row.id, row.name, admin, frozenset(row.scopes), row.project_id, row.expires_at)
        is_noted = row.last_used_at is not None and row.last_used_at > moment - NOTED_EVERY
        found[row.secret_hash] = (person, None if is_noted else row.token_id)
    return found


def _held(session: Session, one: TextualSelect, many: TextualSelect, hashes: Sequence[str]) -> Sequence[Row[Any]]:
    if len(hashes) == 1:
        return session.connection().execute(one, {"secret": hashes[0], "yes": True}).all()
    return session.connection().execute(many, {"secrets": list(hashes), "yes": True}).all()


def note_use(session: WriteSession, token_id: int) -> None:
    """Remember that a token was used just now; of requests at once the first one writes."""
    moment = now(session)
    unknown = Token.last_used_at.is_(None) | (Token.last_used_at <= moment - NOTED_EVERY)
    session.execute(update(Token).where(Token.id == token_id, unknown).values(last_used_at=moment))
