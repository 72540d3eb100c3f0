"""Attempts at what is secret, counted in the database, so that all processes of a service count together."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import delete, func, select

from app.core.errors import TooManyRequests
from app.core.secrets import hashed
from app.core.settings import Settings
from app.core.text import fold
from app.db import Database, SignInFailure, WriteSession
from app.db.session import now

WINDOW = timedelta(minutes=1)
KEPT = timedelta(hours=1)
ADDRESS_FACTOR = 5  # a house with many people is one address


@contextmanager
def counted(db: Database, settings: Settings, address: str, account: str | None = None) -> Iterator[None]:
    """Count an attempt from an address, at an account if one is named, as failed unless the block ends well.

    It is counted in a commit of its own before the secret is looked at, so that many guesses at once cannot pass the
    limit. No limit holds for an account from everywhere: that would let strangers lock its owner out.

    Raises:
        TooManyRequests: too many failures in the last minute, of the account from this address or of the address.
    """
    limit = settings.sign_in_failures_per_minute
    subjects = {hashed(address): limit * ADDRESS_FACTOR}
    own = None
    if account is not None:
        own = hashed(f"{fold(account)}\n{address}")
        subjects[own] = limit
    with db.write() as session:
        mine = _count(session, subjects)
    yield
    with db.write() as session:
        session.execute(delete(SignInFailure).where(SignInFailure.id.in_(mine)))
        if own is not None:
            session.execute(delete(SignInFailure).where(SignInFailure.subject == own))


def _count(session: WriteSession, subjects: dict[str, int]) -> list[int]:
    """Add a failure of each subject, or raise for the one that has had its share; the ids of the rows."""
    if session.get_bind().dialect.name == "postgresql":  # attempts at once are counted one after the other
        for subject in sorted(subjects):
            session.execute(select(func.pg_advisory_xact_lock(func.hashtext(subject))))
    moment = now(session)
    session.execute(delete(SignInFailure).where(SignInFailure.at < moment - KEPT))
    for subject, limit in subjects.items():
        recent = select(SignInFailure.at).where(SignInFailure.subject == subject, SignInFailure.at > moment - WINDOW)
        first = session.execute(
            recent.order_by(SignInFailure.at.desc()).offset(limit - 1).limit(1)
        ).scalar_one_or_none()
        if first is not None:
            wait = max(1, math.ceil((first + WINDOW - moment).total_seconds()))
            raise TooManyRequests(f"too many failed attempts: wait {wait} seconds", retry_after_seconds=wait)
    rows = [SignInFailure(subject=subject, at=moment) for subject in subjects]
    session.add_all(rows)
    session.flush()
    return [row.id for row in rows]
