"""Migrations and health from the command line."""

import argparse
import os
from collections.abc import Callable
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from app.core.disk import FREE_BYTES, free_bytes
from app.core.settings import Settings
from app.db import Database
from app.db.migrate import current, migrate, newest
from app.services import buckets, filed, high_water, purging, recounting, retention, status
from app.services.recounting import Finding


def migrate_database(settings: Settings, given: argparse.Namespace) -> int:
    """Bring the database to the newest schema."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = current(settings.url)
    migrate(settings.url)
    print(f"{before or 'empty'} -> {newest()}")
    return 0


def check(settings: Settings, given: argparse.Namespace) -> int:
    """Say line by line what is in order, and of what is not what to do; the exit code is 1 when something is not."""
    found = [_folder(settings), *_room(settings)]
    if found[0].good:
        found.append(_schema(settings))
        if found[-1].good:
            found += _contents(settings, every=given.all_files)
    for each in found:
        print(f"ok   {each.what}: {each.detail}" if each.good else f"BAD  {each.what}: {each.detail}. {each.advice}")
    return 0 if all(each.good for each in found) else 1


def _folder(settings: Settings) -> Finding:
    good = settings.data.is_dir() and os.access(settings.data, os.W_OK)
    advice = "Name the folder with --data, and let the service's user write in it"
    return Finding("data folder is writable", good, str(settings.data), advice)


def _room(settings: Settings) -> list[Finding]:
    if not settings.data.is_dir():
        return []
    free = free_bytes(settings.data)
    words = f"{free:,} bytes free"
    return [Finding("the disk has room", free >= FREE_BYTES, words, f"Make room: below {FREE_BYTES:,} imports stop")]


def _schema(settings: Settings) -> Finding:
    try:
        revision = current(settings.url)
    except SQLAlchemyError as error:
        words = str(getattr(error, "orig", error))[:200]
        return Finding("the database can be opened", False, words, "Restore the newest backup into an empty folder")
    advice = "Run `labelwise migrate`, or install the newer release that wrote it"
    return Finding("database is at the newest schema", revision == newest(), revision or "empty", advice)


def _contents(settings: Settings, *, every: bool) -> list[Finding]:
    db = Database(settings.url)
    try:
        alive = _worker(db)
        looks: list[Callable[[], list[Finding]]] = [
            partial(recounting.integrity, db),
            partial(_gone_back, db, settings),
            partial(recounting.rows, db, settings, worker_lives=alive.good),
            partial(filed.files, db, settings, every=every),
            partial(_buckets, db, settings, every),
            partial(_left_over, db, settings),
        ]
        return [*(each for look in looks for each in _looked(look)), alive]
    finally:
        db.dispose()


def _looked(look: Callable[[], list[Finding]]) -> list[Finding]:
    """What was found; a database that is too damaged to be read is a finding too."""
    try:
        return look()
    except SQLAlchemyError as error:
        words = str(getattr(error, "orig", error))[:200]
        return [Finding("the rows can be read", False, words, "Restore the newest backup into an empty folder")]


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


def _worker(db: Database) -> Finding:
    try:
        with db.read() as session:
            state = status.worker_state(session, db.now())
    except SQLAlchemyError:
        state = {"alive": False, "last_seen": "not known"}
    seen = str(state["last_seen"] or "never")
    return Finding("a worker was seen in the last 30 seconds", state["alive"], seen, "Start one: `labelwise worker`")


def _gone_back(db: Database, settings: Settings) -> list[Finding]:
    count = high_water.missing(db, settings)
    advice = "Its log was cut or an older copy stands in its place: put the newest files back, or restore a backup"
    return [Finding("the database has every answer that it had", not count, f"{count:,} missing", advice)]


def _buckets(db: Database, settings: Settings, every: bool) -> list[Finding]:
    advice = "Put the files back, or take the items out on the items page"
    return [Finding(*line, advice=advice) for line in buckets.checked(db, settings, every=every)]


def _left_over(db: Database, settings: Settings) -> list[Finding]:
    left = purging.left_over(db, settings)
    advice = "Start a worker, which purges them; remove folders by hand that no project owns"
    return [Finding("nothing is left of purged projects", not left, ", ".join(left[:5]) or "none", advice)]
