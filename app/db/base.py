"""What all tables share: naming of constraints, column types of both databases, nothing loads by itself."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, MetaData, TextClause, TextualSelect, Uuid, column
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator, TypeEngine


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite stores it without a zone, PostgreSQL with one; Python always sees the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Id = BigInteger().with_variant(Integer, "sqlite")
NEVER_REUSE_IDS = {"sqlite_autoincrement": True}  # plain SQLite gives a deleted row's id to the next insert
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def reads(statement: TextClause, columns: str, **types: TypeEngine[Any]) -> TextualSelect:
    """A text with the names of all columns that it selects, in their order, and the types of those that need one.

    SQLAlchemy then works out once how its rows are read. Of a text that names some of them, or none, it does so each
    time: a quarter of what an answer's statements took on the processor.
    """
    names = columns.split()
    assert types.keys() <= set(names), f"not among the columns: {types.keys() - set(names)}"
    return statement.columns(*(column(name, types.get(name)) for name in names))


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        int: Id,
        datetime: UtcDateTime,
        dict[str, Any]: Json,
        list[Any]: Json,
        UUID: Uuid(as_uuid=True),
    }
