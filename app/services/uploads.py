"""Files that were uploaded: looked at one by one, and named by rows a few at a time."""

import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from app.core.errors import AppError, InvalidFile, NoRoom
from app.core.settings import Settings
from app.db import Database
from app.services import archives, erasing, media, quota
from app.services.access import Person, project_for
from app.services.media import StoredFile

NAMED_AT_ONCE = 50  # files of one transaction, at most
NAMED_AFTER_SECONDS = 1.0
NAME_LIMIT = 200


@dataclass
class Upload:
    """One upload into a project: what was stored and what was refused, with the reasons."""

    db: Database
    settings: Settings
    project_id: int
    modality: str
    left: int | None  # bytes that may still be stored, by the last look
    stored: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    full: NoRoom | None = None  # the first refusal for want of room
    _waiting: list[tuple[str, StoredFile]] = field(default_factory=list)
    _since: float = 0.0

    def take(self, name: str, source: BinaryIO | str) -> None:
        """Store a file, or note why it is refused."""
        if isinstance(source, str):
            self._refuse(name, source)
            return
        try:
            kept = media.store(self.settings, self.project_id, self.modality, source, self.left)
        except AppError as error:
            self._refuse(name, error)
            return
        self._since = self._since if self._waiting else time.monotonic()
        self._waiting.append((name, kept))
        if len(self._waiting) >= NAMED_AT_ONCE or time.monotonic() - self._since > NAMED_AFTER_SECONDS:
            self.name()

    def name(self) -> None:
        """Write the rows of what was stored since the last time; what the quota has no room for by now goes again."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        rows: list[dict[str, Any]] = []
        bad: list[tuple[str, StoredFile, AppError]] = []
        with self.db.write() as session:
            room = quota.room(session, self.settings)
            for name, kept in waiting:
                try:
                    row = media.record(session, self.project_id, name, kept, room)
                except AppError as error:
                    bad.append((name, kept, error))
                else:
                    rows.append(
                        {"id": row.id, "name": row.name, "sha256": row.sha256, "type": row.type, "size": row.size}
                    )
        self.left = room.left
        self.stored += rows
        for name, kept, why in bad:
            erasing.drop_unnamed(self.db, self.settings, self.project_id, kept.sha256)
            self._refuse(name, why)

    def _refuse(self, name: str, why: str | AppError) -> None:
        self.rejected.append({"name": name[:NAME_LIMIT], "error": str(why)})
        if isinstance(why, NoRoom):
            self.full = self.full or why


def take_in(
    db: Database,
    settings: Settings,
    person: Person,
    project_ref: int | str,
    sent: list[tuple[str, BinaryIO]],
    *,
    folders: bool,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Store files by name, and what is in ZIPs among them; the stored ones, and the refused ones with reasons.

    With `folders` each becomes an item, labelled with its folder.

    Raises:
        NoRoom: the quota had no room for any of them.
        InvalidFile: the only file is a damaged ZIP.
        Invalid: `folders`, and the task is no single classification.
    """
    with db.read() as session:
        found = project_for(session, person, project_ref, "manager")
        if folders:
            archives.check_folders(session, found)
        upload = Upload(db, settings, found.id, found.modality, quota.left(session, settings))
    try:
        for name, file in sent:
            name = name.replace("\\", "/").rsplit("/", 1)[-1][:NAME_LIMIT] or "file"
            for inner, source in _opened(file, name, settings, alone=len(sent) == 1):
                upload.take(inner, source)
    finally:
        upload.name()
    if upload.full is not None and not upload.stored:
        raise upload.full
    if upload.stored and folders:
        upload.rejected += archives.items_of_folders(db, settings, person, project_ref, upload.stored)
    return upload.stored, upload.rejected


def _opened(file: BinaryIO, name: str, settings: Settings, *, alone: bool) -> Iterator[tuple[str, BinaryIO | str]]:
    """The files in a file that was sent; of a damaged ZIP among others the reason, alone it refuses the request."""
    if not zipfile.is_zipfile(file):
        file.seek(0)
        yield name, file
        return
    try:
        yield from archives.entries(file, settings)
    except InvalidFile as error:
        if alone:
            raise
        yield name, str(error)
