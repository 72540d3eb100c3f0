"""Items over REST: pushed in one streamed request of any size, listed, changed, deleted; files; exports."""

import io
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path as FilePath
from typing import Annotated, Any, BinaryIO, Literal

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.types import Message, Receive

from app.api.bodies import StrictRoute
from app.api.deps import Caller, Config, Db
from app.api.loop import look_at_job
from app.api.payloads import item_view
from app.core.errors import AppError, BadSyntax, Invalid, TooLarge, Unavailable, VersionRequired
from app.core.settings import Settings
from app.core.text import INT64_MAX, check_json
from app.db import Database, Item, Project
from app.formats import by_content_type, write_csv
from app.modalities.image import thumbnail
from app.services import applying, archives, exports, ingestion, items, media
from app.services.access import Person, project_for

router = APIRouter(tags=["items"], route_class=StrictRoute)
streams = APIRouter(tags=["items"])  # bodies of any size: read piece by piece, not by the strict JSON route
Number = Annotated[int, Path(gt=0, le=INT64_MAX)]
FILES_AT_ONCE = 1000
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
SYNC_BYTES = 16 * 1024 * 1024


class ImportOut(BaseModel):
    """What became of the rows; at most a thousand rejected ones are listed."""

    created: int
    updated: int
    unchanged: int
    rejected_count: int
    rejected: list[dict[str, Any]]


class ItemOut(BaseModel):
    """An item with its content, by modality under `text`, `image` or `row`."""

    model_config = ConfigDict(extra="allow")

    id: int
    key: str
    metadata: dict[str, Any]
    split: str
    state: str
    reason: str | None
    priority: int
    answered: bool
    revision: int
    created_at: datetime


class ItemsOut(BaseModel):
    """A page of items."""

    items: list[ItemOut]
    next: str | None


class ItemChange(BaseModel):
    """What may be changed of an item."""

    model_config = ConfigDict(extra="forbid")

    metadata: dict[str, Any] | None = None
    split: Literal["pool", "audit"] | None = None
    state: Literal["open", "excluded"] | None = None
    priority: int | None = Field(None, ge=-(10**9), le=10**9)


class MediaOut(BaseModel):
    """Stored files, and those that were refused with the reason."""

    media: list[dict[str, Any]]
    rejected: list[dict[str, Any]]


@streams.post("/projects/{project}/items", response_model=None)
async def push_items(
    project: str,
    request: Request,
    response: Response,
    person: Caller,
    config: Config,
    db: Db,
    map: Annotated[str | None, Query(max_length=20_000)] = None,
    create_classes: bool = False,
    on_error: str = "reject_row",
    on_change: str = "reject",
    async_: Annotated[bool, Query(alias="async")] = False,
) -> dict[str, Any]:
    """Push items as NDJSON, a JSON array, CSV or Parquet; any size, streamed; idempotent by key."""
    kind = by_content_type(request.headers.get("content-type", ""))
    options = applying.Options.parse(map, create_classes, on_error, on_change)
    await run_in_threadpool(ingestion.check_may_import, db, person, project)
    with ingestion.spool(config) as (path, file):
        await _receive(request, config, file)
        if async_:
            job = await run_in_threadpool(ingestion.enqueue, db, config, person, project, path, kind, options)
            response.status_code = 202
            return {"job": {"id": job, "state": "waiting", "progress": None, "reason": None}}
        report = await run_in_threadpool(ingestion.import_file, db, config, person, project, path, kind, options)
    return vars(report)


@router.get("/projects/{project}/items", response_model=ItemsOut)
def list_items(
    project: str,
    person: Caller,
    db: Db,
    key: Annotated[list[str] | None, Query(max_length=200)] = None,
    status: str | None = None,
    state: Annotated[str | None, Query(max_length=20)] = None,
    split: Annotated[str | None, Query(max_length=20)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str | None = None,
) -> ItemsOut:
    """Items in the order they came (reviewers and managers)."""
    person.need("read")
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 18):
        raise Invalid("cursor is not one of this list", fields={"cursor": "unknown"})
    given = {"status": status, "state": state, "split": split}
    filters = {name: value for name, value in given.items() if value is not None}
    with db.read() as session:
        rows = items.listed(session, person, project, limit, int(cursor or 0), key or [], filters)
        shown = [_item(session, row) for row in rows]
    return ItemsOut(items=shown, next=str(rows[-1].id) if len(rows) == limit else None)


@router.get("/items/{item}", response_model=ItemOut)
def show_item(item: Number, person: Caller, db: Db, response: Response) -> ItemOut:
    """One item (reviewers and managers)."""
    with db.read() as session:
        row, _ = items.one(session, person, item)
        response.headers["ETag"] = f'"{items.etag(row)}"'
        return _item(session, row)


@router.patch("/items/{item}", response_model=ItemOut)
def change_item(
    item: Number,
    body: ItemChange,
    person: Caller,
    db: Db,
    response: Response,
    if_match: Annotated[str | None, Header()] = None,
) -> ItemOut:
    """Change metadata, split, state or priority (managers)."""
    if if_match is None:
        raise VersionRequired
    changes = body.model_dump(exclude_unset=True, exclude_none=True)
    check_json(changes, what="body")
    with db.write() as session:
        row = items.change(session, person, item, changes, if_match.strip().strip('"'))
        response.headers["ETag"] = f'"{items.etag(row)}"'
        return _item(session, row)


@router.delete("/items/{item}", status_code=204)
def delete_item(item: Number, person: Caller, db: Db, erase: bool = False) -> None:
    """Delete an item; with `erase` its content goes too (managers)."""
    with db.write() as session:
        items.remove(session, person, item, erase=erase)


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
    """Upload images, or a ZIP of them; `labels=folders` also makes labelled items of a ZIP's folders."""
    await run_in_threadpool(ingestion.check_may_import, db, person, project)
    # The form is read here, not by a parameter: a parameter would take the bytes before it is known who sends them.
    bounded = Request(request.scope, _bounded(request, config.import_body_bytes))
    async with bounded.form(max_files=FILES_AT_ONCE) as form:
        files = [each for each in form.getlist("files") if isinstance(each, UploadFile)]
        if not files:
            raise Invalid("send the files in the multipart field `files`", fields={"files": "missing"})
        return await run_in_threadpool(_take_in, db, config, person, project, files, labels == "folders")


def _take_in(
    db: Database, config: Settings, person: Person, project: str, files: list[UploadFile], folders: bool
) -> MediaOut:
    with db.read() as session:
        project_id = project_for(session, person, project, "manager").id
    stored: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []
    for each in files:
        name = (each.filename or "file").replace("\\", "/").rsplit("/", 1)[-1][:200] or "file"
        for inner, source in _opened(each.file, name, config):
            if isinstance(source, str):
                rejected.append({"name": inner[:200], "error": source})
                continue
            try:
                kept = media.store(config, project_id, source)
                with db.write() as session:
                    row = media.record(session, project_id, inner, kept)
                    stored.append(
                        {"id": row.id, "name": inner, "sha256": row.sha256, "type": row.type, "size": row.size}
                    )
            except AppError as error:
                rejected.append({"name": inner[:200], "error": str(error)})
    if stored and folders:
        archives.items_of_folders(db, config, person, project, stored)
    return MediaOut(media=stored, rejected=rejected[:1000])


@router.get("/media/{media_id}", response_model=None)
def show_media(media_id: Number, person: Caller, config: Config, db: Db) -> FileResponse:
    """A stored file, with ranges; it can run nothing in a browser."""
    with db.read() as session:
        row, path = media.readable(session, config, person, media_id)
        headers = {
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, max-age=31536000, immutable",
            "ETag": f'"{row.sha256}"',
        }
        return FileResponse(path, media_type=row.type, headers=headers)


@router.get("/media/{media_id}/thumbnail", response_model=None)
def show_thumbnail(
    media_id: Number, person: Caller, config: Config, db: Db, side: Annotated[int, Query(ge=16, le=1024)] = 256
) -> Response:
    """A PNG of at most `side` pixels a side."""
    with db.read() as session:
        _, path = media.readable(session, config, person, media_id)
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response(thumbnail(path, side), media_type="image/png", headers=headers)


@router.get("/projects/{project}/export", response_model=None)
def export(
    project: str,
    person: Caller,
    config: Config,
    db: Db,
    format: Annotated[str, Query(max_length=20)] = "jsonl",
    view: Annotated[str, Query(max_length=20)] = "annotations",
    raw: bool = False,
    extra: bool = False,
) -> StreamingResponse:
    """A snapshot of one moment (reviewers and managers); `extra` adds answers that are not counted."""
    path, kind, name = exports.write(db, config, person, project, kind=format, view=view, raw=raw, extra=extra)
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(path.stat().st_size),
    }
    return StreamingResponse(_pieces(path), media_type=kind, headers=headers)


@router.get("/jobs/{job}/rejected.csv", response_model=None)
def rejected_rows(job: Number, person: Caller, db: Db) -> Response:
    """The rejected rows of an import job."""
    look_at_job(db, person, job)
    out = io.BytesIO()
    rows = ingestion.rejected_rows(db, job)
    write_csv(iter(rows), out, raw=False, columns=("line", "key", "error"))
    return Response(out.getvalue(), media_type="text/csv")


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


async def _receive(request: Request, config: Any, file: BinaryIO) -> None:
    """Write a body to its spool file, bounded; raises where the disk or the quota ends."""
    size = checked = 0
    async for piece in request.stream():
        size += len(piece)
        if size - checked > SYNC_BYTES or checked == 0:
            ingestion.check_room(config, size)
            checked = size
        try:
            file.write(piece)
        except OSError as error:
            raise Unavailable(f"the server's disk is full: nothing was stored ({error.strerror})") from None
    if size == 0:
        raise BadSyntax("the body is empty")
    try:
        file.flush()
    except OSError as error:
        raise Unavailable(f"the server's disk is full: nothing was stored ({error.strerror})") from None


def _opened(file: BinaryIO, name: str, config: Any) -> Iterator[tuple[str, BinaryIO | str]]:
    if not zipfile.is_zipfile(file):
        file.seek(0)
        yield name, file
        return
    yield from archives.entries(file, config)


def _pieces(path: FilePath) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 16):
                yield piece
    finally:
        path.unlink(missing_ok=True)


def _item(session: Session, row: Item) -> ItemOut:
    project = session.get_one(Project, row.project_id)
    return ItemOut(
        id=row.id,
        key=row.key,
        metadata=row.meta,
        split=row.split,
        state=row.state,
        reason=row.reason,
        priority=row.priority,
        answered=row.done,
        revision=row.revision,
        created_at=row.created_at,
        **item_view(project.modality, row.payload),
    )
