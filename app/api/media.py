"""Files of items over REST: uploaded, shown, shrunk."""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path as FilePath
from typing import Annotated, Any, BinaryIO, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.types import Message, Receive

from app.api import files
from app.api.bodies import StreamRoute, StrictRoute
from app.api.deps import Caller, Config, Db
from app.buckets import ObjectLost
from app.core.errors import AppError, Invalid, InvalidFile, NotFound, TooLarge
from app.core.settings import Settings
from app.core.text import INT64_MAX
from app.db import Database, Media
from app.services import archives, buckets, ingestion, media, thumbnails
from app.services.access import Person, project_for

router = APIRouter(tags=["items"], route_class=StrictRoute)
streams = APIRouter(tags=["items"], route_class=StreamRoute)
Number = Annotated[int, Path(gt=0, le=INT64_MAX)]
FILES_AT_ONCE = 1000
FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
    206: {"description": "The range that was asked for"},
    304: {"description": "The caller has it already"},
    400: {"description": "The range is none"},
    416: {"description": "The range lies behind the end"},
}
FILES_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["files"],
                "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
            }
        }
    },
}


class MediaOut(BaseModel):
    """Stored files, and those that were refused with the reason."""

    media: list[dict[str, Any]]
    rejected: list[dict[str, Any]]


@streams.post(
    "/projects/{project}/media", status_code=201, response_model=MediaOut, openapi_extra={"requestBody": FILES_BODY}
)
async def upload_media(
    project: str,
    request: Request,
    person: Caller,
    config: Config,
    db: Db,
    labels: Annotated[Literal["folders"] | None, Query()] = None,
) -> MediaOut:
    """Upload images, sounds or videos, or a ZIP of them; `labels=folders` makes labelled items of a ZIP's folders."""
    await run_in_threadpool(ingestion.check_may_import, db, person, project)
    # The form is read here, not by a parameter: a parameter would take the bytes before it is known who sends them.
    bounded = Request(request.scope, _bounded(request, config.import_body_bytes))
    async with bounded.form(max_files=FILES_AT_ONCE) as form:
        sent = [each for each in form.getlist("files") if isinstance(each, UploadFile)]
        if not sent:
            raise Invalid("send the files in the multipart field `files`", fields={"files": "missing"})
        return await run_in_threadpool(_take_in, db, config, person, project, sent, labels == "folders")


def _take_in(
    db: Database, config: Settings, person: Person, project: str, sent: list[UploadFile], folders: bool
) -> MediaOut:
    with db.read() as session:
        found = project_for(session, person, project, "manager")
        project_id, modality = found.id, found.modality
        media.check_quota(session, config)
        if folders:
            archives.check_folders(session, found)
    stored: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    for each in sent:
        name = (each.filename or "file").replace("\\", "/").rsplit("/", 1)[-1][:200] or "file"
        for inner, source in _opened(each.file, name, config, alone=len(sent) == 1):
            if isinstance(source, str):
                rejected.append({"name": inner[:200], "error": source})
                continue
            try:
                kept = media.store(config, project_id, modality, source)
                with db.write() as session:
                    row = media.record(session, project_id, inner, kept)
                    stored.append(
                        {"id": row.id, "name": row.name, "sha256": row.sha256, "type": row.type, "size": row.size}
                    )
            except AppError as error:
                rejected.append({"name": inner[:200], "error": str(error)})
    if stored and folders:
        rejected += archives.items_of_folders(db, config, person, project, stored)
    return MediaOut(media=stored, rejected=rejected[:1000])


@router.get("/media/{media_id}", response_model=None, responses=FILE)
def show_media(media_id: Number, request: Request, person: Caller, config: Config, db: Db) -> Response:
    """A file, stored or read in its bucket, or one range of it; 304 where `If-None-Match` names it.

    It can run nothing in a browser. Of a file that its bucket has lost or changed: 404. Of a bucket that is down: 503.
    """
    with db.read() as session:
        row = media.visible(session, person, media_id)
        granted = buckets.granted(session, config, row.project_id)
    if row.bucket is None:
        return files.shown(request, media.stored_path(config, row), row.type, row.sha256)
    with _kept_in_mind(db, row):
        pieces = partial(buckets.pieces, granted.place(row.bucket), buckets.entry_of(row))
        return files.shown_in_pieces(request, pieces, row.size, row.type, row.sha256)


@router.get("/media/{media_id}/thumbnail", response_model=None, responses=FILE)
def show_thumbnail(
    media_id: Number,
    request: Request,
    person: Caller,
    config: Config,
    db: Db,
    side: Annotated[int, Query(ge=16, le=1024)] = 256,
) -> Response:
    """A PNG of at most `side` pixels a side, brought down to one of a few sizes; of a clip its waveform or picture."""
    with db.read() as session:
        row = media.visible(session, person, media_id)
        granted = buckets.granted(session, config, row.project_id)
    opened: Callable[[], AbstractContextManager[FilePath]]
    if row.bucket is None:
        path = media.stored_path(config, row)
        opened = lambda: nullcontext(path)  # noqa: E731  # partial() loses the type
    else:
        opened = partial(buckets.borrowed, config, granted.place(row.bucket), buckets.entry_of(row))
    with _kept_in_mind(db, row):
        kept, size = thumbnails.of(config, row.project_id, row.sha256, opened, side)
    return files.shown(request, kept, "image/png", f"{row.sha256}-{size}")


@contextmanager
def _kept_in_mind(db: Database, row: Media) -> Iterator[None]:
    """Remember that a bucket has lost a file, or that one which was lost is there again."""
    try:
        yield
    except ObjectLost as error:
        buckets.lose(db, row, str(error))
        raise NotFound(str(error)) from None
    if row.lost is not None:
        buckets.find_again(db, row)


def _bounded(request: Request, limit: int) -> Receive:
    """The request's own stream, which ends with a refusal behind so many bytes."""
    size = 0

    async def receive() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise TooLarge(f"the body has more than {limit:,} bytes")
        return message

    return receive


def _opened(file: BinaryIO, name: str, config: Any, *, alone: bool) -> Iterator[tuple[str, BinaryIO | str]]:
    """The files in a file that was sent; of a damaged ZIP among others the reason, alone it refuses the request."""
    if not zipfile.is_zipfile(file):
        file.seek(0)
        yield name, file
        return
    try:
        yield from archives.entries(file, config)
    except InvalidFile as error:
        if alone:
            raise
        yield name, str(error)
