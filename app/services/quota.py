"""The quota of stored files: asked before bytes are taken in, and counted again where a row names them."""

from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.core.errors import NoRoom
from app.core.settings import Settings
from app.db import Media, WriteSession

LOCK = text("SELECT pg_advisory_xact_lock(8204)")  # of PostgreSQL: transactions that count wait for each other


@dataclass
class Room:
    """What one transaction may still store; `left` is None where there is no quota."""

    settings: Settings
    left: int | None

    def take(self, size: int) -> None:
        """Count bytes that were not stored before. Raises NoRoom where they are too many, and counts nothing."""
        check(self.settings, self.left, size)
        if self.left is not None:
            self.left -= size


def left(session: Session, settings: Settings) -> int | None:
    """Bytes that stored files may still take; None without a quota. A pass over the files where there is one."""
    if not settings.media_bytes:
        return None
    return max(0, settings.media_bytes - stored_bytes(session))


def room(session: WriteSession, settings: Settings) -> Room:
    """What this transaction may store; others that store wait for its end, so that two never share what is left.

    Take it first: who holds it may wait for rows, and nobody who holds rows waits for it.
    """
    if settings.media_bytes and session.get_bind().dialect.name == "postgresql":
        session.execute(LOCK)
    return Room(settings, left(session, settings))


def check(settings: Settings, left: int | None, size: int) -> None:
    """Raise NoRoom for more bytes than are left."""
    if left is not None and size > left:
        raise NoRoom(
            f"stored files may take {settings.media_bytes:,} bytes here (LABELWISE_MEDIA_BYTES), and {left:,} are left:"
            " erase items, or have the quota raised"
        )


def stored_bytes(session: Session) -> int:
    """What stored files take, the same bytes under two names once, those that are gone from the folder not at all."""
    once = (
        select(func.max(Media.size).label("size"))
        .where(Media.bucket.is_(None), Media.lost.is_(None))
        .group_by(Media.project_id, Media.sha256)
        .subquery()
    )
    return int(session.execute(select(func.coalesce(func.sum(once.c.size), 0))).scalar_one())
