"""The schema in code and the schema that the migrations make are one, and no step loses a row."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from app.db import Database
from app.db.migrate import current, differences, migrate, newest
from app.services import accounts
from tests import databases


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        shutil.copy(databases.sqlite_template(), tmp_path / "labelwise.db")
        yield f"sqlite:///{tmp_path / 'labelwise.db'}"
        return
    address = databases.postgres_url()
    databases.empty(address)
    yield address
    migrate(address)


def users(url: str) -> int:
    engine = create_engine(url)
    with engine.connect() as connection:
        count = int(connection.execute(text("SELECT count(*) FROM users")).scalar_one())
    engine.dispose()
    return count


def test_the_migrations_make_the_schema_of_the_code(url: str) -> None:
    differences(url)

    assert current(url) == newest()


def test_a_step_down_and_up_again_keeps_the_rows_of_the_tables_that_stay(url: str) -> None:
    database = Database(url)
    with database.write() as session:
        accounts.create_user(session, "ann", "correct horse battery")
    database.dispose()

    migrate(url, "-1")
    between = current(url), users(url)
    migrate(url)

    assert between[0] != newest()
    assert between[1] == 1
    assert users(url) == 1
    differences(url)


def test_everything_can_be_taken_down_and_built_again(url: str) -> None:
    migrate(url, "base")
    assert current(url) is None

    migrate(url)

    differences(url)
    assert users(url) == 0
