"""Rounds, the order each one published, and what its model thinks."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import NEVER_REUSE_IDS, Base


class Round(Base):
    """One turn of the loop: train, score, select, publish; then evaluate in a second commit."""

    __tablename__ = "rounds"
    __table_args__ = (
        UniqueConstraint("project_id", "number"),
        CheckConstraint(
            "state IN ('waiting', 'waiting_for_predictions', 'running', 'published', 'done', 'failed', 'skipped')",
            name="state",
        ),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    number: Mapped[int]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    state: Mapped[str] = mapped_column(String(32), default="running")
    reason: Mapped[str | None] = mapped_column(Text)  # of a failure or of being skipped
    fallback: Mapped[str | None] = mapped_column(Text)  # "random: only one class so far"
    sentence: Mapped[str | None] = mapped_column(Text)  # why the strategy chose what it chose
    strategy: Mapped[dict[str, Any]]
    learner: Mapped[dict[str, Any]]
    featurizer: Mapped[str] = mapped_column(String(64), default="")  # the feature set's version
    task_version: Mapped[int]
    seed: Mapped[int]
    class_ids: Mapped[list[Any]]  # the columns of every probability row of this round
    labels: Mapped[list[Any]]  # ids of the annotations that it learned from
    labels_count: Mapped[int] = mapped_column(default=0)  # labelled items among them
    warm_round_id: Mapped[int | None]  # whose weights the learner began from
    model_file: Mapped[str | None] = mapped_column(String(200))
    queue_length: Mapped[int] = mapped_column(default=0)
    erased: Mapped[int] = mapped_column(default=0, server_default="0")  # items that it learned from and that are gone
    metrics: Mapped[dict[str, Any] | None]  # None while being computed
    seconds: Mapped[dict[str, Any] | None]  # per step
    created_at: Mapped[datetime]
    published_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class RoundRecord(Base):
    """What a round rests on and what came of it, so that it can be run again and held against any other round.

    Items are named by their ids alone. Erasing one takes what was chosen and said of it out of here.
    """

    __tablename__ = "round_records"

    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    recipe: Mapped[dict[str, Any]]  # plan, answers beside the round's own labels, shards, versions of packages
    left_out: Mapped[bytes] = mapped_column(LargeBinary)  # ids of the items that it might not choose, packed
    choice: Mapped[list[Any]]  # item, unit, revision and score of each place, best first
    sample: Mapped[dict[str, Any]]  # items of the pool's sample and the class that each was taken for
    judged: Mapped[dict[str, Any] | None]  # by stratum: items, classes said and answered; None until it is evaluated


class QueueEntry(Base):
    """One place in the order that a round published."""

    __tablename__ = "queue"
    __table_args__ = (
        Index(
            "ix_queue_next",
            "round_id",
            "rank",
            sqlite_where=text("NOT done"),
            postgresql_where=text("NOT done"),
        ),
        Index("ix_queue_item", "item_id"),
    )

    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id", ondelete="CASCADE"), primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)  # 0 is asked first
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"))
    unit: Mapped[int] = mapped_column(default=0)
    score: Mapped[float | None]
    probabilities: Mapped[list[Any] | None]  # by the round's class_ids
    done: Mapped[bool] = mapped_column(default=False)


class Prediction(Base):
    """What a round thinks of one item of the pool's fixed random sample, or of a labelled one without its label.

    Never a label itself. `doubted` says that the label is confidently taken for another.
    """

    __tablename__ = "predictions"
    __table_args__ = (Index("ix_predictions_item", "item_id"),)

    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id", ondelete="CASCADE"), primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"), primary_key=True)
    unit: Mapped[int] = mapped_column(primary_key=True, default=0)
    probabilities: Mapped[list[Any]]
    doubted: Mapped[bool] = mapped_column(default=False, server_default=false())
