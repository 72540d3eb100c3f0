"""Snapshots over REST."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api import files
from app.api.bodies import Body, StrictRoute
from app.api.deps import Caller, Config, Db
from app.api.exports import WRITTEN
from app.api.loop import StartedOut
from app.api.pages import Cursor, Limit, seal, unseal
from app.core import filters
from app.services import snapshots

router = APIRouter(tags=["items"], route_class=StrictRoute)
Name = Annotated[str, Path(max_length=100)]


class SnapshotIn(Body):
    """What to keep. Without `splits` the audit share and the client's own test set are `test`, the rest `train`.

    With `group_by`, a name in the metadata, all items of a group are in one split. Without it near-identical items are,
    and a split `test` is the audit share, where the project has one.
    """

    name: str = Field(max_length=100, examples=["release-1"])
    filter: str = Field("", max_length=filters.MAX_CHARACTERS, examples=["status=answered"])
    splits: dict[str, float] | None = Field(None, examples=[{"train": 0.8, "validation": 0.1, "test": 0.1}])
    group_by: str | None = Field(None, max_length=1_000, examples=["patient"])


class SnapshotOut(BaseModel):
    """A snapshot; `report` counts its splits and names near-identical items that stand in several (`leaks`)."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    state: Literal["making", "ready", "failed"]
    reason: str | None
    job: int
    progress: dict[str, Any] | None
    filter: str
    splits: dict[str, float] | None
    group_by: str | None
    items: int | None
    erased: int
    bytes: int | None
    sha256: str | None
    report: dict[str, Any] | None
    created_by: str | None
    created_at: datetime
    made_at: datetime | None


class SnapshotsOut(BaseModel):
    """Snapshots, newest first."""

    items: list[SnapshotOut]
    next: str | None


class ChangedOut(BaseModel):
    """An item whose label differs."""

    key: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class DifferencesOut(BaseModel):
    """What a snapshot has other than another one; the counts are whole, the lists have the first thousand."""

    model_config = ConfigDict(from_attributes=True)

    added_count: int
    removed_count: int
    changed_count: int
    moved: int
    same: int
    added: list[str]
    removed: list[str]
    changed: list[ChangedOut]


@router.post("/projects/{project}/snapshots", status_code=202, response_model=StartedOut)
def make_snapshot(project: str, body: SnapshotIn, person: Caller, db: Db) -> StartedOut:
    """Keep items with their labels and splits as they are when the job begins, under a name (managers)."""
    with db.write() as session:
        job = snapshots.create(session, person, project, body.name, body.filter, body.splits, body.group_by)
    return StartedOut(job={"id": job, "state": "waiting", "progress": None, "reason": None})


@router.get("/projects/{project}/snapshots", response_model=SnapshotsOut)
def list_snapshots(
    project: str, request: Request, person: Caller, db: Db, limit: Limit = 50, cursor: Cursor = None
) -> SnapshotsOut:
    """Snapshots, newest first (managers)."""
    before = None if cursor is None else int(unseal(request, person, cursor))
    with db.read() as session:
        rows = snapshots.listed(session, person, project, limit + 1, before)
    more = seal(request, person, str(rows[limit - 1].id)) if len(rows) > limit else None
    return SnapshotsOut(items=[SnapshotOut.model_validate(row) for row in rows[:limit]], next=more)


@router.get("/projects/{project}/snapshots/{name}", response_model=SnapshotOut)
def show_snapshot(project: str, name: Name, person: Caller, db: Db) -> SnapshotOut:
    """One snapshot with its hash and report (managers)."""
    with db.read() as session:
        return SnapshotOut.model_validate(snapshots.one(session, person, project, name))


@router.delete("/projects/{project}/snapshots/{name}", status_code=204)
def delete_snapshot(project: str, name: Name, person: Caller, config: Config, db: Db) -> None:
    """Delete a snapshot with its file (managers)."""
    snapshots.remove(db, config, person, project, name)


@router.get("/projects/{project}/snapshots/{name}/export", response_model=None, responses=WRITTEN)
def export_snapshot(
    project: str,
    name: Name,
    person: Caller,
    config: Config,
    db: Db,
    format: Annotated[str, Query(max_length=20)] = "jsonl",
    split: Annotated[str | None, Query(max_length=50)] = None,
    raw: bool = False,
) -> Response:
    """A snapshot's rows, or those of one split; as JSONL the file's SHA-256 is the snapshot's (managers)."""
    return files.kept_once(*snapshots.write(db, config, person, project, name, kind=format, split=split, raw=raw))


@router.get("/projects/{project}/snapshots/{name}/diff", response_model=DifferencesOut)
def compare_snapshots(
    project: str,
    name: Name,
    person: Caller,
    config: Config,
    db: Db,
    other: Annotated[str, Query(alias="with", max_length=100)],
) -> DifferencesOut:
    """What a snapshot has, lacks and labels otherwise than another one of the project (managers)."""
    return DifferencesOut.model_validate(snapshots.diff(db, config, person, project, name, other))
