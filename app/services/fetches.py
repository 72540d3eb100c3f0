"""Files that items name by an address: fetched by a job, some at once, in slices; the items wait meanwhile.

An item with an address is stored as `fetching` and opens when its file is here. What may not be fetched, or is not
there, leaves it `failed` with the reason; opening it by hand, or pushing it again, tries once more.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import Row, select, text, update
from sqlalchemy.orm import Session

from app.core import addresses
from app.core.addresses import Allowed
from app.core.errors import AppError
from app.core.fetch import FetchFailed, safe_fetch
from app.core.settings import Settings
from app.db import Item, Job, Project, WriteSession
from app.db.session import now
from app.modalities import files
from app.services import erasing, jobs, media, search, spool, vectors
from app.services.jobs import Done, More, Running
from app.services.media import StoredFile

SLICE_SECONDS = 2.0
AT_ONCE = 8
FETCH_SECONDS = 10.0  # for one file, redirects and all; a round waits for a slice, so not longer
TRIES = 3  # of what may go well later: nobody there, too slow, an error of the server
AGAIN_SECONDS = 30.0  # until what failed so is tried again
FEATURES_AFTER_SECONDS = 5.0
REASON_LIMIT = 500
NAME_LIMIT = 200
FETCHING = text("items.state = 'fetching'")  # word for word the condition of the index


@dataclass(frozen=True)
class Outcome:
    """What came of one address: the stored file, or why there is none and whether it may go well later."""

    file: StoredFile | None = None
    reason: str | None = None
    again: bool = False


def is_address(given: object) -> bool:
    """Whether an item names its file by an address of the web."""
    return isinstance(given, str) and "://" in given


def waiting(settings: Settings, address: str) -> dict[str, Any]:
    """What an item holds until its file is here. Raises AddressRefused for what could never be fetched."""
    addresses.parse(address, Allowed.parse(settings.allow_fetch_from))
    return {"address": address}


def request(session: WriteSession, project_id: int, *, delay_seconds: float = 0.0) -> None:
    """Ask for the files of a project's items, where some wait and no job is about to begin with them."""
    some = session.execute(select(Item.id).where(Item.project_id == project_id, FETCHING).limit(1)).first()
    asked = select(Job.id).where(Job.project_id == project_id, Job.kind == "fetch", Job.state == "waiting").limit(1)
    if some is not None and session.execute(asked).first() is None:
        jobs.enqueue(session, "fetch", project_id, delay_seconds=delay_seconds)


def run(running: Running) -> Done | More:
    """Work one slice: fetch files in the order of their items, and look at each once."""
    assert running.project_id is not None
    cursor = running.cursor or {"after": 0, "fetched": 0, "failed": 0}
    deadline = time.monotonic() + SLICE_SECONDS
    allowed = Allowed.parse(running.settings.allow_fetch_from)
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch") as pool:
        while time.monotonic() < deadline:
            with running.db.read() as session:
                rows = _next(session, running.project_id, cursor["after"])
            if not rows:
                return _finish(running, cursor)
            found = pool.map(lambda row: _fetch(running.settings, row, allowed), rows)
            cursor = _store(running, cursor, rows, list(found))
    return More()


def _next(session: Session, project_id: int, after: int) -> Sequence[Row[Any]]:
    return session.execute(
        select(Item.id, Item.project_id, Item.payload, Item.content_hash)
        .join(Project, Project.id == Item.project_id)
        .where(Item.project_id == project_id, FETCHING, Item.id > after, Project.deleted_at.is_(None))
        .order_by(Item.id)
        .limit(AT_ONCE)
    ).all()


def _fetch(settings: Settings, row: Row[Any], allowed: Allowed) -> Outcome:
    field, held = _file(row)
    address = held["address"]
    try:
        with spool.spool(settings) as (_, file):
            most = settings.media_file_bytes
            safe_fetch(address, file, most_bytes=most, seconds=FETCH_SECONDS, allowed=allowed)
            file.seek(0)
            return Outcome(file=media.store(settings, row.project_id, field, file))
    except FetchFailed as error:
        return Outcome(reason=str(error), again=error.again)
    except AppError as error:
        return Outcome(reason=str(error))
    except OSError as error:
        return Outcome(reason=f"the file could not be stored: {error.strerror}", again=True)


def _store(running: Running, cursor: dict[str, Any], rows: Sequence[Row[Any]], found: list[Outcome]) -> dict[str, Any]:
    """One transaction of a few rows; an item that was changed meanwhile is left to its new content."""
    assert running.project_id is not None
    fetched = sum(each.file is not None for each in found)
    failed = sum(each.file is None and not each.again for each in found)
    cursor = {
        "after": rows[-1].id,
        "fetched": cursor["fetched"] + fetched,
        "failed": cursor["failed"] + failed,
    }
    with running.db.write() as session:
        progress = {"step": "fetch", "done": cursor["fetched"] + cursor["failed"]}
        running.checkpoint(session, cursor, progress)
        moment = now(session)
        here, unwanted = [], []
        for row, outcome in zip(rows, found, strict=True):
            if not _still_waits(session, row):
                unwanted += [outcome.file.sha256] if outcome.file else []
                continue
            values = _opened(session, row, outcome.file) if outcome.file else _refused(row, outcome)
            with search.kept_up(session, row.project_id, [row.id]):
                session.execute(update(Item).where(Item.id == row.id).values(updated_at=moment, **values))
            here += [row.id] if outcome.file else []
        vectors.put_in_line(session, running.project_id, here)
        if here:
            jobs.enqueue(session, "featurize", running.project_id, delay_seconds=FEATURES_AFTER_SECONDS)
    for sha256 in unwanted:
        erasing.drop_unnamed(running, sha256)
    return cursor


def _still_waits(session: WriteSession, row: Row[Any]) -> bool:
    """Whether an item still waits for this file; it is locked until the transaction ends."""
    same = select(Item.id).where(Item.id == row.id, FETCHING, Item.content_hash == row.content_hash)
    return session.execute(same.with_for_update()).first() is not None


def _opened(session: WriteSession, row: Row[Any], file: StoredFile) -> dict[str, Any]:
    field, held = _file(row)
    address = held["address"]
    stored = media.payload(media.record(session, row.project_id, _name(address), file))
    opened = {field: {**stored, "address": address}}
    return {"payload": opened, "fingerprint": file.sha256[:32], "state": "open", "reason": None}


def _file(row: Row[Any]) -> tuple[str, dict[str, Any]]:
    """The field that names the row's file, which is its modality's name, and what it holds."""
    found = files.file_in(row.payload)
    assert found is not None, "items without files are never fetching"
    return found


def _refused(row: Row[Any], outcome: Outcome) -> dict[str, Any]:
    field, held = _file(row)
    tries = held.get("tries", 0) + 1
    if outcome.again and tries < TRIES:
        return {"payload": {field: {**held, "tries": tries}}}
    without = {key: value for key, value in held.items() if key != "tries"}
    return {"payload": {field: without}, "state": "failed", "reason": (outcome.reason or "")[:REASON_LIMIT]}


def _finish(running: Running, cursor: dict[str, Any]) -> Done:
    """What may go well later gets a job of its own, some time later."""
    assert running.project_id is not None
    with running.db.write() as session:
        running.checkpoint(session)
        if cursor["fetched"]:
            jobs.at_once(session, "featurize", running.project_id)
        request(session, running.project_id, delay_seconds=AGAIN_SECONDS)
    return Done({"fetched": cursor["fetched"], "failed": cursor["failed"]})


def _name(address: str) -> str:
    """The file's name for people: the last part of the path, else the host."""
    parts = urlsplit(address)
    name = unquote(parts.path.rsplit("/", 1)[-1], errors="replace")
    return ("".join(filter(str.isprintable, name)) or parts.hostname or "file")[:NAME_LIMIT]


def opening(session: WriteSession, item: Item, moment: datetime) -> None:
    """Open an item by hand: at once where its file is here, else once it is fetched."""
    found = files.file_in(item.payload)
    item.reason, item.updated_at = None, moment
    if found is not None and "sha256" not in found[1] and "address" in found[1]:
        item.state = "fetching"
        session.flush()
        request(session, item.project_id)
    else:
        item.state = "open"
