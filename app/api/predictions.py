"""Outside models over REST: what a round learns from, their predictions version by version."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from app.api import files
from app.api.bodies import Body, StreamRoute, StrictRoute
from app.api.deps import Caller, Config, Db
from app.api.pages import Cursor, Limit, seal, unseal
from app.api.spool import receive, rows_body
from app.core.text import INT64_MAX, check_json
from app.db import PredictionSet
from app.formats import by_content_type
from app.services import handover, predicting, predictions, spool, takeaway, versions
from app.services.predictions import Push, Pushed

router = APIRouter(tags=["loop"], route_class=StrictRoute)
streams = APIRouter(tags=["loop"], route_class=StreamRoute)
Number = Annotated[int, Path(gt=0, le=INT64_MAX)]
Name = Annotated[str, Query(min_length=1, max_length=100)]

ROWS = rows_body(
    "Rows of an item's `key` and `probabilities`, or a `label` with its `score`; `features` are optional. CSV is not "
    "taken. With `complete=true` the body may be empty",
    schema={
        "type": "object",
        "properties": {
            "key": {"type": "string"},
            "probabilities": {
                "description": "An object by class name, or a list in the order of the project's classes; sums to one",
                "examples": [{"cat": 0.9, "dog": 0.1}],
            },
            "label": {"examples": ["cat"]},
            "score": {"type": "number", "minimum": 0, "maximum": 1},
            "features": {"type": "array", "items": {"type": "number"}, "maxItems": 4096},
        },
        "required": ["key"],
    },
)
ARCHIVE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}},
    409: {
        "description": "The round has no model here",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    },
}
LINES: dict[int | str, dict[str, Any]] = {200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}}


class PredictionsOut(BaseModel):
    """A version of an outside model's predictions; `bytes` is what it takes on the disk."""

    id: int
    model: str
    version: str
    use: str
    state: str
    round: int | None
    classes: list[int]
    rows: int
    rejected_count: int
    bytes: int | None = None
    created_at: datetime
    completed_at: datetime | None


class PushedOut(PredictionsOut):
    """A version after a push, with the rows of the push that were rejected; `job` runs the round that uses it."""

    rejected: list[dict[str, Any]]
    rejected_now: int
    job: int | None


class VersionsOut(BaseModel):
    """Versions, newest first."""

    items: list[PredictionsOut]
    next: str | None


class PredictIn(Body):
    """Items as they would be pushed: content, and `features` where the project learns from pushed vectors."""

    items: list[dict[str, Any]] = Field(
        min_length=1, max_length=predicting.MOST_ITEMS, examples=[[{"key": "a", "text": "..."}]]
    )


class PredictedItemOut(BaseModel):
    """What the learner says of one item; without a key its content's hash."""

    model_config = ConfigDict(from_attributes=True)

    key: str
    label: dict[str, Any]
    probabilities: dict[str, float]


class PredictOut(BaseModel):
    """What the learner of this round says, in the order of the items."""

    round: int
    items: list[PredictedItemOut]


@router.post("/projects/{project}/predict", response_model=PredictOut)
def predict(project: str, body: PredictIn, person: Caller, config: Config, db: Db) -> PredictOut:
    """Labels and probabilities of up to 200 items by the current learner; nothing is stored (reviewers, managers)."""
    check_json(body.items, what="items")
    number, found = predicting.predict(db, config, person, project, body.items)
    return PredictOut(round=number, items=[PredictedItemOut.model_validate(each) for each in found])


@streams.post("/projects/{project}/predictions", response_model=PushedOut, openapi_extra=ROWS)
async def push_predictions(
    project: str,
    request: Request,
    person: Caller,
    config: Config,
    db: Db,
    model: Name,
    version: Name,
    round: Annotated[int | None, Query(gt=0, le=INT64_MAX)] = None,
    use: Annotated[str, Query(max_length=20)] = "both",
    complete: bool = False,
) -> PushedOut:
    """Push an outside model's predictions as NDJSON, a JSON array or Parquet, streamed; switched when complete."""
    given = Push(model, version, round, use, complete)
    with spool.spool(config) as (path, file):
        bodiless = complete and request.headers.get("content-length") == "0"
        kind = None if bodiless else by_content_type(request.headers.get("content-type", ""))
        await run_in_threadpool(predictions.check_may_push, db, person, project, kind)
        digest = await receive(request, config, file, may_be_empty=bodiless)
        pushed = await run_in_threadpool(predictions.push, db, config, person, project, path, kind, given, digest)
    return _pushed(pushed)


@router.get("/projects/{project}/predictions", response_model=VersionsOut)
def list_predictions(
    project: str, request: Request, person: Caller, db: Db, limit: Limit = 50, cursor: Cursor = None
) -> VersionsOut:
    """Versions of outside models' predictions, newest first (reviewers and managers)."""
    before = None if cursor is None else int(unseal(request, person, cursor))
    with db.read() as session:
        rows = versions.listed(session, person, project, limit + 1, before)
        more = seal(request, person, str(rows[limit - 1][0].id)) if len(rows) > limit else None
        return VersionsOut(items=[_version(row, size) for row, size in rows[:limit]], next=more)


@router.get("/projects/{project}/rounds/{number}/labels", response_model=None, responses=LINES)
def show_labels(project: str, number: Number, person: Caller, db: Db) -> Response:
    """What a round learns from: one labelled item a line with its content (reviewers and managers)."""
    pages = handover.snapshot(db, person, project, number)
    return files.kept(_lines(pages), "application/x-ndjson", f"round-{number}-labels.jsonl")


@router.get("/projects/{project}/rounds/{number}/learner", response_model=None, responses=ARCHIVE)
def take_learner(
    project: str,
    number: Number,
    person: Caller,
    config: Config,
    db: Db,
    format: Annotated[str, Query(max_length=20)] = "onnx",
) -> Response:
    """A round's learner to take away, `onnx` or `sklearn`, in a ZIP with its card (reviewers and managers)."""
    body, name = takeaway.learner(db, config, person, project, number, format)
    return files.kept(body, "application/zip", name)


def _lines(pages: Iterator[list[dict[str, Any]]]) -> Iterator[bytes]:
    for page in pages:
        yield b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in page)


def _version(row: PredictionSet, size: int | None = None) -> PredictionsOut:
    return PredictionsOut(
        id=row.id,
        model=row.model,
        version=row.version,
        use=row.use,
        state=row.state,
        round=row.round_number,
        classes=row.class_ids,
        rows=row.rows,
        rejected_count=row.rejected,
        bytes=size,
        created_at=row.created_at,
        completed_at=row.completed_at,
    )


def _pushed(pushed: Pushed) -> PushedOut:
    report = pushed.report
    return PushedOut(
        **_version(pushed.set).model_dump(),
        rejected=report.rejected,
        rejected_now=report.rejected_count,
        job=pushed.round_job,
    )
