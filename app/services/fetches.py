"""Files that items name by an address: fetched by a job, some at once, in slices; the items wait meanwhile.

An item with an address is stored as `fetching` and opens when its file is here. What may not be fetched, or is not
there, leaves it `failed` with the reason; opening it by hand, or pushing it again, tries once more. A slow server holds
up no other job: what is on its way when a slice ends stays on its way, and a later slice takes it in (`underway`).
"""

import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import Row, select, text, update
from sqlalchemy.orm import Session

from app.buckets import BucketDown
from app.core import addresses, places
from app.core.addresses import Allowed
from app.core.errors import AppError, Unavailable
from app.core.fetch import FetchFailed, safe_fetch
from app.db import Item, Job, Project, WriteSession
from app.db.session import now
from app.modalities import files
from app.services import buckets, jobs, leases, media, quota, search, spool, underway, vectors
from app.services.buckets import FoundFile, Granted
from app.services.jobs import Done, JobCancelled, JobLost, More, Running
from app.services.media import StoredFile
from app.services.quota import Room
from app.services.underway import Outcome, Underway

SLICE_SECONDS = 2.0
FETCH_SECONDS = 10.0  # for one file, redirects and all
FARTHEST = 64  # files that are here already beyond one that is not
GIVE_UP = "give_up"  # in the payload of a job that lets items fail: those that waited at this moment
GIVEN_UP_AT_ONCE = 500
CANCELLED = "fetching was cancelled: open the item, or push it again, to fetch its file"
TRIES = 3  # of what may go well later: nobody there, too slow, an error of the server
AGAIN_SECONDS = 30.0  # until what failed so is tried again
FEATURES_AFTER_SECONDS = 5.0
REASON_LIMIT = 500
NAME_LIMIT = 200
FETCHING = text("items.state = 'fetching'")  # word for word the condition of the index


def is_address(given: object) -> bool:
    """Whether an item names its file by an address of the web."""
    return isinstance(given, str) and ("://" in given or places.is_in_bucket(given))


def waiting(granted: Granted, address: str) -> dict[str, Any]:
    """What an item holds until its file is here, or was looked at in its bucket.

    Raises:
        AddressRefused, Invalid: what could never be fetched.
        NotFound: the project may not read this bucket.
    """
    if places.is_in_bucket(address):
        granted.place(places.parse(address).bucket)
    else:
        addresses.parse(address, Allowed.parse(granted.settings.allow_fetch_from))
    return {"address": address}


def request(session: WriteSession, project_id: int, *, delay_seconds: float = 0.0) -> None:
    """Ask for the files of a project's items, where some wait and no job is about to begin with them."""
    some = session.execute(select(Item.id).where(Item.project_id == project_id, FETCHING).limit(1)).first()
    asked = select(Job.payload).where(Job.project_id == project_id, Job.kind == "fetch", Job.state == "waiting")
    if some is not None and all(GIVE_UP in payload for payload in session.execute(asked).scalars()):
        jobs.enqueue(session, "fetch", project_id, delay_seconds=delay_seconds)


def cancel(session: WriteSession, job_id: int) -> None:
    """Cancel a job; of one that fetches files, the items that wait by now fail and say so."""
    jobs.cancel(session, job_id)
    job = session.get_one(Job, job_id)
    if job.kind == "fetch" and job.project_id is not None and GIVE_UP not in job.payload:
        jobs.enqueue(session, "fetch", job.project_id, {GIVE_UP: now(session).isoformat()})


def run(running: Running) -> Done | More:
    """Work one slice: fetch files in the order of their items, and look at each once."""
    if GIVE_UP in running.payload:
        return _give_up(running, datetime.fromisoformat(running.payload[GIVE_UP]))
    here = underway.of(running)
    try:
        return _slice(running, here)
    except JobCancelled:
        here.abandon(drop=True)
        raise
    except JobLost:  # another process fetches the same files now
        here.abandon(drop=False)
        raise


def _slice(running: Running, here: Underway) -> Done | More:
    assert running.project_id is not None
    cursor: dict[str, Any] = {"after": 0, "seen": [], "fetched": 0, "failed": 0, **(running.cursor or {})}
    deadline = time.monotonic() + SLICE_SECONDS
    allowed = Allowed.parse(running.settings.allow_fetch_from)
    while True:
        if len(cursor["seen"]) < FARTHEST:
            _begin(running, here, cursor, allowed)
        if not here.ids:
            here.abandon(drop=True)
            return _finish(running, cursor)
        found = here.come(deadline)
        if found:
            try:
                cursor = _store(running, cursor, found, here.ids)
            except JobCancelled:
                here.give_back(found)
                raise
        if any(outcome.down for _, outcome in found):  # whatever else lies in that bucket waits with it
            here.abandon(drop=True)
            return _finish(running, cursor)
        if time.monotonic() > deadline:
            return More()


def _begin(running: Running, here: Underway, cursor: dict[str, Any], allowed: Allowed) -> None:
    """Begin with the next files, as many as there is room for."""
    assert running.project_id is not None
    with running.db.read() as session:
        rows = _next(session, running.project_id, cursor["after"], [*cursor["seen"], *here.ids], here.room)
        granted = buckets.granted(session, running.settings, running.project_id)
        left = quota.left(session, running.settings)
    for row in rows:
        here.begin(row, partial(_fetch, granted, row, allowed, left))


def _give_up(running: Running, since: datetime) -> Done | More:
    """Let the items fail that waited for their files when somebody cancelled the job."""
    deadline = time.monotonic() + SLICE_SECONDS
    count = (running.cursor or {}).get("failed", 0)
    while time.monotonic() < deadline:
        with running.db.write() as session:
            waiting = select(Item.id).where(Item.project_id == running.project_id, FETCHING, Item.updated_at <= since)
            ids = session.execute(waiting.order_by(Item.id).limit(GIVEN_UP_AT_ONCE)).scalars().all()
            count += len(ids)
            running.checkpoint(session, {"failed": count})
            values = {"state": "failed", "reason": CANCELLED, "updated_at": now(session)}
            session.execute(update(Item).where(Item.id.in_(ids), FETCHING).values(**values))
        if not ids:
            return Done({"failed": count})
    return More()


def _next(session: Session, project_id: int, after: int, but: Sequence[int], limit: int) -> Sequence[Row[Any]]:
    return session.execute(
        select(Item.id, Item.project_id, Item.payload, Item.content_hash, Item.revision)
        .join(Project, Project.id == Item.project_id)
        .where(Item.project_id == project_id, FETCHING, Item.id > after, Project.deleted_at.is_(None))
        .where(Item.id.not_in(but))
        .order_by(Item.id)
        .limit(limit)
    ).all()


def _fetch(granted: Granted, row: Row[Any], allowed: Allowed, left: int | None) -> Outcome:
    settings, (field, held) = granted.settings, _file(row)
    address = held["address"]
    if places.is_in_bucket(address):
        return _look(granted, address, field)
    try:
        quota.check(settings, left, 1)  # a file that finds no room at all is not asked for
        with spool.spool(settings, "fetch") as (_, file):
            most = settings.media_file_bytes
            safe_fetch(address, file, most_bytes=most, seconds=FETCH_SECONDS, allowed=allowed)
            file.seek(0)
            return Outcome(file=media.store(settings, row.project_id, field, file, left))
    except FetchFailed as error:
        return Outcome(reason=str(error), again=error.again)
    except AppError as error:
        return Outcome(reason=str(error))
    except OSError as error:
        return Outcome(reason=f"the file could not be stored: {error.strerror}", again=True)


def _look(granted: Granted, address: str, modality: str) -> Outcome:
    """Look at a file where it lies; it is not copied."""
    try:
        at = places.parse(address)
        place = granted.place(at.bucket)
        return Outcome(file=buckets.probe(granted.settings, place, at, place.look(at.path), modality))
    except BucketDown as error:
        return Outcome(reason=str(error), down=True)
    except AppError as error:
        return Outcome(reason=str(error), again=isinstance(error, Unavailable))


def _store(
    running: Running, cursor: dict[str, Any], found: Sequence[tuple[Row[Any], Outcome]], waiting: Sequence[int]
) -> dict[str, Any]:
    """One transaction of a few rows; an item that was changed meanwhile is left to its new content.

    The cursor names the items behind those that are still waited for: they are not looked at again.
    """
    assert running.project_id is not None
    seen = [*cursor["seen"], *(row.id for row, _ in found)]
    after = min(waiting) - 1 if waiting else max(seen)
    with running.db.write() as session:
        room = quota.room(session, running.settings)
        moment = now(session)
        here: list[int] = []
        unwanted: list[StoredFile] = []
        fetched = failed = 0
        for row, outcome in found:
            if not _still_waits(session, row):
                unwanted += [outcome.file] if isinstance(outcome.file, StoredFile) else []
                continue
            if outcome.down:
                continue  # it waits on, and this is none of its tries
            came, values = _became(session, row, outcome, room)
            if not came and isinstance(outcome.file, StoredFile):
                unwanted.append(outcome.file)
            with search.kept_up(session, row.project_id, [row.id]):
                session.execute(update(Item).where(Item.id == row.id).values(updated_at=moment, **values))
            here += [row.id] if came else []
            fetched, failed = fetched + came, failed + ("reason" in values and not came)
        cursor = {
            "after": max(cursor["after"], after),
            "seen": sorted(each for each in seen if each > after),
            "fetched": cursor["fetched"] + fetched,
            "failed": cursor["failed"] + failed,
        }
        progress = {"step": "fetch", "done": cursor["fetched"] + cursor["failed"]}
        running.checkpoint(session, cursor, progress)
        vectors.put_in_line(session, running.project_id, here)
        if here:
            jobs.enqueue(session, "featurize", running.project_id, delay_seconds=FEATURES_AFTER_SECONDS)
    for file in unwanted:
        underway.drop(running, file)
    return cursor


def _became(session: WriteSession, row: Row[Any], outcome: Outcome, room: Room) -> tuple[bool, dict[str, Any]]:
    """Whether an item's file is here now, and what the item becomes."""
    if outcome.file is None:
        return False, _refused(row, outcome)
    try:
        return True, _opened(session, row, outcome.file, room)
    except AppError as error:
        return False, _refused(row, Outcome(reason=str(error), again=isinstance(error, Unavailable)))


def _still_waits(session: WriteSession, row: Row[Any]) -> bool:
    """Whether an item still waits for this file; it is locked until the transaction ends."""
    same = select(Item.id).where(Item.id == row.id, FETCHING, Item.content_hash == row.content_hash)
    return session.execute(same.with_for_update()).first() is not None


def _opened(session: WriteSession, row: Row[Any], file: StoredFile | FoundFile, room: Room) -> dict[str, Any]:
    field, held = _file(row)
    address = held["address"]
    if isinstance(file, FoundFile):
        stored = media.payload(buckets.record(session, row.project_id, [file])[file.mark])
    else:
        stored = media.payload(media.record(session, row.project_id, _name(address), file, room))
    values: dict[str, Any] = {"payload": {field: {**stored, "address": address}}, "state": "open", "reason": None}
    if held.get("was", stored["sha256"]) != stored["sha256"]:  # what was answered of the earlier content stays with it
        values |= {"revision": row.revision + 1, "done": False}
        leases.content_changed(session, [row.id])
    return values | {"fingerprint": str(stored["sha256"])[:32]}


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
    name = unquote(parts.path.rsplit("/", 1)[-1], errors="replace").replace("\\", "/").rsplit("/", 1)[-1]
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
