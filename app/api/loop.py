"""The loop over REST: status, overview, wall, rounds, progress, jobs."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from app.api.bodies import StrictRoute
from app.api.deps import Caller, Config, Db
from app.api.pages import Cursor, Limit, seal, unseal
from app.api.payloads import item_view
from app.core.ending import ending
from app.core.text import INT64_MAX, write_json
from app.db import Database, Job
from app.services import (
    between,
    comparing,
    contested,
    contesting,
    cutting,
    fetches,
    overview,
    paces,
    rounds,
    status,
)
from app.services.access import Person, visible

router = APIRouter(tags=["loop"], route_class=StrictRoute)
Number = Annotated[int, Path(gt=0, le=INT64_MAX)]
Wait = Annotated[float, Query(ge=0, le=30)]
Seen = Annotated[str | None, Query(max_length=64)]
LOOK_SECONDS = 0.2
FINISHED = ("done", "failed", "cancelled")


class AnyOut(BaseModel):
    """A nested answer whose fields its description names."""

    model_config = ConfigDict(extra="allow")


class JobOut(BaseModel):
    """A piece of background work."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: str
    state: str
    progress: dict[str, Any] | None
    result: dict[str, Any] | None
    reason: str | None
    created_at: datetime
    updated_at: datetime


class RoundsOut(BaseModel):
    """Rounds, newest first."""

    items: list[dict[str, Any]]
    next: str | None


class PaceOut(BaseModel):
    """One person's answers; `agreement` is null below 20 items that a manager judged too.

    `managers`, `known` and `colleagues` say how often the answer was the same: `{"value", "low", "high", "n"}`.
    """

    model_config = ConfigDict(from_attributes=True)

    id: int
    user: str
    answers: int
    today: int
    day: str
    seconds_median: float | None
    agreement: float | None
    compared: int
    managers: dict[str, Any] | None
    known: dict[str, Any] | None
    colleagues: dict[str, Any] | None


class PacesOut(BaseModel):
    """Everybody who answered, by name."""

    items: list[PaceOut]


class StartedOut(BaseModel):
    """The job that does the work."""

    job: dict[str, Any]


async def until_changed(look: Callable[[], Any], same: Callable[[Any, Any], bool], wait: float) -> Any:
    """Look now, and again five times a second until it differs or the wait is over; holds no thread meanwhile."""
    first = found = await run_in_threadpool(look)
    end = asyncio.get_running_loop().time() + wait
    while same(first, found) and asyncio.get_running_loop().time() < end and not ending.is_set():
        await asyncio.sleep(LOOK_SECONDS)
        found = await run_in_threadpool(look)
    return found


@router.get("/projects/{project}/status", response_model=AnyOut)
async def show_status(project: str, person: Caller, db: Db, wait: Wait = 0, seen: Seen = None) -> Any:
    """What the loop is doing; with `wait` answers at once on change, also since the `version` that was `seen`."""

    def look() -> dict[str, Any]:
        with db.read() as session:
            return status.status(session, person, project, db.now())

    return await until_changed(look, lambda a, b: b["version"] == (seen or a["version"]), wait)


@router.get("/projects/{project}/overview", response_model=AnyOut)
def show_overview(project: str, person: Caller, db: Db) -> Any:
    """Curve, balance, pace and rounds (reviewers and managers)."""
    with db.read() as session:
        return overview.overview(session, person, project, db.now())


@router.get("/projects/{project}/progress", response_model=AnyOut)
def show_progress(project: str, person: Caller, db: Db) -> Any:
    """The caller's own pace and last answers."""
    with db.read() as session:
        return overview.progress(session, person, project, db.now())


@router.get("/projects/{project}/wall", response_model=AnyOut)
def show_wall(project: str, person: Caller, db: Db, count: Annotated[int, Query(ge=1, le=400)] = 200) -> Any:
    """Unlabelled items in piles by predicted class (reviewers and managers)."""
    with db.read() as session:
        found = overview.wall(session, person, project, count)
    for pile in found["piles"]:
        for item in pile["items"]:
            item.update(item_view(found["modality"], item.pop("payload")))
    return found


@router.get("/projects/{project}/rounds", response_model=RoundsOut)
def list_rounds(
    project: str,
    request: Request,
    person: Caller,
    db: Db,
    limit: Limit = 50,
    cursor: Cursor = None,
    brief: bool = False,
) -> RoundsOut:
    """Rounds, newest first; with `brief` their headline metrics alone."""
    before = None if cursor is None else int(unseal(request, person, cursor))
    with db.read() as session:
        rows = rounds.listed(session, person, project, limit + 1, before)
        more = seal(request, person, str(rows[limit - 1].number)) if len(rows) > limit else None
        shown = overview.brief if brief else overview.summary
        return RoundsOut(items=[shown(row) for row in rows[:limit]], next=more)


@router.get("/projects/{project}/rounds/{number}", response_model=AnyOut)
def show_round(project: str, number: Number, person: Caller, db: Db) -> Any:
    """One round: strategy, learner, seed, label snapshot, metrics, seconds."""
    with db.read() as session:
        row = rounds.one(session, person, project, number)
        details = {"learner": row.learner, "featurizer": row.featurizer, "seed": row.seed, "annotations": row.labels}
        details |= {"classes": row.class_ids, "warm_start": row.warm_round_id}
        details |= {"judged": between.outcome(session, row), "words": overview.words_of(session, row)}
        return overview.summary(row) | details


@router.get("/projects/{project}/rounds/{number}/slices", response_model=AnyOut)
def cut_round(
    project: str, number: Number, person: Caller, db: Db, column: Annotated[str | None, Query(max_length=200)] = None
) -> Any:
    """A round's judged items cut by a column of their metadata; without one, the columns that there are."""
    with db.read() as session:
        return cutting.by_column(session, person, project, number, column)


@router.get("/projects/{project}/rounds/{number}/compare/{other}", response_model=AnyOut)
def compare_rounds(project: str, number: Number, other: Number, person: Caller, db: Db) -> Any:
    """A round (`other`) held against an earlier one on the same items: what is better, and what changed hands."""
    with db.read() as session:
        return comparing.compare(session, person, project, number, other)


@router.get("/projects/{project}/rounds/{number}/compare-predictions/{version}", response_model=AnyOut)
def compare_predictions(project: str, number: Number, version: Number, person: Caller, config: Config, db: Db) -> Any:
    """An outside model's version, by its id, held against a round on the items that judge it (reviewers, managers)."""
    with db.read() as session:
        return contesting.contest(session, config, person, project, number, version)


@router.get("/projects/{project}/pace", response_model=PacesOut)
def show_paces(project: str, person: Caller, db: Db) -> PacesOut:
    """Each person's answers, median seconds and agreement with others; an annotator sees the own line alone."""
    with db.read() as session:
        found = paces.paces(session, person, project, db.now())
        return PacesOut(items=[PaceOut.model_validate(each) for each in found])


@router.post("/projects/{project}/rounds", status_code=202, response_model=StartedOut)
def start_round(project: str, person: Caller, db: Db) -> StartedOut:
    """Start a round now."""
    person.need("manage")
    with db.write() as session:
        return StartedOut(job={"id": rounds.request(session, person, project), "state": "waiting"})


@router.get("/jobs/{job}", response_model=JobOut)
async def show_job(job: Number, person: Caller, db: Db, wait: Wait = 0) -> Any:
    """A job; with `wait` answers at once on change."""
    found = await until_changed(
        lambda: look_at_job(db, person, job),
        lambda a, b: a["state"] not in FINISHED and write_json(a) == write_json(b),
        wait,
    )
    return JobOut(**found)


@router.delete("/jobs/{job}", status_code=204)
def cancel_job(job: Number, person: Caller, db: Db) -> None:
    """Cancel a job."""
    person.need("manage")
    look_at_job(db, person, job, least="manager")
    with db.write() as session:
        fetches.cancel(session, job)


def look_at_job(db: Database, person: Person, job_id: int, least: Any = "reviewer") -> dict[str, Any]:
    """A job of a project that the person may look into; raises NotFound for others."""
    with db.read() as session:
        row, _ = visible(session, person, Job, job_id)
        if row.kind == contested.KIND:  # its result names the items that judge
            visible(session, person, Job, job_id, "manager")
        elif row.created_by != person.id:
            visible(session, person, Job, job_id, least)
        return JobOut.model_validate(row).model_dump()
