"""Backups of a service that works on, and their way back into an empty place."""

import argparse
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, create_engine, func, make_url, select, text
from sqlalchemy.pool import NullPool

from app.core.disk import sync
from app.core.settings import Settings
from app.db import Annotation, Database, Item
from app.db.migrate import migrate
from app.services import tombstones

FILES = ("media", "features", "models", "predictions", "snapshots", "secret.key", tombstones.NAME)
ROWS, DUMP = "labelwise.db", "labelwise.dump"  # of SQLite, and of PostgreSQL
PACKING = 1  # of 1 to 9, the fastest: features and pictures hardly shrink
VARIABLES = {
    "host": "PGHOST", "port": "PGPORT", "username": "PGUSER", "password": "PGPASSWORD", "database": "PGDATABASE",
    "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT",
}  # fmt: skip


def backup(settings: Settings, given: argparse.Namespace) -> int:
    """Write rows and files to one tar, all of one moment; people may go on working meanwhile.

    Files are never changed under their name, so a second name holds each of them: those there before the rows are
    copied, which may be removed meanwhile, and those that came until then. Every row finds its file in the copy.
    """
    if settings.url.startswith("sqlite") and not (settings.data / ROWS).exists():
        raise RuntimeError(f"there is no {settings.data / ROWS}")
    aside = given.file.with_name(f"{given.file.name}.tmp")
    with _folder(settings) as folder:
        held = folder / "files"
        _hold(settings, held)
        rows = _copy_rows(settings, folder)
        _hold(settings, held)
        handle = os.open(aside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=PACKING) as archive:
                archive.add(rows, rows.name)
                for part in FILES:
                    if (held / part).exists():
                        archive.add(held / part, part)
            sync(file)
    aside.replace(given.file)
    print(f"wrote {given.file} ({given.file.stat().st_size:,} bytes)")
    return 0


def restore(settings: Settings, given: argparse.Namespace) -> int:
    """Read a backup into an empty data folder, and on PostgreSQL an empty database; the rows come last.

    A restore that was stopped half-way leaves a folder without rows, which no service takes for a whole one.
    """
    _check_empty(settings)
    erased = [
        *tombstones.lines(tombstones.file_of(settings)),
        *(tombstones.lines(given.erased) if given.erased else ()),
    ]
    rows = DUMP if settings.database_url is not None and not settings.url.startswith("sqlite") else ROWS
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = settings.data / f"{rows}.restoring"
    try:
        with tarfile.open(given.file, "r:gz") as archive:
            _check_members(given.file, archive, rows)  # reads all of it: a cut file is refused before one is written
            for member in archive:
                if member.name == rows:
                    member.name = unfinished.name
                archive.extract(member, settings.data, filter="data")
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise RuntimeError(f"{given.file} is cut or damaged: {error}") from None
    if rows == ROWS:
        unfinished.chmod(0o600)
        unfinished.replace(settings.data / ROWS)
    else:
        _postgresql(settings, "pg_restore", "--no-owner", "--exit-on-error", "--single-transaction", "-d",
                    str(make_url(settings.url).database), str(unfinished))  # fmt: skip
        unfinished.unlink()
    migrate(settings.url)
    tombstones.adopt(settings, erased)
    print(f"restored into {settings.data}: {_finished(settings)}")
    print("`labelwise check --all-files` looks whether all is there")
    return 0


@contextmanager
def _folder(settings: Settings) -> Iterator[Path]:
    """A folder on the data folder's own disk, so that files can have a second name in it; gone afterwards."""
    tmp = settings.data / "tmp"
    tmp.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in tmp.glob("backup-*"):  # of one that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=tmp, prefix="backup-") as folder:
        yield Path(folder)


def _hold(settings: Settings, held: Path) -> None:
    """Give every file of the data folder a second name that is held until the tar is written."""
    for part in FILES:
        whole = settings.data / part
        for file in whole.rglob("*") if whole.is_dir() else [whole]:
            target = held / file.relative_to(settings.data)
            if file.is_file() and file.suffix != ".tmp" and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                _second_name(file, target)


def _second_name(file: Path, target: Path) -> None:
    try:
        os.link(file, target)
    except FileNotFoundError:  # removed since it was listed
        return
    except OSError:  # the disk has no second names
        shutil.copy2(file, target)


def _copy_rows(settings: Settings, folder: Path) -> Path:
    if not settings.url.startswith("sqlite"):
        _postgresql(settings, "pg_dump", "--format=custom", "--no-owner", f"--file={folder / DUMP}")
        return folder / DUMP
    copy = folder / ROWS
    try:
        with closing(sqlite3.connect(settings.data / ROWS)) as reading, closing(sqlite3.connect(copy)) as writing:
            reading.backup(writing)
            said = writing.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        said = str(error)
    if said != "ok":
        raise RuntimeError(f"the database is damaged ({said}), so no backup was written: run `labelwise check`")
    return copy


def _postgresql(settings: Settings, program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own programs; the password goes through the environment, where no other user sees it."""
    path = shutil.which(program)
    if path is None:
        raise RuntimeError(f"{program} is not here: install PostgreSQL's client programs, of the server's version")
    environment = {**os.environ, **_variables(make_url(settings.url))}
    ended = subprocess.run([path, *arguments], env=environment, capture_output=True, text=True, check=False)  # noqa: S603  # no shell
    if ended.returncode != 0:
        raise RuntimeError(f"{program} ended with {ended.returncode}: {ended.stderr.strip()[:500]}")


def _variables(url: URL) -> dict[str, str]:
    given = {**url.translate_connect_args(), **url.query}
    return {variable: str(given[name]) for name, variable in VARIABLES.items() if given.get(name)}


def _check_empty(settings: Settings) -> None:
    if settings.data.exists() and any(file.name != tombstones.NAME for file in settings.data.iterdir()):
        raise RuntimeError(f"{settings.data} is not empty: restore into an empty folder with --data")
    if settings.url.startswith("sqlite"):
        return
    with create_engine(settings.url, poolclass=NullPool).connect() as connection:
        if connection.execute(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")).scalar_one():
            raise RuntimeError("the PostgreSQL database is not empty: name another one with --database-url")


def _check_members(file: Path, archive: tarfile.TarFile, rows: str) -> None:
    names = set()
    for member in archive:
        path = Path(member.name)
        if path.is_absolute() or ".." in path.parts or path.parts[0] not in (ROWS, DUMP, *FILES):
            raise RuntimeError(f"{file} is not a backup of ours: it holds {member.name!r}")
        if not (member.isfile() or member.isdir()):
            raise RuntimeError(f"{file} is not a backup of ours: {member.name!r} is a link")
        names.add(member.name)
    if rows not in names:
        other = "PostgreSQL: name an empty database with --database-url" if rows == ROWS else "SQLite"
        raise RuntimeError(f"{file} is not a backup of ours, or one of {other}")


def _finished(settings: Settings) -> str:
    """Erase again who came back, and count."""
    db = Database(settings.url)
    try:
        again = tombstones.apply(db, settings)
        with db.read() as session:
            items, answers = (session.execute(select(func.count(each.id))).scalar_one() for each in (Item, Annotation))
    finally:
        db.dispose()
    return f"{items:,} items, {answers:,} answers; erased again: {again:,} people and items of {tombstones.NAME}"
