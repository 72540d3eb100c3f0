"""What a change of many items at once found in each, so that it can be taken back item by item."""

from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class Edit(Base):
    """What one job changed of one item: the fields it wrote, as they were and as it left them."""

    __tablename__ = "edits"
    __table_args__ = (Index("ix_edits_item_id", "item_id"),)

    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id", ondelete="CASCADE"), primary_key=True)
    before: Mapped[dict[str, Any]]
    after: Mapped[dict[str, Any]]
