"""The secrets with which requests to scorers are signed."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class ScorerSecret(Base):
    """What signs a project's requests to its scorer. Apart from the project, whose settings every member reads."""

    __tablename__ = "scorer_secrets"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    secret: Mapped[str] = mapped_column(String(200))  # signs, so it is kept as it is; never shown again
    created_at: Mapped[datetime]
