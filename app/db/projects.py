"""Projects, their classes, their members and their live serving state."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import NEVER_REUSE_IDS, Base


class Project(Base):
    """One labelling effort: items of one modality, one list of questions, one loop."""

    __tablename__ = "projects"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'paused', 'closed', 'archived')", name="state"),
        CheckConstraint("overlap BETWEEN 1 AND 50", name="overlap"),
        NEVER_REUSE_IDS,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    slug: Mapped[str] = mapped_column(String(200), unique=True)
    modality: Mapped[str] = mapped_column(String(16))
    task: Mapped[dict[str, Any]]  # {"questions": [{"id", "type", "options", "drives"}, ...]}
    task_version: Mapped[int] = mapped_column(default=1)  # widening keeps it, narrowing makes a new one
    strategy: Mapped[dict[str, Any]]
    learner: Mapped[dict[str, Any]]
    featurizer: Mapped[dict[str, Any]]
    round_size: Mapped[int | None]  # None: automatic
    overlap: Mapped[int] = mapped_column(default=1)
    audit_share: Mapped[float] = mapped_column(default=0.1)
    former_shares: Mapped[list[Any] | None]  # [[last item, share], ...]: the audit shares that items came in with
    audit_use: Mapped[str] = mapped_column(String(16), default="taught", server_default="taught")  # or "apart"
    cost_exponent: Mapped[float] = mapped_column(default=0.0, server_default="0")  # of the seconds that worth is over
    audit_choice: Mapped[str] = mapped_column(String(16), default="random", server_default="random")  # or "active"
    audit_estimate: Mapped[str] = mapped_column(  # or "prediction_powered"
        String(24), default="counted", server_default="counted"
    )
    blind_share: Mapped[float] = mapped_column(default=0.1)
    guidelines: Mapped[str] = mapped_column(Text, default="")
    guidelines_version: Mapped[int] = mapped_column(default=1)
    goal: Mapped[dict[str, Any] | None]
    stream: Mapped[dict[str, Any] | None]
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")
    state: Mapped[str] = mapped_column(String(16), default="open")
    demo: Mapped[bool] = mapped_column(default=False)
    seed: Mapped[int]  # drives audit membership, draws and every round
    version: Mapped[int] = mapped_column(default=1)  # the ETag
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]  # can be undone for 7 days


class ProjectClass(Base):
    """One class of one question. `number` is what labels store: small, per project, never reused."""

    __tablename__ = "classes"
    __table_args__ = (UniqueConstraint("project_id", "question", "folded_name"),)

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    question: Mapped[str] = mapped_column(String(64), default="label")
    name: Mapped[str] = mapped_column(String(200))
    folded_name: Mapped[str] = mapped_column(String(400))
    aliases: Mapped[list[Any]]  # folded former names, still taken from scripts
    color: Mapped[str] = mapped_column(String(16))
    hotkey: Mapped[str | None] = mapped_column(String(16))
    description: Mapped[str] = mapped_column(Text, default="")
    position: Mapped[int] = mapped_column(default=0)
    retired: Mapped[bool] = mapped_column(default=False)
    merged_into: Mapped[int | None]


class Member(Base):
    """A user's role in a project: manager, reviewer or annotator."""

    __tablename__ = "members"
    __table_args__ = (CheckConstraint("role IN ('manager', 'reviewer', 'annotator')", name="role"),)

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(16))
    slice: Mapped[str | None] = mapped_column(Text)  # a filter by content, which all items of this person fit
    created_at: Mapped[datetime]


class Serving(Base):
    """What serving a project reads and moves on every lease: the current order and the count of slots given.

    A row of its own so that the hot path never touches the project's settings or their ETag.
    """

    __tablename__ = "serving"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    round_id: Mapped[int | None]  # whose queue is served; moved in the commit that publishes
    slots_served: Mapped[int] = mapped_column(default=0)
    snapshot_annotation_id: Mapped[int] = mapped_column(default=0)  # newest annotation that the last round saw
    audit_asked: Mapped[int] = mapped_column(default=0, server_default="0")  # audit items that a manager asked for
    audit_since: Mapped[int] = mapped_column(default=0, server_default="0")  # the newest lease when that was
