"""Stored files of items: named by the hash of their bytes, typed by our own look at them."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import InvalidPayload, NotFound, TooLarge
from app.core.settings import Settings
from app.core.text import INT64_MAX, check_text
from app.db import Media, WriteSession
from app.db.session import now
from app.modalities import MODALITIES, files
from app.modalities.base import FileInfo
from app.services.access import Person, project_for

PIECE = 1 << 20
NAME_LIMIT = 500


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


def store(settings: Settings, project_id: int, modality: str, source: BinaryIO) -> StoredFile:
    """Take a file in, bounded and looked at; the same bytes are kept once.

    Raises:
        TooLarge: more bytes than the setting allows.
        InvalidPayload: of no kind that is taken, not of the project's kind, damaged, too many pixels or seconds.
    """
    folder = settings.data / "tmp"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = folder / uuid4().hex
    digest, size = hashlib.sha256(), 0
    try:
        with os.fdopen(os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            while piece := source.read(PIECE):
                size += len(piece)
                if size > settings.media_file_bytes:
                    raise TooLarge(f"a file has more than {settings.media_file_bytes:,} bytes")
                digest.update(piece)
                file.write(piece)
        info = files.look(aside, megapixels=settings.image_megapixels, longest=settings.clip_seconds)
        _check_kind(info.type, modality)
        target = path_of(settings, project_id, digest.hexdigest())
        assert target is not None
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return StoredFile(digest.hexdigest(), size, info)


def file_in(payload: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The field of an item's payload that names a file, with what it holds; None for other items."""
    return files.file_in(payload)


def record(session: WriteSession, project_id: int, name: str, stored: StoredFile) -> Media:
    """The row of a stored file under a name; the same bytes under another name are a row of their own."""
    checked = check_text(name, what="the file name", limit=NAME_LIMIT)
    found = session.execute(
        select(Media).where(Media.project_id == project_id, Media.sha256 == stored.sha256, Media.name == checked)
    ).scalar_one_or_none()
    if found is not None:
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
        created_at=now(session),
    )
    session.add(row)
    session.flush()
    return row


def payload(row: Media) -> dict[str, object]:
    """What an item that shows this file holds."""
    size = {"width": row.width, "height": row.height, "seconds": row.seconds}
    known = {key: value for key, value in size.items() if value is not None}
    return {"media": row.id, "sha256": row.sha256, "name": row.name, **known}


def find(session: Session, project_id: int, modality: str, given: object) -> Media:
    """The file that an item names: a media id or {"name": "cat.jpg"}.

    Raises:
        InvalidPayload: no such file in this project, or not of its modality.
    """
    statement = select(Media).where(Media.project_id == project_id)
    if isinstance(given, int) and not isinstance(given, bool) and 0 < given <= INT64_MAX:
        statement = statement.where(Media.id == given)
    elif isinstance(given, dict) and isinstance(given.get("name"), str):
        statement = statement.where(Media.name == given["name"]).order_by(Media.id.desc()).limit(1)
    else:
        raise InvalidPayload(
            f'{modality} is a media id, {{"name": "..."}} of an uploaded file, or an address to fetch it from'
        )
    found = session.execute(statement).scalar_one_or_none()
    if found is None:
        raise InvalidPayload("there is no such file in this project: upload it to /media first")
    _check_kind(found.type, modality)
    return found


def readable(session: Session, settings: Settings, person: Person, media_id: int) -> tuple[Media, Path]:
    """A file that the person may see, and where it lies. Raises NotFound."""
    row = session.get(Media, media_id) if media_id <= INT64_MAX else None
    if row is None:
        raise NotFound("there is no such file, or it is not yours")
    project_for(session, person, row.project_id)
    path = path_of(settings, row.project_id, row.sha256)
    if path is None or not path.exists():
        raise NotFound("the file is missing from the data folder")
    return row, path


def _check_kind(kind: str, modality: str) -> None:
    """Refuse a file of another modality; one that has no files of its own takes every kind."""
    wanted = MODALITIES[modality].media
    if wanted is not None and not kind.startswith(wanted):
        raise InvalidPayload(f"the file is {kind}; this project holds {wanted}* files")
