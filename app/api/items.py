"""Items over REST: pushed in one streamed request of any size, listed, changed, deleted."""

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from app.api import files
from app.api.annotations import AnnotationOut, StoredFlagOut
from app.api.bodies import Body, StreamRoute, StrictRoute
from app.api.deps import Caller, Config, Db
from app.api.filters import DESCRIBED, Filtering
from app.api.loop import StartedOut, look_at_job
from app.api.pages import Cursor, Limit, seal, unseal
from app.api.payloads import item_view
from app.api.spool import ImportOut, receive, rows_body
from app.core.errors import VersionRequired
from app.core.text import INT64_MAX, check_json
from app.db import Item, Project
from app.formats import by_content_type, write_csv
from app.services import annotations, answers, applying, consensus, filters, flags, ingestion, items, listing, spool
from app.services.access import Person
from app.services.answers import StoredAnnotation
from app.services.listing import Opinion

router = APIRouter(tags=["items"], route_class=StrictRoute)
streams = APIRouter(tags=["items"], route_class=StreamRoute)
Number = Annotated[int, Path(gt=0, le=INT64_MAX)]


TAKEN: dict[str, Any] = {
    "model": StartedOut,
    "description": "With `async=true`: a job applies what is on the disk now",
}
ROWS = rows_body(
    "Rows of an item's content and `key`, `metadata`, `label`, `labels`, `features`, `split`, `priority`",
    schema={
        "type": "object",
        "properties": {
            "key": {"type": "string", "description": "The hash of the content unless given"},
            "text": {"type": "string"},
            "image": {"description": "A media id, the name of an uploaded file, or an address to fetch it from"},
            "audio": {"description": "As `image`"},
            "video": {"description": "As `image`"},
            "row": {"type": "object"},
            "metadata": {"type": "object"},
            "label": {"examples": [{"class": "cat"}]},
            "labels": {"type": "array"},
            "features": {"type": "array", "items": {"type": "number"}, "maxItems": 4096},
            "split": {"enum": ["pool", "train", "audit", "test"]},
            "priority": {"type": "integer"},
        },
    },
)


class PredictedOut(BaseModel):
    """What the current round thinks of an item; `score` is null outside the round's order."""

    model_config = ConfigDict(from_attributes=True)

    label: dict[str, Any]
    probability: float
    round: int
    score: float | None


class ItemOut(BaseModel):
    """An item with its content, by modality under `text`, `image`, `audio`, `video` or `row`.

    `label` is the one that an export gives it: a manager's, else the one with most votes, null for none or a tie
    (`disputed`). `agreement` is the mean over pairs of votes, in 0 to 1.
    """

    model_config = ConfigDict(extra="allow")

    id: int
    key: str
    metadata: dict[str, Any]
    split: str
    state: str
    reason: str | None
    priority: int
    answered: bool
    skips: int = 0  # how many people skipped it
    revision: int
    created_at: datetime
    updated_at: datetime
    predicted: PredictedOut | None
    answers: list[AnnotationOut]
    label: dict[str, Any] | None
    votes: int
    agreement: float | None
    disputed: bool


class VersionOut(BaseModel):
    """One version of an answer; versions of one answer share `answer`. `decisive` is a manager's word."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    answer: str
    version: int
    label: dict[str, Any]
    annotator: str | None
    origin: str
    retracted: bool
    decisive: bool
    created_at: datetime


class ItemDetailsOut(ItemOut):
    """An item with the notes on it, and with every version of its answers, newest first."""

    flags: list[StoredFlagOut]
    versions: list[VersionOut]


class UnindexedOut(BaseModel):
    """How many items the full-text index holds and how many it does not yet; those are searched the slow way."""

    model_config = ConfigDict(from_attributes=True)

    indexed: int
    waiting: int


class ItemsOut(BaseModel):
    """A page of items; `search` is null unless words or metadata were searched while the index lacks items."""

    items: list[ItemOut]
    next: str | None
    search: UnindexedOut | None


class WordIn(Body):
    """What a manager says an item is."""

    label: dict[str, Any] = Field(examples=[{"class": "cat"}])


class ItemChange(Body):
    """What may be changed of an item."""

    metadata: dict[str, Any] | None = None
    split: Literal["pool", "audit"] | None = None
    state: Literal["open", "excluded"] | None = None
    priority: int | None = Field(None, ge=-(10**9), le=10**9)


@streams.post(
    "/projects/{project}/items",
    response_model=None,
    responses={200: {"model": ImportOut}, 202: TAKEN},
    openapi_extra=ROWS,
)
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
    with spool.spool(config) as (path, file):
        await receive(request, config, file)
        if async_:
            job = await run_in_threadpool(ingestion.enqueue, db, config, person, project, path, kind, options)
            response.status_code = 202
            return {"job": {"id": job, "state": "waiting", "progress": None, "reason": None}}
        report = await run_in_threadpool(ingestion.import_file, db, config, person, project, path, kind, options)
    return vars(report)


@router.get("/projects/{project}/items", response_model=ItemsOut, openapi_extra=DESCRIBED)
def list_items(
    project: str,
    request: Request,
    person: Caller,
    db: Db,
    wanted: Filtering,
    sort: Annotated[str, Query(max_length=40)] = "created",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ItemsOut:
    """Items by filter and order (reviewers and managers)."""
    place = None if cursor is None else unseal(request, person, cursor)
    with db.read() as session:
        found = listing.page(session, person, project, wanted, sort, limit, place)
        manager = annotations.may_review(session, person, found.project.id, least="manager")
        ids = [row.id for row in found.items]
        known = answers.of_items(session, ids, kinds=manager)
        agreed = consensus.of_items(session, found.project, ids)
        shown = [
            ItemOut(**_item(found.project, row, found.opinions.get(row.id), known[row.id]), **agreed[row.id])
            for row in found.items
        ]
    behind = found.unindexed and UnindexedOut.model_validate(found.unindexed)
    return ItemsOut(items=shown, next=found.next and seal(request, person, found.next), search=behind)


@router.get("/items/{item}", response_model=ItemDetailsOut)
def show_item(item: Number, person: Caller, db: Db, response: Response) -> ItemDetailsOut:
    """One item with its answers and the notes on it (reviewers and managers)."""
    with db.read() as session:
        row, project = items.one(session, person, item)
        return _shown(session, person, row, project, response)


@router.patch("/items/{item}", response_model=ItemDetailsOut)
def change_item(
    item: Number,
    body: ItemChange,
    person: Caller,
    db: Db,
    response: Response,
    if_match: Annotated[str | None, Header()] = None,
) -> ItemDetailsOut:
    """Change metadata, split, state or priority (managers)."""
    if if_match is None:
        raise VersionRequired
    changes = body.model_dump(exclude_unset=True, exclude_none=True)
    check_json(changes, what="body")
    with db.write() as session:
        row, project = items.change(session, person, item, changes, if_match.strip().strip('"'))
        return _shown(session, person, row, project, response)


@router.put("/items/{item}/label", response_model=ItemDetailsOut)
def label_item(item: Number, body: WordIn, person: Caller, db: Db, response: Response) -> ItemDetailsOut:
    """Say what an item is: an answer of the manager's own, which wins over all others (managers)."""
    with db.write() as session:
        return _shown(session, person, *items.label(session, person, item, body.label), response)


@router.post("/items/{item}/serve-again", response_model=ItemDetailsOut)
def serve_item_again(item: Number, person: Caller, db: Db, response: Response) -> ItemDetailsOut:
    """Offer an item again that people skipped, also to those who did (managers)."""
    with db.write() as session:
        return _shown(session, person, *items.serve_again(session, person, item), response)


@router.delete("/items/{item}", status_code=204)
def delete_item(item: Number, person: Caller, db: Db, erase: bool = False) -> None:
    """Delete an item; with `erase` all that was its content goes too, from the disk by the worker (managers)."""
    with db.write() as session:
        items.remove(session, person, item, erase=erase)


@router.get("/jobs/{job}/rejected.csv", response_model=None, responses={200: {"content": {"text/csv": {}}}})
def rejected_rows(job: Number, person: Caller, db: Db) -> Response:
    """The rejected rows of an import job."""
    look_at_job(db, person, job)
    out = io.BytesIO()
    rows = ingestion.rejected_rows(db, job)
    write_csv(iter(rows), out, raw=False, columns=("line", "key", "error"))
    return files.kept(out.getvalue(), "text/csv", f"rejected-{job}.csv")


def _shown(session: Session, person: Person, row: Item, project: Project, response: Response) -> ItemDetailsOut:
    response.headers["ETag"] = f'"{items.etag(row)}"'
    current = filters.current_round(session, project)
    opinion = listing.opinions(session, project, current, [row.id]).get(row.id)
    manager = annotations.may_review(session, person, project.id, least="manager")
    known = answers.of_items(session, [row.id], kinds=manager)[row.id]
    notes = [StoredFlagOut.model_validate(each) for each in flags.of_item(session, row.id)]
    agreed = consensus.of_items(session, project, [row.id])[row.id]
    history = [VersionOut.model_validate(each) for each in answers.versions_of(session, row.id)]
    return ItemDetailsOut(**_item(project, row, opinion, known), **agreed, flags=notes, versions=history)


def _item(project: Project, row: Item, opinion: Opinion | None, known: Sequence[StoredAnnotation]) -> dict[str, Any]:
    return {
        "id": row.id,
        "key": row.key,
        "metadata": row.meta,
        "split": row.split,
        "state": row.state,
        "reason": row.reason,
        "priority": row.priority,
        "answered": row.done,
        "skips": row.skips,
        "revision": row.revision,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "predicted": opinion,
        "answers": [AnnotationOut.model_validate(each) for each in known],
        **item_view(project.modality, row.payload),
    }
