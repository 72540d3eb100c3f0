"""Leases: who holds which slot of which item until when; and flags, the notes to the manager."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import NEVER_REUSE_IDS, Base

HOLDS_SLOT = text("state IN ('live', 'answered')")
CONCERNS_ANNOTATOR = text("state IN ('live', 'answered', 'skipped')")
LIVE = text("state = 'live'")
AUDIT = text("kind = 'audit'")


class Lease(Base):
    """An item's slot reserved for an annotator until a moment.

    The two partial unique indexes are the guard of the overlap: a slot has one holder, and nobody has two
    slots of one item. Expiry is a written transition, never only a comparison of times.
    """

    __tablename__ = "leases"
    __table_args__ = (
        CheckConstraint("state IN ('live', 'answered', 'skipped', 'released', 'expired')", name="state"),
        Index(
            "uq_leases_slot",
            "item_id",
            "unit",
            "slot",
            unique=True,
            sqlite_where=HOLDS_SLOT,
            postgresql_where=HOLDS_SLOT,
        ),
        Index(
            "uq_leases_annotator",
            "item_id",
            "unit",
            "annotator_id",
            unique=True,
            sqlite_where=CONCERNS_ANNOTATOR,
            postgresql_where=CONCERNS_ANNOTATOR,
        ),
        Index("ix_leases_live", "project_id", "expires_at", sqlite_where=LIVE, postgresql_where=LIVE),
        Index("ix_leases_item", "item_id"),  # so that an item can be removed without a pass over all leases
        Index("ix_leases_mine", "annotator_id", "project_id", sqlite_where=LIVE, postgresql_where=LIVE),
        Index("ix_leases_audit", "project_id", "id", sqlite_where=AUDIT, postgresql_where=AUDIT),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"))
    item_revision: Mapped[int | None]  # of the content that was shown; None for leases of before it was kept
    unit: Mapped[int] = mapped_column(default=0)
    slot: Mapped[int]  # 0 .. overlap - 1
    annotator_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    state: Mapped[str] = mapped_column(String(8), default="live")
    kind: Mapped[str] = mapped_column(String(16))  # query|audit|gold|review|stream|synthetic|random
    blind: Mapped[bool] = mapped_column(default=False)
    round_id: Mapped[int | None] = mapped_column(ForeignKey("rounds.id"))
    rank: Mapped[int | None]
    task_version: Mapped[int]
    guidelines_version: Mapped[int]
    suggestion: Mapped[dict[str, Any] | None]  # {"label": stored form, "probability": 0.62}; None when blind
    reason: Mapped[dict[str, Any] | None]  # {"strategy", "score", "rank", "words"}
    skip_reason: Mapped[str | None] = mapped_column(Text)
    served_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    hold_hours: Mapped[float | None]


class Selected(Base):
    """An item of the audit share that a selection handed out, by its place in the audit order, without a lease.

    A person's answer that comes back for it in bulk is an audit answer: the item was drawn, nobody chose it.
    """

    __tablename__ = "selected"

    item_id: Mapped[int] = mapped_column(ForeignKey("items.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    round_id: Mapped[int | None] = mapped_column(ForeignKey("rounds.id", ondelete="SET NULL"))
    selected_at: Mapped[datetime]


class AuditDraw(Base):
    """An item's place in the audit order of a project that chooses its audit items, or did so once.

    Places that were given out are draws and stay; the others are drawn anew by each round. `chance` is the place's own,
    given all places before it, of `remaining` items with ids up to `newest_item`; it is final with the draw.
    """

    __tablename__ = "audit_draws"
    __table_args__ = (
        Index("ix_audit_draws_project", "project_id", "place"),
        Index(
            "ix_audit_draws_listed", "project_id", "place", sqlite_where=text("listed"), postgresql_where=text("listed")
        ),
    )

    item_id: Mapped[int] = mapped_column(ForeignKey("items.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    round_id: Mapped[int | None] = mapped_column(ForeignKey("rounds.id", ondelete="SET NULL"))  # whose learner drew it
    place: Mapped[int]
    chance: Mapped[float]
    remaining: Mapped[int]
    newest_item: Mapped[int]
    drawn_at: Mapped[datetime | None]
    listed: Mapped[bool] = mapped_column(default=True)  # False once it is answered


class AuditFrame(Base):
    """Which items the audit orders of a project were drawn from, and since when; items are named by their ids alone."""

    __tablename__ = "audit_frames"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    items: Mapped[bytes] = mapped_column(LargeBinary)  # ids, rising, packed
    since: Mapped[bytes] = mapped_column(LargeBinary)  # the first place that each could have had, packed
    gone: Mapped[list[Any]]  # first place, first place no more and number of those that were taken out before a draw


class Flag(Base):
    """An annotator's note on an item, and the manager's reply."""

    __tablename__ = "flags"
    __table_args__ = (CheckConstraint("state IN ('open', 'closed')", name="state"), NEVER_REUSE_IDS)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    note: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(8), default="open")
    reply: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
