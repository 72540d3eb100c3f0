"""Answers over REST."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from app.api.bodies import Body, StreamRoute, StrictRoute
from app.api.deps import Caller, Config, Db, IdempotencyKey
from app.api.keyed import work_once
from app.api.openapi import KEY
from app.api.spool import ImportOut, receive, rows_body
from app.core.errors import VersionMismatch, VersionRequired
from app.core.text import INT64_MAX
from app.formats import by_content_type
from app.services import annotations, bulk, flags, ingestion, spool
from app.services.answers import StoredAnnotation

router = APIRouter(tags=["labelling"], route_class=StrictRoute)
streams = APIRouter(tags=["labelling"], route_class=StreamRoute)
AnnotationId = Annotated[int, Path(gt=0, le=INT64_MAX)]


ANSWERS = rows_body(
    "Rows of `key`, `label`, `origin`, and where known `annotator`, `created_at`, `seconds_spent`",
    schema={
        "type": "object",
        "required": ["key", "label", "origin"],
        "properties": {
            "key": {"type": "string"},
            "label": {"examples": [{"class": "cat"}]},
            "origin": {"enum": list(bulk.ORIGINS)},
            "annotator": {"type": "string"},
            "created_at": {"type": "string", "format": "date-time"},
            "seconds_spent": {"type": "number", "minimum": 0, "maximum": annotations.MAX_SECONDS},
        },
        "additionalProperties": False,
    },
)
ANSWERS["parameters"] = [KEY]


class AnnotationIn(Body):
    """The label for a leased item."""

    lease: int = Field(gt=0, le=INT64_MAX)
    label: dict[str, Any] = Field(examples=[{"class": "cat"}])
    seconds_spent: float = Field(0.0, ge=0, le=annotations.MAX_SECONDS)


class CorrectionIn(Body):
    """A new version of an answer."""

    label: dict[str, Any] = Field(examples=[{"class": "dog"}])


class FlagChange(Body):
    """What a manager or reviewer does with a note."""

    state: Literal["open", "closed"]
    reply: str | None = Field(None, min_length=1, max_length=flags.LONGEST)


class FlagIn(Body):
    """A note for the manager."""

    note: str = Field(min_length=1, max_length=flags.LONGEST)


class FlagOut(BaseModel):
    """A stored note."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    item_id: int
    note: str
    state: str
    created_at: datetime


class StoredFlagOut(BaseModel):
    """A note with its writer's name and the reply, if any."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    item: int
    person: str
    note: str
    state: str
    reply: str | None
    created_at: datetime


class AnnotationOut(BaseModel):
    """A stored answer. `counted` is false when a colleague's answer has the item's slot."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    item: int
    key: str
    label: dict[str, Any]
    annotator: str | None
    seconds_spent: float
    origin: str
    version: int
    counted: bool
    late: bool
    round: int | None
    kind: str | None
    created_at: datetime
    lease: int | None = None
    guidelines_version: int = 1  # what the annotator could read


@router.post("/annotations", status_code=201, response_model=AnnotationOut)
async def submit_annotation(body: AnnotationIn, person: Caller, db: Db, key: IdempotencyKey) -> Response:
    """Submit the label for a leased item; sent twice with the same key, it is stored once."""
    person.need("label")
    stored = await db.store_together(
        lambda session: annotations.submit(session, person, body.lease, body.label, key, body.seconds_spent)
    )
    return _shown(stored, 201)


@streams.post("/projects/{project}/annotations", response_model=ImportOut, openapi_extra=ANSWERS)
async def push_annotations(project: str, request: Request, person: Caller, config: Config, db: Db) -> Response:
    """Store answers that were given elsewhere, as NDJSON, a JSON array, CSV or Parquet; no lease is needed (managers).

    A row has `key`, `label`, `origin` (`human`, `import` or `program`), and may have `annotator`, `created_at` and
    `seconds_spent`. The same rows again change nothing; with an Idempotency-Key they get the same answer.
    """
    kind = by_content_type(request.headers.get("content-type", ""))
    await run_in_threadpool(ingestion.check_may_import, db, person, project)
    with spool.spool(config) as (path, file):
        digest = await receive(request, config, file)

        async def work() -> Response:
            report = await run_in_threadpool(bulk.store_file, db, config, person, project, path, kind)
            return JSONResponse(vars(report))

        return await work_once(request, person, digest, work)


@router.put("/annotations/{annotation}", response_model=AnnotationOut)
def correct_annotation(
    annotation: AnnotationId,
    body: CorrectionIn,
    person: Caller,
    db: Db,
    if_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Write a new version of an answer."""
    person.need("label")
    with db.write() as session:
        stored = annotations.correct(session, person, annotation, body.label, expected_version(if_match))
    return _shown(stored)


@router.delete("/annotations/{annotation}", response_model=AnnotationOut)
def retract_annotation(
    annotation: AnnotationId, person: Caller, db: Db, if_match: Annotated[str | None, Header()] = None
) -> Response:
    """Take an answer back as one more version (reviewers and managers); one's own also by its lease."""
    person.need("label")
    with db.write() as session:
        stored = annotations.retract(session, person, annotation, expected_version(if_match))
    return _shown(stored)


@router.post("/items/{item}/flags", status_code=201, response_model=FlagOut)
def flag_item(item: AnnotationId, body: FlagIn, person: Caller, db: Db) -> FlagOut:
    """Leave a note for the manager, with or without an answer."""
    person.need("label")
    with db.write() as session:
        return FlagOut.model_validate(flags.flag(session, person, item, body.note))


@router.patch("/flags/{flag}", response_model=StoredFlagOut)
def settle_flag(flag: AnnotationId, body: FlagChange, person: Caller, db: Db) -> StoredFlagOut:
    """Close a note or open it again, with a reply (reviewers and managers)."""
    person.need("label")
    with db.write() as session:
        return StoredFlagOut.model_validate(flags.settle(session, person, flag, body.state, body.reply))


def expected_version(if_match: str | None) -> int:
    """The version that an If-Match header names; raises VersionRequired without one, VersionMismatch for others."""
    if if_match is None:
        raise VersionRequired
    text = if_match.strip().strip('"')
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise VersionMismatch("If-Match is not a version of this")
    return int(text)


def _shown(stored: StoredAnnotation, status: int = 200) -> Response:
    """A stored version with its ETag. Made here, the answer needs no second look by the framework's own thread."""
    body = AnnotationOut.model_validate(stored).model_dump_json()
    headers = {"ETag": f'"{stored.version}"'}
    return Response(body, status, headers, media_type="application/json")
