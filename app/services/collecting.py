"""Making items of the files below a folder of a bucket: listed in order, looked at, stored in slices of two seconds.

The cursor is the path of the last file that was dealt with, so a killed worker's successor goes on behind it, and the
same import again only lists: a file whose version is known is not looked at twice.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from itertools import islice
from typing import Any

from sqlalchemy import Row, insert, select, update

from app.buckets import BucketDown, BucketRefuses, Entry, ObjectLost, Place, RangedFile
from app.core import places
from app.core.errors import AppError, Invalid, NotFound
from app.core.places import InBucket
from app.core.text import fold, write_json
from app.db import Item, Project, RejectedRow, WriteSession
from app.db.session import now
from app.modalities import MODALITIES, files
from app.services import buckets, classes, erasing, ingestion, jobs, media, quota, search, storing, tasks
from app.services.access import Person, project_for
from app.services.applying import NET_SECONDS, wake_the_loop
from app.services.buckets import FoundFile, Granted
from app.services.jobs import Done, JobFailed, Later, More, Running
from app.services.media import StoredFile
from app.services.quota import Room
from app.services.rows import KEY_BYTES, PreparedRow, Reader, refused

SLICE_SECONDS = 2.0
AT_ONCE = 16  # files that are looked at beside each other
BATCH = 500  # files of a transaction, at most
AGAIN_SECONDS = 15.0  # until a bucket that is down is asked again
OTHER_FILE = "the key belongs to an item with another file"


@dataclass(frozen=True)
class _Seen:
    """What came of one listed file; `file` is None where it is known already, or refused for a `reason`."""

    entry: Entry
    file: FoundFile | StoredFile | None = None
    reason: str | None = None
    again: bool = False  # whether there is an item of another version of it


def start(session: WriteSession, granted: Granted, person: Person, ref: int | str, given: dict[str, Any]) -> int:
    """Ask for items of the files below a folder; the job's id.

    `given` has `bucket`, `prefix`, `labels` ("folders" or None), `copy` and `on_change`.

    Raises:
        NotFound: the project may not read this bucket.
        Invalid: the folder is none, or the project's items are not files.
    """
    person.need("import")
    project = project_for(session, person, ref, "manager")
    if MODALITIES[project.modality].media is None:
        raise Invalid(f"this project holds items of {project.modality}, not files")
    granted.place(given["bucket"])
    payload = {**given, "prefix": places.check_folder(given["prefix"])}
    job = jobs.enqueue(session, "bucket", project.id, payload, created_by=person.id)
    assert job is not None
    return job


def run(running: Running) -> Done | More | Later:
    """Work one slice; a bucket that is down is waited for."""
    assert running.project_id is not None
    cursor = running.cursor
    with running.db.write() as session:
        if cursor is None:
            counts = dict.fromkeys(("created", "updated", "unchanged", "rejected_count"), 0)
            cursor = {"after": None, "line": 0, "moment": now(session).isoformat(), "counts": counts}
        running.checkpoint(session, cursor)
        granted = buckets.granted(session, running.settings, running.project_id)
        modality = session.get_one(Project, running.project_id).modality
        left = quota.left(session, running.settings)
    try:
        place = granted.place(running.payload["bucket"])
    except NotFound as error:
        raise JobFailed(str(error)) from None
    return _Collection(running, place, modality, cursor, left).work()


@dataclass
class _Collection:
    running: Running
    place: Place
    modality: str
    cursor: dict[str, Any]
    left: int | None  # bytes that may still be stored, by the last look

    def work(self) -> Done | More | Later:
        deadline = 0.0
        entries = self.place.entries(self.running.payload["prefix"], self.cursor["after"])
        seen: list[_Seen] = []
        try:
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="collect") as pool:
                for some in _batches(entries):
                    deadline = deadline or time.monotonic() + SLICE_SECONDS  # to list a large folder takes seconds
                    seen += self._look(pool, some)
                    if len(seen) >= BATCH or time.monotonic() > deadline:
                        self._store(seen)
                        seen = []
                    if time.monotonic() > deadline:
                        return More()
        except ObjectLost:
            raise JobFailed("there is no such folder in the bucket") from None
        except (BucketDown, BucketRefuses) as error:
            self._store(seen)
            return Later(AGAIN_SECONDS, str(error))
        self._store(seen)
        return self._end()

    def _look(self, pool: ThreadPoolExecutor, entries: Sequence[Entry]) -> list[_Seen]:
        known = self._known([each.path for each in entries])
        return list(pool.map(lambda each: self._one(each, known.get(each.path)), entries))

    def _one(self, entry: Entry, stored: Row[Any] | None) -> _Seen:
        try:
            at = InBucket(self.running.payload["bucket"], places.check_path(entry.path))
            if len(entry.path.encode()) > KEY_BYTES:
                raise Invalid(f"the path has more than {KEY_BYTES} bytes, and is to be the key")
            if stored is not None:
                held = (files.file_in(stored.payload) or ("", {}))[1]
                if held.get("address") != str(at):
                    raise Invalid(OTHER_FILE)
                if held.get("mark", held.get("sha256")) == buckets.mark(at, entry.version):
                    return _Seen(entry)
            return _Seen(entry, self._taken(at, entry), again=stored is not None)
        except (BucketDown, BucketRefuses):
            raise
        except AppError as error:
            return _Seen(entry, reason=refused(error))

    def _taken(self, at: InBucket, entry: Entry) -> FoundFile | StoredFile:
        settings, project_id = self.running.settings, self.running.project_id
        assert project_id is not None
        found = buckets.probe(settings, self.place, at, entry, self.modality)
        if not self.running.payload["copy"]:
            return found
        raw = RangedFile(self.place, entry)
        try:
            source: Any = raw  # only read() is used
            stored = media.store(settings, project_id, self.modality, source, self.left)
        except AppError:
            if raw.refusal is not None:
                raise raw.refusal from None
            raise
        if raw.refusal is not None or stored.size != entry.size:
            raise raw.refusal or BucketDown
        return stored

    def _known(self, keys: list[str]) -> dict[str, Row[Any]]:
        with self.running.db.read() as session:
            mine = (Item.project_id == self.running.project_id, Item.key.in_(keys), Item.state != "deleted")
            rows = session.execute(select(Item.key, Item.payload, Item.state).where(*mine)).all()
        return {row.key: row for row in rows}

    def _store(self, seen: Sequence[_Seen]) -> None:
        """One transaction: files, items, labels, refusals, and the cursor behind them."""
        if not seen:
            return
        project_id, counts = self.running.project_id, self.cursor["counts"]
        assert project_id is not None
        with self.running.db.write() as session:
            room = quota.room(session, self.running.settings)
            project = session.get_one(Project, project_id)
            outcome, bad, unnamed = _items(session, project, self, seen, room)
            if bad:
                session.execute(insert(RejectedRow), [{"job_id": self.running.id, **each} for each in bad])
            for name in ("created", "updated", "unchanged"):
                counts[name] += getattr(outcome, name)
            counts["rejected_count"] += len(bad)
            self.cursor |= {"after": seen[-1].entry.path, "line": self.cursor["line"] + len(seen)}
            self.running.checkpoint(session, self.cursor, {"step": "bucket", "done": self.cursor["line"]})
            if outcome.created or outcome.updated:
                jobs.enqueue(session, "featurize", project_id, delay_seconds=NET_SECONDS)
                search.request(session, project_id, delay_seconds=NET_SECONDS)
        self.left = room.left
        for file in unnamed:
            erasing.drop_unnamed(self.running.db, self.running.settings, project_id, file.sha256)

    def _end(self) -> Done:
        counts = self.cursor["counts"]
        if counts["created"] or counts["updated"]:
            assert self.running.project_id is not None
            wake_the_loop(self.running.db, self.running.project_id)
        shown = ingestion.rejected_rows(self.running.db, self.running.id, ingestion.REJECTED_SHOWN)
        return Done(counts | {"rejected": shown})


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while some := list(islice(entries, AT_ONCE)):
        yield some


def _items(
    session: WriteSession, project: Project, work: _Collection, seen: Sequence[_Seen], room: Room
) -> tuple[storing.Outcome, list[dict[str, Any]], list[StoredFile]]:
    """Store what can be stored; what became of it, the refused files by line, key and reason, and their copies."""
    folders = work.running.payload["labels"] == "folders"
    held, too_many = _held(session, project, work, seen, room)
    unnamed = [each.file for each in seen if each.entry.path in too_many and isinstance(each.file, StoredFile)]
    seen = [
        replace(each, file=None, reason=too_many[each.entry.path]) if each.entry.path in too_many else each
        for each in seen
    ]
    reader = _reader(session, project, work, seen)
    rows: list[PreparedRow] = []
    bad: list[dict[str, Any]] = []
    unchanged = 0
    for line, each in enumerate(seen, start=work.cursor["line"] + 1):
        key = each.entry.path
        label = _folder(key) if folders else ""
        if each.reason is not None:
            bad.append({"line": line, "key": key[:KEY_BYTES], "error": each.reason})
        elif each.file is None and not label:
            unchanged += 1
        else:
            content = {project.modality: held[key]} if each.file is not None else {}
            try:
                row = reader.prepare(line, {"key": key, **content, **({"label": label} if label else {})})
                rows.append(row if row.payload is None else replace(row, content_hash=_sent(work, each)))
            except AppError as error:
                bad.append({"line": line, "key": key, "error": refused(error)})
    moment = datetime.fromisoformat(work.cursor["moment"])
    outcome = storing.store(
        session, project, rows, replace=work.running.payload["on_change"] == "replace", moment=moment
    )
    _as_named(session, project, work, [each for each in seen if each.again])
    outcome.unchanged += unchanged
    bad += [{"line": line, "key": key, "error": error} for line, key, error in outcome.refused]
    return outcome, bad, unnamed


def _held(
    session: WriteSession, project: Project, work: _Collection, seen: Sequence[_Seen], room: Room
) -> tuple[dict[str, Any], dict[str, str]]:
    """What the item of each file holds, by its path, and why a copy of it was not kept."""
    bucket = work.running.payload["bucket"]
    found = [each.file for each in seen if isinstance(each.file, FoundFile)]
    rows = buckets.record(session, project.id, found)
    held = {each.at.path: media.payload(rows[each.mark]) for each in found}
    bad: dict[str, str] = {}
    for each in seen:
        if isinstance(each.file, StoredFile):
            at = InBucket(bucket, each.entry.path)
            name = each.entry.path.rsplit("/", 1)[-1][:200]
            try:
                row = media.payload(media.record(session, project.id, name, each.file, room))
            except AppError as error:
                bad[at.path] = refused(error)
                continue
            held[at.path] = {**row, "address": str(at), "mark": buckets.mark(at, each.entry.version)}
    return held, bad


def _reader(session: WriteSession, project: Project, work: _Collection, seen: Sequence[_Seen]) -> Reader:
    """Reads rows of this project, after the classes that folders name were made."""
    if work.running.payload["labels"] == "folders":
        known = tasks.driving(tasks.questions(session, project)).aliases
        for name in sorted({_folder(each.entry.path) for each in seen if each.reason is None} - {""}):
            if fold(name) not in known:
                classes.new(session, project, {"name": name})
    return Reader(project.modality, tasks.questions(session, project), work.running.settings, {}, lambda given: given)


def _sent(work: _Collection, seen: _Seen) -> str:
    """The hash of what a row that names the file would have sent; of another version of a file one of its own."""
    sent = {"address": str(InBucket(work.running.payload["bucket"], seen.entry.path))}
    if seen.again:
        sent |= {"version": seen.entry.version, "moment": work.cursor["moment"]}
    return blake2b(write_json(sent).encode(), digest_size=16).hexdigest()


def _as_named(session: WriteSession, project: Project, work: _Collection, changed: Sequence[_Seen]) -> None:
    """Let items of changed files be again what a row that names the file would push."""
    for each in changed:
        mine = (Item.project_id == project.id, Item.key == each.entry.path, Item.content_hash == _sent(work, each))
        named = _sent(work, replace(each, again=False))
        session.execute(update(Item).where(*mine).values(content_hash=named))


def _folder(path: str) -> str:
    return path.split("/")[-2] if "/" in path else ""
