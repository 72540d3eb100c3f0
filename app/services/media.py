"""Stored files of items: named by the hash of their bytes, typed by our own look at them."""

import hashlib
import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard
from uuid import uuid4

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from app.core.contents import is_whole
from app.core.disk import sync, sync_folder
from app.core.errors import Invalid, InvalidPayload, NotFound, TooLarge, Unavailable
from app.core.places import InBucket
from app.core.settings import Settings
from app.core.text import INT64_MAX, check_text
from app.db import Media, WriteSession
from app.db.session import now
from app.modalities import files
from app.modalities.base import FileInfo
from app.services import access, quota
from app.services.access import Person
from app.services.quota import Room

PIECE = 1 << 20
NAME_LIMIT = 500
NO_NAMES = ("Cc", "Zl", "Zp")  # Unicode's categories of controls and of the ends of lines
KNOWN = ("width", "height", "seconds", "frames_per_second")  # of a file, where they are known
KEPT = ("id", "name", "sha256", "type", "bucket", "path", *KNOWN)
SHOWN: tuple[Any, ...] = tuple(getattr(Media, name) for name in KEPT)


@dataclass(frozen=True)
class StoredFile:
    """A file that lies in the media folder and waits for its row."""

    sha256: str
    size: int
    info: FileInfo


def path_of(settings: Settings, project_id: int, sha256: str | None) -> Path | None:
    """Where a file of a project lies; None for no file. Only hashes make paths, never a client's name."""
    if sha256 is None or len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
        return None
    return settings.data / "media" / str(project_id) / sha256[:2] / sha256


def store(settings: Settings, project_id: int, modality: str, source: BinaryIO, left: int | None = None) -> StoredFile:
    """Take a file in, bounded and looked at; the same bytes are kept once. `left`: what the quota had left before.

    Raises:
        TooLarge: more bytes than the setting allows.
        NoRoom: more than are left, as soon as they came.
        InvalidPayload: of no kind that is taken, not of the project's kind, damaged, too many pixels or seconds.
    """
    piece = source.read(PIECE)
    files.check_beginning(piece)  # what is of no kind that is taken costs no look at the disk
    folder = settings.data / "tmp"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = folder / uuid4().hex
    digest, size = hashlib.sha256(), 0
    try:
        with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            while piece:
                size += len(piece)
                if size > settings.media_file_bytes:
                    raise TooLarge(f"a file has more than {settings.media_file_bytes:,} bytes")
                quota.check(settings, left, size)
                digest.update(piece)
                file.write(piece)
                piece = source.read(PIECE)
            sync(file)
        info = files.look(
            aside,
            megapixels=settings.image_megapixels,
            clip_megapixels=settings.clip_megapixels,
            longest=settings.clip_seconds,
        )
        files.check_kind(info.type, modality)
        target = path_of(settings, project_id, digest.hexdigest())
        assert target is not None
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside.replace(target)
        sync_folder(target.parent)
    finally:
        aside.unlink(missing_ok=True)
    return StoredFile(digest.hexdigest(), size, info)


def file_in(payload: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The field of an item's payload that names a file, with what it holds; None for other items."""
    return files.file_in(payload)


def record(session: WriteSession, project_id: int, name: str, stored: StoredFile, room: Room) -> Media:
    """The row of a stored file under a name; the same bytes under another name are a row of their own.

    Raises:
        NoRoom: they are new, and more than the quota has room for by now.
        Unavailable: the file is gone again, as another upload of the same bytes found no room for them.
    """
    checked = check_text(plain_name(name), what="the file name", limit=NAME_LIMIT)
    same = select(Media).where(Media.project_id == project_id, Media.sha256 == stored.sha256)
    if session.execute(same.where(Media.lost.is_(None)).limit(1)).first() is None:
        room.take(stored.size)
        path = path_of(room.settings, project_id, stored.sha256)
        if path is None or not path.is_file():
            raise Unavailable("another upload of the same file was refused: try again shortly")
    found = session.execute(same.where(Media.name == checked)).scalar_one_or_none()
    if found is not None:
        found.lost = None  # it may have been removed after the project was closed
        return found
    row = Media(
        project_id=project_id,
        name=checked,
        sha256=stored.sha256,
        type=stored.info.type,
        size=stored.size,
        width=stored.info.width,
        height=stored.info.height,
        seconds=stored.info.seconds,
        frames_per_second=stored.info.frames_per_second,
        created_at=now(session),
    )
    session.add(row)
    session.flush()
    return row


def plain_name(name: str) -> str:
    """A file's name without what no name needs: control characters and the ends of lines."""
    return "".join(letter for letter in name if unicodedata.category(letter) not in NO_NAMES).strip() or "file"


def payload(row: Media | Row[Any]) -> dict[str, Any]:
    """What an item that shows this file holds; `bucket` and `address` where the file stays in one."""
    kept = {name: getattr(row, name) for name in KNOWN}
    known = {key: value for key, value in kept.items() if value is not None}
    away = {"bucket": row.bucket, "address": str(InBucket(row.bucket, row.path or ""))} if row.bucket else {}
    return {"media": row.id, "sha256": row.sha256, "name": row.name, **known, **away}


@dataclass
class KnownFiles:
    """The stored files that some rows name, looked up for many rows at once: two queries whatever their number."""

    project_id: int
    modality: str
    by_id: dict[int, Row[Any]] = field(default_factory=dict)
    by_name: dict[str, Row[Any]] = field(default_factory=dict)

    def look_up(self, session: Session, given: Iterable[object]) -> None:
        """Know the files that these rows name, and no others any more; of a name that was used twice, the newest."""
        given = list(given)
        ids = {each for each in given if _is_id(each)}
        names = {each["name"] for each in given if isinstance(each, dict) and _is_name(each.get("name"))}
        mine = select(*SHOWN).where(Media.project_id == self.project_id)
        self.by_id, self.by_name = {}, {}
        if ids:
            self.by_id = {row.id: row for row in session.execute(mine.where(Media.id.in_(ids)))}
        if names:
            rows = session.execute(mine.where(Media.name.in_(names), Media.bucket.is_(None))).all()
            self.by_name = {row.name: row for row in sorted(rows, key=lambda row: row.id)}

    def payload(self, given: object) -> dict[str, Any]:
        """What an item holds that names a file by a media id or {"name": "cat.jpg"}.

        Raises:
            InvalidPayload: no such file in this project, or not of its modality.
        """
        if _is_id(given):
            found = self.by_id.get(given)
        elif isinstance(given, dict) and isinstance(given.get("name"), str):
            found = self.by_name.get(given["name"])
        else:
            raise InvalidPayload(
                f'{self.modality} is a media id, {{"name": "..."}} of an uploaded file, or an address to fetch it from'
            )
        if found is None:
            raise InvalidPayload("there is no such file in this project: upload it to /media first")
        files.check_kind(found.type, self.modality)
        return payload(found)


def _is_id(given: object) -> TypeGuard[int]:
    return isinstance(given, int) and not isinstance(given, bool) and 0 < given <= INT64_MAX


def _is_name(given: object) -> bool:
    """Whether a stored file can have this name, so that a database can be asked for it."""
    try:
        return isinstance(given, str) and bool(check_text(given, limit=NAME_LIMIT))
    except Invalid:
        return False


def visible(session: Session, person: Person, media_id: int) -> Media:
    """A file that the person may see, wherever it lies. Raises NotFound."""
    return access.visible(session, person, Media, media_id)[0]


def stored_path(settings: Settings, row: Media) -> Path:
    """Where a stored file lies. Raises NotFound, also for one that does not hold what it held; see `is_whole`."""
    path = path_of(settings, row.project_id, row.sha256)
    if path is None or path.is_symlink() or not path.is_file():  # nothing of ours is a link
        raise NotFound(row.lost or "the file is missing from the data folder: whoever runs this service brings it back")
    if path.stat().st_size != row.size or not is_whole(path, row.sha256):
        raise NotFound("the file is damaged: whoever runs this service brings it back from a backup")
    return path


def whole_path(settings: Settings, project_id: int, sha256: str | None) -> Path | None:
    """Where a file of a project lies, for who reads it; None for no file, and for a missing or a damaged one."""
    path = path_of(settings, project_id, sha256)
    try:
        return path if path is not None and sha256 is not None and is_whole(path, sha256) else None
    except OSError:
        return None
