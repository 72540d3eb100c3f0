"""How many items of a project are in which state, kept by the database itself."""

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import NEVER_REUSE_IDS, Base


class ItemTally(Base):
    """A part of a count: the items of a project that are in this state, of this split, answered or not, are its sum.

    Triggers on the items write them in the transaction that changes an item, so that nothing else has to think of them
    and counting a million items reads a few rows. SQLite adds to one row; on PostgreSQL each statement adds a row of
    its own, for many writers of one would wait for each other, and `app.services.tallies` puts them together.
    """

    __tablename__ = "item_tallies"
    __table_args__ = (Index("ix_item_tallies_counts", "project_id", "state", "split", "done"), NEVER_REUSE_IDS)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"))
    state: Mapped[str] = mapped_column(String(8))
    split: Mapped[str] = mapped_column(String(8))
    done: Mapped[bool]
    count: Mapped[int]  # may be negative: of a statement that took items away
