"""What outside models think of a project's items: versions, and the shards of arrays that hold them."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import NEVER_REUSE_IDS, Base


class PredictionSet(Base):
    """One version of an outside model's predictions: open while rows are pushed, then complete and never changed."""

    __tablename__ = "prediction_sets"
    __table_args__ = (
        UniqueConstraint("project_id", "model", "version"),
        CheckConstraint("state IN ('open', 'complete')", name="state"),
        CheckConstraint("use IN ('rank', 'suggest', 'both')", name="use"),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    model: Mapped[str] = mapped_column(String(100))
    version: Mapped[str] = mapped_column(String(100))
    round_number: Mapped[int | None]  # that it was made for, where the push says so
    use: Mapped[str] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(String(8), default="open")
    folder: Mapped[str] = mapped_column(String(64))  # of its shards
    class_ids: Mapped[list[Any]]  # the columns of its shards
    width: Mapped[int | None]  # of its own features; None: it has none
    rows: Mapped[int] = mapped_column(default=0)  # stored; a key that came twice counts twice
    rejected: Mapped[int] = mapped_column(default=0)
    completed_by: Mapped[str | None] = mapped_column(String(64))  # SHA-256 of the body that did
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]


class PredictionShard(Base):
    """The manifest row of one shard of a set; the row is written after its file, as with features."""

    __tablename__ = "prediction_shards"
    __table_args__ = (NEVER_REUSE_IDS,)

    id: Mapped[int] = mapped_column(primary_key=True)
    set_id: Mapped[int] = mapped_column(ForeignKey("prediction_sets.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(16))  # probabilities or features
    name: Mapped[str] = mapped_column(String(64))
    rows: Mapped[int]
    bytes: Mapped[int]
    checksum: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
