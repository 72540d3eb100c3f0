"""Which project may read which of the operator's buckets."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class BucketGrant(Base):
    """An admin's word that a project may read a bucket, by the name that the operator gave it."""

    __tablename__ = "bucket_grants"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    bucket: Mapped[str] = mapped_column(String(64), primary_key=True)
    granted_by: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
