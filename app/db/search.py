"""How far the full-text index of each project goes.

The index itself is the table `item_words`, which the two databases make in their own ways, so the migration alone
describes it: on SQLite an FTS5 table whose rowid is the item's id, on PostgreSQL `item_id` and `words`, a `tsvector`.
"""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base

FULL_TEXT = "item_words"


class SearchIndex(Base):
    """Every item of the project up to this id is in the full-text index; what changes later is changed there too."""

    __tablename__ = "search_indexes"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True, autoincrement=False)
    indexed_to: Mapped[int] = mapped_column(default=0)
