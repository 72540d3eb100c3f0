"""Migrations, health and backups from the command line."""

import argparse
import os
import sqlite3
import tarfile
import tempfile
from pathlib import Path

from app.core.settings import Settings
from app.db import Database
from app.db.migrate import current, migrate, newest
from app.services import buckets, purging, retention, status, tombstones

PARTS = ("media", "features", "models", "predictions", "snapshots", "secret.key", tombstones.NAME)


def migrate_database(settings: Settings, given: argparse.Namespace) -> int:
    """Bring the database to the newest schema."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = current(settings.url)
    migrate(settings.url)
    print(f"{before or 'empty'} -> {newest()}")
    return 0


def check(settings: Settings, given: argparse.Namespace) -> int:
    """Say line by line what is in order; the exit code is 1 when something is not."""
    lines = [("data folder is writable", _writable(settings.data), str(settings.data))]
    revision = current(settings.url)
    lines.append(("database is at the newest schema", revision == newest(), revision or "empty"))
    if revision == newest():
        db = Database(settings.url)
        with db.read() as session:
            alive = status.worker_state(session, db.now())
        lines += buckets.checked(db, settings, every=given.all_files)
        lines.append(("a worker was seen in the last 30 seconds", alive["alive"], str(alive["last_seen"] or "never")))
        left = purging.left_over(db, settings)
        lines.append(("nothing is left of purged projects", not left, ", ".join(left[:5]) or "none"))
        db.dispose()
    for what, good, detail in lines:
        print(f"{'ok  ' if good else 'BAD '} {what}: {detail}")
    return 0 if all(good for _, good, _ in lines) else 1


def backup(settings: Settings, given: argparse.Namespace) -> int:
    """Write database and files to one tar; people may go on working meanwhile."""
    source = _sqlite_file(settings, "pg_dump, and a copy of the data folder")
    aside = given.file.with_name(f"{given.file.name}.tmp")
    with tempfile.TemporaryDirectory(dir=settings.data) as folder:
        copy = Path(folder) / "labelwise.db"
        with sqlite3.connect(source) as reading, sqlite3.connect(copy) as writing:
            reading.backup(writing)
        handle = os.open(aside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            archive.add(copy, "labelwise.db")
            for part in PARTS:
                if (settings.data / part).exists():
                    archive.add(settings.data / part, part)
    aside.replace(given.file)
    print(f"wrote {given.file} ({given.file.stat().st_size:,} bytes)")
    return 0


def restore(settings: Settings, given: argparse.Namespace) -> int:
    """Read a backup into a data folder that holds no database yet."""
    target = _sqlite_file(settings, "pg_restore, and a copy of the data folder", must_exist=False)
    if target.exists():
        raise RuntimeError(f"{target} exists: restore into an empty folder with --data")
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    erased = [
        *tombstones.lines(tombstones.file_of(settings)),
        *(tombstones.lines(given.erased) if given.erased else ()),
    ]
    with tarfile.open(given.file, "r:gz") as archive:
        for member in archive.getmembers():
            path = Path(member.name)
            if path.is_absolute() or ".." in path.parts or path.parts[0] not in ("labelwise.db", *PARTS):
                raise RuntimeError(f"{given.file} is not a backup of ours: it holds {member.name!r}")
            if not (member.isfile() or member.isdir()):
                raise RuntimeError(f"{given.file} is not a backup of ours: {member.name!r} is a link")
        archive.extractall(settings.data, filter="data")
    migrate(settings.url)
    tombstones.adopt(settings, erased)
    db = Database(settings.url)
    again = tombstones.apply(db, settings)
    db.dispose()
    print(f"restored into {settings.data}; erased again: {again:,} people and items of the list {tombstones.NAME}")
    return 0


def retain(settings: Settings, given: argparse.Namespace) -> int:
    """Remove what is older than the settings say, or only say what that is."""
    db = Database(settings.url)
    found = retention.look(db, settings) if given.dry_run else retention.clear(db, settings)
    db.dispose()
    done = "would go" if given.dry_run else "went"
    for each in found:
        age = f"older than {each.days:g} days" if each.days else "kept for ever"
        print(f"{each.count:>8,} {done}: {each.name}, {age}")
    return 0


def _sqlite_file(settings: Settings, instead: str, *, must_exist: bool = True) -> Path:
    if settings.database_url is not None:
        raise RuntimeError(f"rows are in another database: use {instead}")
    file = settings.data / "labelwise.db"
    if must_exist and not file.exists():
        raise RuntimeError(f"there is no {file}")
    return file


def _writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK)
