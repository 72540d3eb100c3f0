"""Answers kept for 48 hours under the client's own key, so that a repeated request changes nothing.

The key is claimed in a commit of its own before the work, so that two requests at once cannot both do it.
A refused request gives its key back; a server that died in between leaves the key claimed, which is the safe side.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.core.errors import Conflict, Invalid
from app.db import Database, KeyedRequest
from app.db.session import now

KEPT = timedelta(hours=48)


@dataclass(frozen=True)
class Keyed:
    """Whose request it is, where it went, its key and the hash of its body."""

    user_id: int
    route: str
    key: str
    body_hash: str


def claim(db: Database, request: Keyed) -> tuple[int, str] | None:
    """Take the key, or give the status and body that were answered under it.

    Raises:
        Invalid: the key was used with another body.
        Conflict: the first request with this key has no answer yet.
    """
    with db.write() as session:
        moment = now(session)
        session.execute(delete(KeyedRequest).where(KeyedRequest.created_at < moment - KEPT))
        insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
        taken = session.execute(
            insert(KeyedRequest)
            .values(
                user_id=request.user_id,
                route=request.route,
                key=request.key,
                body_hash=request.body_hash,
                status=None,
                answer=None,
                created_at=moment,
            )
            .on_conflict_do_nothing()
            .returning(KeyedRequest.key)
        ).scalar_one_or_none()
        if taken is not None:
            return None
        first = session.execute(select(KeyedRequest).where(*_same(request))).scalar_one_or_none()
        if first is not None and first.body_hash != request.body_hash:
            raise Invalid("this Idempotency-Key was used with another body", fields={"Idempotency-Key": "used"})
        if first is None or first.status is None:
            raise Conflict("a request with this Idempotency-Key has no answer yet: look whether it took effect")
        return first.status, first.answer or ""


def keep(db: Database, request: Keyed, status: int, answer: str) -> None:
    """Store the answer for repeats."""
    with db.write() as session:
        session.execute(update(KeyedRequest).where(*_same(request)).values(status=status, answer=answer))


def give_back(db: Database, request: Keyed) -> None:
    """Free the key of a request that changed nothing."""
    with db.write() as session:
        session.execute(delete(KeyedRequest).where(*_same(request), KeyedRequest.status.is_(None)))


def _same(request: Keyed) -> tuple[ColumnElement[bool], ...]:
    return (
        KeyedRequest.user_id == request.user_id,
        KeyedRequest.route == request.route,
        KeyedRequest.key == request.key,
    )
