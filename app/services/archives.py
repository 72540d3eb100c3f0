"""ZIP files of images, sounds and videos: opened without trust in their names, sizes or promises."""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from sqlalchemy.orm import Session

from app.core.errors import AppError, Invalid, InvalidFile
from app.core.settings import Settings
from app.core.text import check_text, fold
from app.db import Database, Media, Project, WriteSession
from app.db.session import now
from app.services import applying, classes, media, storing, tasks
from app.services.access import Person, project_for
from app.services.rows import Reader

LINK = 0xA000  # the file type of a symbolic link in a ZIP made on Unix
HIDDEN = "__MACOSX/"
BATCH = 500
# What unpacking raises on hostile entries: damaged data, another checksum, an unknown method, a cut end.
BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError)


class _Bounded:
    """A ZIP's entry that cannot give more than it may, whatever its header says."""

    def __init__(self, source: Any, budget: list[int]) -> None:
        self._source = source
        self._budget = budget

    def read(self, size: int = -1) -> bytes:
        try:
            piece: bytes = self._source.read(size)
        except BROKEN as error:
            raise InvalidFile(f"the entry cannot be unpacked: {str(error)[:100]}") from None
        self._budget[0] -= len(piece)
        if self._budget[0] < 0:
            raise InvalidFile("the ZIP unpacks to more than is allowed")
        return piece


def entries(file: BinaryIO, settings: Settings) -> Iterator[tuple[str, BinaryIO | str]]:
    """Each entry's name with its opened content, or with the reason why it is refused.

    Raises:
        InvalidFile: not a ZIP, too many entries, entries that overlap, or more bytes than allowed.
    """
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InvalidFile(f"the ZIP cannot be read: {str(error)[:100]}") from None
    with archive:
        listed = archive.infolist()
        if len(listed) > settings.archive_entries:
            raise InvalidFile(f"the ZIP has more than {settings.archive_entries:,} entries")
        _refuse_overlaps(listed)
        budget = [settings.archive_bytes]
        for each in listed:
            if each.is_dir() or _hidden(each.filename):
                continue
            if (reason := _refused(each)) is not None:
                yield each.filename, reason
                continue
            try:
                with archive.open(each) as source:
                    yield each.filename, _Bounded(source, budget)  # type: ignore[misc]  # only read() is used
            except BROKEN as error:
                yield each.filename, f"the entry cannot be unpacked: {str(error)[:100]}"


def check_folders(session: Session, project: Project) -> None:
    """Raise Invalid where folders cannot label: the task is no single classification."""
    asked = tasks.questions(session, project)
    question = tasks.driving(asked)
    if tasks.is_form(asked) or not question.drives or question.type == "rating":
        raise Invalid("folders label where the task is one classification: unpack without labels=folders")


def items_of_folders(
    db: Database, settings: Settings, person: Person, project_ref: int | str, stored: list[dict[str, Any]]
) -> list[dict[str, str]]:
    """Make one item a stored file, labelled with its folder; those that became none are given with reasons."""
    moment = None
    refused: list[dict[str, str]] = []
    for start in range(0, len(stored), BATCH):
        batch = stored[start : start + BATCH]
        with db.write() as session:
            project = project_for(session, person, project_ref, "manager")
            check_folders(session, project)
            moment = moment or now(session)
            odd = _new_classes(session, project, {_folder(each["name"]) for each in batch} - {""})
            # Two names of the same bytes are one stored file and two items.
            rows = [(each["name"], session.get_one(Media, each["id"])) for each in batch]
            reader = Reader(project.modality, tasks.questions(session, project), settings, {}, lambda given: given)
            prepared = []
            for number, (name, row) in enumerate(rows):
                given = {"key": name, project.modality: media.payload(row), "label": _folder(name) or None}
                try:
                    prepared.append(reader.prepare(number, given))
                except AppError as error:
                    refused.append({"name": name, "error": odd.get(_folder(name), str(error))})
            outcome = storing.store(session, project, prepared, replace=False, moment=moment)
            refused += [{"name": rows[line][0], "error": reason} for line, _, reason in outcome.refused]
    with db.read() as session:
        project_id = project_for(session, person, project_ref, "manager").id
    applying.wake_the_loop(db, project_id)
    return refused


def _new_classes(session: WriteSession, project: Project, names: set[str]) -> dict[str, str]:
    """Make the classes that are missing; the names that can be none, with reasons."""
    question = tasks.driving(tasks.questions(session, project))
    odd = {}
    for name in sorted(names):
        if fold(name) not in question.aliases:
            try:
                with session.begin_nested():
                    classes.new(session, project, {"name": name}, question.id)
            except AppError as error:
                odd[name] = f"the folder's name can be no class: {error}"
    return odd


def _hidden(name: str) -> bool:
    return name.startswith(HIDDEN) or PurePosixPath(name).name.startswith(".")


def _folder(name: str) -> str:
    return PurePosixPath(name).parent.name


def _refused(entry: zipfile.ZipInfo) -> str | None:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in entry.filename:
        return "the name points outside the archive"
    if (entry.external_attr >> 16) & 0xF000 == LINK:
        return "the entry is a link"
    if entry.flag_bits & 1:
        return "the entry is encrypted"
    try:
        check_text(entry.filename, what="the name", limit=400)
    except AppError as error:
        return str(error)
    return None


def _refuse_overlaps(listed: list[zipfile.ZipInfo]) -> None:
    """Entries that share bytes are a bomb: each byte would be unpacked many times."""
    end = 0
    for entry in sorted(listed, key=lambda each: each.header_offset):
        if entry.header_offset < end:
            raise InvalidFile("the ZIP's entries overlap")
        end = entry.header_offset + entry.compress_size
