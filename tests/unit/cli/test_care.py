"""Looking after a service: check, backup and restore, newer schemas, logs that were cut."""

import os
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from app.cli import main
from app.core.block import Block
from app.core.settings import Settings
from app.db import Database, FeatureSet, FeatureShard, Media
from app.db.migrate import bring_up, migrate, newest
from app.db.session import now
from app.features import append
from app.services import accounts, high_water, projects
from app.services.access import Person
from app.services.pool import feature_folder
from tests import databases

PIXELS = b"pixels"
HASH = "0caa8b3ddd46d0eb87d0d6f1cb9e3a1ed1a1ea4b4c65c0f8b5f4fc0b6b0fa4ad"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LABELWISE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LABELWISE_DATA", "unset")
    monkeypatch.delenv("LABELWISE_DATA")


@pytest.fixture
def db(settings: Settings) -> Iterator[Database]:
    settings.data.mkdir(mode=0o700)
    shutil.copy(databases.sqlite_template(), settings.data / "labelwise.db")
    database = Database(settings.url)
    with database.write() as session:
        accounts.create_user(session, "boss", "correct horse battery", admin=True)
        projects.create(session, Person(1, "boss", True), {"name": "P", "modality": "text", "task": {"classes": ["a"]}})
    yield database
    database.dispose()


def said_by_check(settings: Settings, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """The lines that are not in order, but for the worker that no test runs."""
    capsys.readouterr()
    main(["check", "--data", str(settings.data), *options])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 2
    return [line for line in lines if line.startswith("BAD") and "a worker was seen" not in line]


def test_check_finds_a_number_that_a_recount_does_not_give(
    db: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with db.write() as session:
        session.execute(
            text(
                "INSERT INTO items (project_id, key, payload, content_hash, fingerprint, metadata, draw, state, done,"
                " revision, split, reserved, priority, skips, origin, created_at, updated_at) VALUES"
                " (1, 'k', '{}', '', '', '{}', 1, 'open', 1, 1, 'pool', 0, 0, 0, 'real', '2026-01-01', '2026-01-01')"
            )
        )

    [line] = said_by_check(settings, capsys)

    assert line.startswith("BAD  each item that counts as answered has an answer: 1 wrong, as 1. ")
    assert line.endswith("it is asked about anew")


def test_check_finds_files_that_are_missing_cut_or_changed(
    db: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = settings.data / "media" / "1" / HASH[:2]
    folder.mkdir(parents=True)
    with db.write() as session:
        moment = now(session)
        session.add(Media(project_id=1, name="m", sha256=HASH, type="image/png", size=len(PIXELS), created_at=moment))
        info = append(feature_folder(settings, 1, "v"), np.array([[1, 0, 1]]), Block(np.ones((1, 4), np.float32)))
        row = FeatureSet(project_id=1, name="ngrams", version="v", active=True, created_at=moment)
        session.add(row)
        session.flush()
        session.add(
            FeatureShard(
                feature_set_id=row.id, name=info.name, rows=1, bytes=info.bytes, checksum=info.checksum,
                created_at=moment,
            )
        )  # fmt: skip

    missing = said_by_check(settings, capsys)
    (folder / HASH).write_bytes(b"pix")
    short = said_by_check(settings, capsys)
    (folder / HASH).write_bytes(b"pixelz")
    unread, read = said_by_check(settings, capsys), said_by_check(settings, capsys, "--all-files")
    dense = feature_folder(settings, 1, "v") / f"{info.name}.dense.npy"
    content = bytearray(dense.read_bytes())
    content[-1] ^= 1
    dense.write_bytes(content)
    flipped = said_by_check(settings, capsys)

    assert "file 1 is missing" in missing[0]
    assert "file 1 has 3 bytes instead of 6" in short[0]
    assert unread == []
    assert "file 1 holds other bytes" in read[0]
    assert "holds other bytes than were written" in flipped[0]
    assert "start a round" in flipped[0]


def test_a_newer_schema_is_refused_and_nothing_is_changed(
    db: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with db.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '20991231_tomorrow'"))
    db.dispose()
    before = {file.name: file.read_bytes() for file in settings.data.iterdir()}

    assert main(["serve", "--data", str(settings.data)]) == 1
    assert main(["migrate", "--data", str(settings.data)]) == 1

    assert "20991231_tomorrow, which this release does not know: install the newer release" in capsys.readouterr().err
    after = {file.name: file.read_bytes() for file in settings.data.iterdir() if file.name != "labelwise.db.lock"}
    assert after == before


def test_a_database_that_went_back_stops_the_start_and_says_how_to_go_on(db: Database, settings: Settings) -> None:
    with db.write() as session:
        session.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES ('annotations', 40)"))
    high_water.keep(db, settings)
    with db.write() as session:
        session.execute(text("UPDATE sqlite_sequence SET seq = 33 WHERE name = 'annotations'"))

    with pytest.raises(RuntimeError, match=r"lacks 7 answers .* remove .*labelwise\.mark"):
        high_water.check(db, settings)
    high_water.keep(db, settings)  # a worker that runs all the same does not hide it
    assert high_water.missing(db, settings) == 7

    (settings.data / high_water.FILE).unlink()
    high_water.check(db, settings)


def test_the_copy_before_a_migration_holds_what_is_in_the_log_still(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'labelwise.db'}"
    migrate(url)
    migrate(url, "-1")
    open_still = sqlite3.connect(tmp_path / "labelwise.db")
    open_still.execute("pragma journal_mode=wal")
    open_still.execute(
        "INSERT INTO users (name, folded_name, password_hash, admin, active, created_at)"
        " VALUES ('ann', 'ann', '', 0, 1, '2026-01-01')"
    )
    open_still.commit()

    bring_up(url)

    with sqlite3.connect(tmp_path / f"labelwise.db.before-{newest()}") as copy:
        assert copy.execute("SELECT name FROM users").fetchall() == [("ann",)]
    open_still.close()


def test_a_backup_holds_every_kind_of_file_and_a_half_restored_folder_is_no_service(
    db: Database, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("media", "features", "models", "predictions", "snapshots"):
        (settings.data / part / "1").mkdir(parents=True)
        (settings.data / part / "1" / "file").write_bytes(part.encode())
    file, place, cut = tmp_path / "b.tar.gz", tmp_path / "restored", tmp_path / "cut.tar.gz"

    assert main(["backup", str(file), "--data", str(settings.data)]) == 0
    assert main(["restore", str(file), "--data", str(place)]) == 0
    cut.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    half = tmp_path / "half"

    assert {(place / part / "1" / "file").read_text() for part in ("predictions", "snapshots")} == {
        "predictions", "snapshots",
    }  # fmt: skip
    assert "0 items, 0 answers" in capsys.readouterr().out
    assert main(["restore", str(cut), "--data", str(half)]) == 1
    assert not (half / "labelwise.db").exists()
    assert main(["restore", str(file), "--data", str(settings.data)]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_a_damaged_database_is_told_and_not_backed_up(
    db: Database, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db.dispose()
    with (settings.data / "labelwise.db").open("r+b") as file:
        for page in range(20, 60):
            file.seek(4096 * page)
            file.write(b"\xff" * 2048)

    found = said_by_check(settings, capsys)

    assert found[0].startswith(("BAD  the database file is whole", "BAD  the database can be opened"))
    assert main(["backup", str(tmp_path / "b.tar.gz"), "--data", str(settings.data)]) == 1
    assert not (tmp_path / "b.tar.gz").exists()


def test_a_backup_is_whole_where_files_go_and_come_meanwhile(settings: Settings, tmp_path: Path) -> None:
    """What was removed after the rows were copied is in it still: its second name held it."""
    from app.cli import backups

    (settings.data / "features" / "1").mkdir(parents=True)
    (settings.data / "features" / "1" / "old").write_bytes(b"old")
    with backups._folder(settings) as folder:
        backups._hold(settings, folder / "files")
        (settings.data / "features" / "1" / "old").unlink()
        (settings.data / "features" / "1" / "new").write_bytes(b"new")
        backups._hold(settings, folder / "files")
        names = sorted(file.name for file in (folder / "files" / "features" / "1").iterdir())

    assert names == ["new", "old"]
    assert list((settings.data / "tmp").iterdir()) == []


def test_a_tar_of_the_other_kind_of_database_is_refused_before_a_file_is_written(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("labelwise.dump"))

    assert main(["restore", str(tmp_path / "b.tar.gz"), "--data", str(settings.data)]) == 1

    assert "PostgreSQL: name an empty database" in capsys.readouterr().err
    assert list(settings.data.iterdir()) == []
