"""Simulations: a project's labelled items answered again by known labels, to compare query strategies."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import NEVER_REUSE_IDS, Base


class Simulation(Base):
    """What is compared on which items. The items are frozen when it is asked for, so that every run sees the same.

    `items` holds lists of item, unit, revision, 1 for held out, and the positions of its classes in `classes`.
    """

    __tablename__ = "simulations"
    __table_args__ = (NEVER_REUSE_IDS,)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"), index=True)
    design: Mapped[dict[str, Any]]  # strategies, seeds, labels, round_size, noise, imbalance, target, learner
    items: Mapped[list[Any]]
    classes: Mapped[list[Any]]  # numbers of the classes
    features: Mapped[str] = mapped_column(Text)  # the version of the feature set
    judged_by: Mapped[str] = mapped_column(String(16))  # imported, audit or drawn: where the held-out items come from
    pool_rows: Mapped[int]
    test_rows: Mapped[int]
    full_accuracy: Mapped[float | None]  # of a model of every label, 1,000 at most
    created_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    applied: Mapped[dict[str, Any] | None]  # the winner as it was written into the project's settings
    applied_at: Mapped[datetime | None]


class SimulationRun(Base):
    """One finished replay: a strategy, by its place in the design, with one seed."""

    __tablename__ = "simulation_runs"

    simulation_id: Mapped[int] = mapped_column(ForeignKey("simulations.id", ondelete="CASCADE"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    seed: Mapped[int] = mapped_column(primary_key=True)
    result: Mapped[dict[str, Any]]
