"""How far the index of each project goes, and the numbers of metadata.

The full-text part is the table `item_words`, which the two databases make in their own ways, so the migration alone
describes it: on SQLite an FTS5 table whose rowid is the item's id, on PostgreSQL `item_id` and `words`, a `tsvector`.
"""

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base

FULL_TEXT = "item_words"


class SearchIndex(Base):
    """Every item of the project up to these ids is in the index; what changes later is changed there too."""

    __tablename__ = "search_indexes"

    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), primary_key=True, autoincrement=False)
    indexed_to: Mapped[int] = mapped_column(default=0)  # words and values
    numbers_to: Mapped[int] = mapped_column(default=0, server_default="0")


class ItemNumber(Base):
    """A number in an item's metadata; the order of the key answers what is larger or smaller without a look at items.

    No foreign key: it would cost the filling more than all the rest; who removes an item takes its numbers along.
    """

    __tablename__ = "item_numbers"
    __table_args__ = {"sqlite_with_rowid": False}

    field: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)  # hash of project and name
    value: Mapped[float] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
