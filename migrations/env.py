"""Runs migrations on the connection that the service hands over, or on LABELWISE_DATABASE_URL alone."""

from alembic import context
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from app.core.settings import Settings
from app.db import Base
from app.db.search import FULL_TEXT


def ours(_thing: object, name: str | None, _kind: str, _reflected: bool, _other: object) -> bool:
    """Whether a table or index is described by the models; the full-text index makes tables of its own."""
    return FULL_TEXT not in (name or "")


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite" and not context.config.attributes.get("plain"),
        compare_type=True,
        include_object=ours,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(Settings().url, poolclass=NullPool).connect() as own:
        run(own)
