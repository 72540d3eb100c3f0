"""Files of items over REST: uploaded, shown, shrunk."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from app.api import files, forms
from app.api.bodies import StreamRoute, StrictRoute
from app.api.deps import Caller, Config, Db
from app.buckets import ObjectLost
from app.core.errors import Invalid, NotFound
from app.core.text import INT64_MAX
from app.db import Database, Media
from app.services import buckets, ingestion, media, quota, spool, thumbnails, uploads

router = APIRouter(tags=["items"], route_class=StrictRoute)
streams = APIRouter(tags=["items"], route_class=StreamRoute)
Number = Annotated[int, Path(gt=0, le=INT64_MAX)]
REJECTED_SHOWN = 1000
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
    with db.read() as session:
        left = quota.left(session, config)
    # The form is read here, not by a parameter: a parameter would take the bytes before it is known who sends them.
    with spool.spool(config) as (_, file):
        sent = await forms.receive_files(request, config, file, "files", left)
        if not sent:
            raise Invalid("send the files in the multipart field `files`", fields={"files": "missing"})
        opened = [(each.name, each.open()) for each in sent]
        take_in = partial(uploads.take_in, db, config, person, project, opened, folders=labels == "folders")
        stored, rejected = await run_in_threadpool(take_in)
    return MediaOut(media=stored, rejected=rejected[:REJECTED_SHOWN])


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
