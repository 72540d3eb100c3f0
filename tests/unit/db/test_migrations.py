"""The schema in code and the schema that the migrations make are one, and no step loses a row."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select, text

from app.core.settings import Settings
from app.db import Database, Flag, Item
from app.db.migrate import current, differences, migrate, newest
from app.modalities.base import FileInfo
from app.services import accounts, media, projects, quota
from app.services.access import Person
from app.services.media import StoredFile
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


def test_rebuilding_items_and_files_keeps_every_row_and_never_reuses_an_id(url: str, tmp_path: Path) -> None:
    database = Database(url)
    settings = Settings(data=tmp_path / "data", _env_file=None)
    boss = Person(1, "boss", True)
    with database.write() as session:
        accounts.create_user(session, "boss", "correct horse battery", admin=True)
        project = projects.create(session, boss, {"name": "P", "modality": "image", "task": {"classes": ["a", "b"]}}).id
        info = FileInfo("image/png", 8, 8)
        kept = media.path_of(settings, project, "a" * 64)
        assert kept is not None
        kept.parent.mkdir(parents=True)
        kept.write_bytes(b"a picture")
        room = quota.room(session, settings)
        rows = [media.record(session, project, name, StoredFile("a" * 64, 9, info), room) for name in ("one", "two")]
        for number, row in enumerate(rows):
            session.add(_item(project, f"k{number}", {"image": media.payload(row)}))
        session.flush()
        last = _item(project, "gone", {})
        session.add(last)
        session.flush()
        gone = last.id
        item = session.execute(select(Item.id).where(Item.key == "k1")).scalar_one()
        moment = last.created_at
        session.add(Flag(project_id=project, item_id=item, user_id=1, note="n", created_at=moment, updated_at=moment))
        session.delete(last)
    database.dispose()

    while current(url) != "20261124_audited":
        migrate(url, "-1")
    engine = create_engine(url)
    with engine.connect() as connection:
        files = connection.execute(text("SELECT count(*) FROM media")).scalar_one()
        shown = connection.execute(select(Item.payload).order_by(Item.key)).scalars().all()
    engine.dispose()
    migrate(url)

    assert files == 1
    assert shown[0]["image"]["media"] == shown[1]["image"]["media"] == 1
    database = Database(url)
    with database.write() as session:
        assert session.execute(select(func.count()).select_from(Flag)).scalar_one() == 1
        fresh = _item(project, "new", {})
        fresh.state = "fetching"
        session.add(fresh)
        session.flush()
        assert fresh.id > gone
    database.dispose()


def _item(project: int, key: str, payload: dict[str, object]) -> Item:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    return Item(
        project_id=project, key=key, payload=payload, content_hash="", fingerprint="", meta={}, draw=1,
        created_at=moment, updated_at=moment,
    )  # fmt: skip
