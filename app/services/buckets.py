"""Files that stay in a bucket: who may read which, what a file is, and what becomes of items whose file is lost.

The operator names the places (a setting), an admin grants one to a project, and an item names a file in it. Nothing of
a bucket's address or keys leaves these functions.
"""

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.buckets import CHANGED, PIECE, Entry, NotInstalled, ObjectLost, Place, RangedFile, opened
from app.core.errors import AppError, Forbidden, InvalidPayload, NotFound, TooLarge, Unavailable
from app.core.places import InBucket, parse_roots
from app.core.settings import Settings
from app.db import BucketGrant, Database, Item, Media, Project, WriteSession
from app.db.session import now
from app.modalities import files
from app.modalities.base import FileInfo
from app.services import audit, jobs, search
from app.services.access import Person, project_for
from app.services.jobs import Done, More, Running

NOT_GRANTED = "this project may not read a bucket of that name: an admin grants it one"
SAMPLE = 200  # files of a bucket that are looked at unless all are asked for
LOOKED_AT_ONCE = 5_000  # items of a transaction that looks for those that show a lost file


@dataclass(frozen=True)
class Granted:
    """The buckets that a project may read."""

    settings: Settings
    names: frozenset[str]

    def place(self, name: str | None) -> Place:
        """A bucket by its name.

        Raises:
            NotFound: the operator has not named it, or no admin has granted it.
            Unavailable: a library is missing on this server.
        """
        if name is None or name not in self.names:
            raise NotFound(NOT_GRANTED)
        found = _opened(self.settings).get(name)
        if found is None:
            raise NotFound(NOT_GRANTED)
        return found


@dataclass(frozen=True)
class FoundFile:
    """A file in a bucket that was looked at: where it is, which version, what it holds."""

    at: InBucket
    entry: Entry
    info: FileInfo

    @property
    def mark(self) -> str:
        """Names address and version, as a hash names the bytes of stored files."""
        return mark(self.at, self.entry.version)


def mark(at: InBucket, version: str) -> str:
    """64 hexadecimal digits that name one version of one file."""
    return hashlib.sha256(f"{at}\n{version}".encode()).hexdigest()


def granted(session: Session, settings: Settings, project_id: int) -> Granted:
    """The buckets that a project may read."""
    names = session.execute(select(BucketGrant.bucket).where(BucketGrant.project_id == project_id)).scalars()
    return Granted(settings, frozenset(names))


def check_installed(settings: Settings) -> None:
    """Raise RuntimeError where a bucket of the setting needs a library that is not here."""
    opened(settings.buckets, _secret(settings))


def listed(session: Session, settings: Settings, person: Person) -> list[dict[str, Any]]:
    """Every bucket with its kind and the projects that may read it, for admins; never where it is."""
    _need_admin(person)
    found: dict[str, list[int]] = {name: [] for name in parse_roots(settings.buckets)}
    rows = session.execute(
        select(BucketGrant.bucket, BucketGrant.project_id)
        .join(Project, Project.id == BucketGrant.project_id)
        .where(Project.deleted_at.is_(None))
        .order_by(BucketGrant.project_id)
    )
    for row in rows:
        if row.bucket in found:
            found[row.bucket].append(row.project_id)
    roots = parse_roots(settings.buckets)
    return [{"name": name, "kind": roots[name].scheme, "projects": ids} for name, ids in sorted(found.items())]


def of_project(session: Session, settings: Settings, person: Person, ref: int | str) -> list[str]:
    """The names of the buckets that a project may read, for its managers."""
    project = project_for(session, person, ref, "manager")
    return sorted(granted(session, settings, project.id).names & parse_roots(settings.buckets).keys())


def grant(session: WriteSession, settings: Settings, person: Person, ref: int | str, name: str) -> None:
    """Let a project read a bucket; for admins. Raises NotFound for a name that the operator has not given."""
    _need_admin(person)
    person.need("manage")
    project = project_for(session, person, ref, "manager")
    if name not in parse_roots(settings.buckets):
        raise NotFound("the operator has named no such bucket: set LABELWISE_BUCKETS, or serve --bucket NAME=ADDRESS")
    if session.get(BucketGrant, (project.id, name)) is None:
        by = person.id or None
        session.add(BucketGrant(project_id=project.id, bucket=name, granted_by=by, created_at=now(session)))
        audit.record(session, "bucket.granted", by, project_id=project.id, bucket=name)


def revoke(session: WriteSession, person: Person, ref: int | str, name: str) -> None:
    """Let a project read a bucket no more; for admins. Its items stay, their files are not shown any more."""
    _need_admin(person)
    person.need("manage")
    project = project_for(session, person, ref, "manager")
    session.execute(delete(BucketGrant).where(BucketGrant.project_id == project.id, BucketGrant.bucket == name))
    audit.record(session, "bucket.revoked", person.id or None, project_id=project.id, bucket=name)


def checked(db: Database, settings: Settings, *, every: bool) -> list[tuple[str, bool, str]]:
    """Of each bucket: whether the files that items show are there as they were; a sample of 200, or every one."""
    lines = []
    for name in parse_roots(settings.buckets):
        wrong, looked, first = 0, 0, ""
        try:
            place = opened(settings.buckets, _secret(settings))[name]
            for row in _shown(db, name, None if every else SAMPLE):
                looked += 1
                if (reason := _fault(place, row)) is not None:
                    wrong, first = wrong + 1, first or f"; the first one: {row.path}: {reason}"
        except (AppError, NotInstalled) as error:
            lines.append((f"bucket {name} can be read", False, str(error)))
            continue
        lines.append((f"bucket {name} has the files of its items", not wrong, f"{looked - wrong} of {looked}{first}"))
    return lines


def _shown(db: Database, bucket: str, most: int | None) -> Iterator[Media]:
    """Files of a bucket that were taken in, not yet known as lost: all in order, or some at random."""
    wanted = select(Media).where(Media.bucket == bucket, Media.lost.is_(None))
    if most is not None:
        with db.read() as session:
            yield from session.execute(wanted.order_by(func.random()).limit(most)).scalars().all()
        return
    after = 0
    while True:
        with db.read() as session:
            page = wanted.where(Media.id > after).order_by(Media.id).limit(LOOKED_AT_ONCE)
            rows = session.execute(page).scalars().all()
        yield from rows
        if not rows:
            return
        after = rows[-1].id


def _fault(place: Place, row: Media) -> str | None:
    try:
        return None if place.look(row.path or "").version == row.version else CHANGED
    except ObjectLost as error:
        return str(error)


def probe(settings: Settings, place: Place, at: InBucket, entry: Entry, modality: str) -> FoundFile:
    """What a file in a bucket is, by ranged reads of its head.

    Raises:
        TooLarge: more bytes than the setting allows.
        InvalidPayload: of no kind that is taken, not of the project's kind, damaged, too many pixels or seconds.
        ObjectLost, BucketDown, BucketRefuses: it cannot be read.
    """
    if entry.size > settings.media_file_bytes:
        raise TooLarge(f"a file has more than {settings.media_file_bytes:,} bytes")
    raw = RangedFile(place, entry)
    try:
        with io.BufferedReader(raw) as file:
            info = files.glance(file, megapixels=settings.image_megapixels, longest=settings.clip_seconds)
        if info is None and raw.refusal is None:
            with borrowed(settings, place, entry) as path:
                info = media_info(settings, path)
    except InvalidPayload:
        if raw.refusal is not None:
            raise raw.refusal from None
        raise
    if raw.refusal is not None or info is None:
        raise raw.refusal or Unavailable
    files.check_kind(info.type, modality)
    return FoundFile(at, entry, info)


def record(session: WriteSession, project_id: int, found: Sequence[FoundFile]) -> dict[str, Media]:
    """The rows of files in buckets, by mark; a row that was lost and is read again is found again."""
    wanted = {each.mark: each for each in found}
    rows = select(Media).where(Media.project_id == project_id, Media.sha256.in_(wanted), Media.bucket.is_not(None))
    known = {row.sha256: row for row in session.execute(rows).scalars()}
    moment = now(session)
    for key, each in wanted.items():
        if key not in known:
            known[key] = _row(project_id, each, moment)
            session.add(known[key])
        known[key].lost = None
    session.flush()
    return known


def _row(project_id: int, found: FoundFile, moment: datetime) -> Media:
    return Media(
        project_id=project_id,
        name=found.at.path.rsplit("/", 1)[-1][:200],
        sha256=found.mark,
        type=found.info.type,
        size=found.entry.size,
        width=found.info.width,
        height=found.info.height,
        seconds=found.info.seconds,
        frames_per_second=found.info.frames_per_second,
        created_at=moment,
        bucket=found.at.bucket,
        path=found.at.path,
        version=found.entry.version,
    )


def media_info(settings: Settings, path: Path) -> FileInfo:
    """What a file of this machine is; raises InvalidPayload as `files.look` does."""
    return files.look(
        path,
        megapixels=settings.image_megapixels,
        clip_megapixels=settings.clip_megapixels,
        longest=settings.clip_seconds,
    )


def entry_of(row: Media) -> Entry:
    """A file in a bucket as it was taken in."""
    return Entry(row.path or "", row.size, row.version or "")


def pieces(place: Place, entry: Entry, start: int, end: int) -> Iterator[bytes]:
    """A range of a file, piece by piece, each of the same version; raises as `Place.read` does."""
    while start < end:
        piece = place.read(entry.path, entry.version, start, min(end, start + PIECE))
        if not piece:
            raise Unavailable("the bucket gave less than it said: try again shortly")
        start += len(piece)
        yield piece


@contextmanager
def borrowed(settings: Settings, place: Place, entry: Entry) -> Iterator[Path]:
    """The whole file as a temporary one of this machine, gone afterwards; raises as `Place.read` does."""
    folder = settings.data / "tmp"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{uuid4().hex}.object"
    try:
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            for piece in pieces(place, entry, 0, entry.size):
                file.write(piece)
        yield path
    finally:
        path.unlink(missing_ok=True)


def lose(db: Database, row: Media, reason: str) -> None:
    """Remember that a file cannot be read any more; the first time, the items that show it are looked for by a job."""
    with db.write() as session:
        first = update(Media).where(Media.id == row.id, Media.lost.is_(None)).values(lost=reason).returning(Media.id)
        if session.execute(first).first() is not None:
            jobs.enqueue(session, "lost", row.project_id, {"media": row.id, "reason": reason})


def find_again(db: Database, row: Media) -> None:
    """Forget that a file was lost: it could just be read, in the version that was taken in."""
    with db.write() as session:
        session.execute(update(Media).where(Media.id == row.id).values(lost=None))


def run_lost(running: Running) -> Done | More:
    """The job behind a lost file: open items that show it fail with the reason; answered ones keep what they have."""
    assert running.project_id is not None
    cursor = running.cursor or {"after": 0, "failed": 0}
    shown = (Item.project_id == running.project_id, Item.id > cursor["after"])
    with running.db.write() as session:
        some = select(Item.id, Item.payload).where(*shown).order_by(Item.id).limit(LOOKED_AT_ONCE)
        rows = session.execute(some).all()
        media_id = running.payload["media"]
        ids = [row.id for row in rows if (files.file_in(row.payload) or ("", {}))[1].get("media") == media_id]
        failed = fail(session, running.project_id, ids, running.payload["reason"]) if ids else 0
        cursor = {"after": rows[-1].id if rows else cursor["after"], "failed": cursor["failed"] + failed}
        running.checkpoint(session, cursor)
    return More() if len(rows) == LOOKED_AT_ONCE else Done({"failed": cursor["failed"]})


def fail(session: WriteSession, project_id: int, item_ids: Sequence[int], reason: str) -> int:
    """Put open items without all their answers aside until somebody opens or pushes them again; how many."""
    wanted = select(Item).where(Item.id.in_(item_ids), Item.state == "open", ~Item.done).with_for_update()
    moment, items = now(session), session.execute(wanted).scalars().all()
    with search.kept_up(session, project_id, [item.id for item in items]):
        for item in items:
            field, held = files.file_in(item.payload) or ("", {})
            item.payload = {field: {"address": held["address"], "was": held["sha256"]}}
            item.state, item.reason, item.updated_at = "failed", reason, moment
    return len(items)


def _opened(settings: Settings) -> dict[str, Place]:
    try:
        return opened(settings.buckets, _secret(settings))
    except NotInstalled:
        raise Unavailable("this server lacks the library that reads this bucket: its admin installs it") from None


def _secret(settings: Settings) -> str | None:
    return settings.bucket_options.get_secret_value() if settings.bucket_options else None


def _need_admin(person: Person) -> None:
    if not person.admin:
        raise Forbidden("only admins say which project reads which bucket")
