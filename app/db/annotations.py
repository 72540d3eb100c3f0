"""Answers: append-only versions."""

from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, Index, String, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, aliased, mapped_column

from app.db.base import NEVER_REUSE_IDS, Base

AUDITED = text("kind = 'audit' AND version = 1")
CHANGED = text("version > 1")
GIVEN = text("version = 1 AND origin = 'human'")


class Annotation(Base):
    """One version of one annotator's answer. Never updated: a correction is the next version.

    A retraction is a version too (`retracted`, with the label that it takes back). The current version of an
    answer is its highest.
    """

    __tablename__ = "annotations"
    __table_args__ = (
        UniqueConstraint("answer_id", "version"),
        UniqueConstraint("project_id", "request_id"),
        CheckConstraint("origin IN ('human', 'import', 'program', 'synthetic')", name="origin"),
        Index("ix_annotations_feed", "project_id", "id"),
        Index("ix_annotations_audited", "project_id", sqlite_where=AUDITED, postgresql_where=AUDITED),
        Index("ix_annotations_annotator", "project_id", "annotator_id", "id"),
        Index("ix_annotations_standing", "project_id", "origin", "kind", "counted", "retracted"),
        Index("ix_annotations_changed", "project_id", sqlite_where=CHANGED, postgresql_where=CHANGED),
        # All that the pace of a week is counted from, so that no answer itself is read.
        Index(
            "ix_annotations_days",
            "project_id",
            "created_at",
            "annotator_id",
            "item_id",
            "answer_id",
            sqlite_where=GIVEN,
            postgresql_where=GIVEN,
        ),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    answer_id: Mapped[UUID]  # shared by all versions of one answer
    version: Mapped[int] = mapped_column(default=1)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"), index=True)  # no cascade: only erasure removes rows
    item_revision: Mapped[int] = mapped_column(default=1)
    unit: Mapped[int] = mapped_column(default=0)  # 0 is the whole item
    task_version: Mapped[int] = mapped_column(default=1)
    guidelines_version: Mapped[int] = mapped_column(default=1)
    annotator_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
    annotator_name: Mapped[str | None] = mapped_column(String(200))  # of an imported answer, as the file names them
    lease_id: Mapped[int | None] = mapped_column(ForeignKey("leases.id"), index=True)
    request_id: Mapped[UUID | None]  # the client's key: sent twice, stored once
    origin: Mapped[str] = mapped_column(String(16), default="human")
    kind: Mapped[str] = mapped_column(String(16), default="query")  # why the item was served
    label: Mapped[dict[str, Any]]  # by question id; shape: see app/task_types
    counted: Mapped[bool] = mapped_column(default=True)  # False: a colleague's answer has the slot
    late: Mapped[bool] = mapped_column(default=False)
    retracted: Mapped[bool] = mapped_column(default=False)
    decisive: Mapped[bool] = mapped_column(default=False)  # a manager's word wins over the others
    blind: Mapped[bool] = mapped_column(default=False)  # served without suggestion
    round_id: Mapped[int | None] = mapped_column(ForeignKey("rounds.id"))  # whose order served it
    probability: Mapped[float | None]  # the model's for the suggested class when it was served
    seconds_spent: Mapped[float] = mapped_column(default=0.0)  # the page's count of active seconds
    seconds_elapsed: Mapped[float | None]  # the server's: from lease to answer
    created_at: Mapped[datetime]


NEWER = aliased(Annotation)


@lru_cache(64)
def is_newest(answer: Any = Annotation) -> ColumnElement[bool]:
    """Whether a version of an answer, of the table or of an alias of it, is its current one.

    Put together once: to do so takes as long as the database needs for the look.
    """
    later = select(NEWER.id).where(NEWER.answer_id == answer.answer_id, NEWER.version > answer.version)
    return ~later.correlate(answer).exists()
