"""Leases over REST: take items, keep them, give them back, skip them."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from app.api.bodies import Body, StrictRoute
from app.api.deps import Caller, Config, Db
from app.api.payloads import item_view
from app.core import filters
from app.core.filters import Filter
from app.core.settings import Settings
from app.core.text import INT64_MAX
from app.db import Database, WriteSession
from app.services import annotations, serving, slices, tasks
from app.services import why as explain
from app.services.access import Person
from app.services.serving import Served, ServedLease
from app.services.slices import Slice, SliceFirst

router = APIRouter(tags=["labelling"], route_class=StrictRoute)
LeaseId = Annotated[int, Path(gt=0, le=INT64_MAX)]


class LeasesIn(Body):
    """How many items; with `hold_hours` up to 200 for work without a connection, with `filter` of an own slice."""

    count: int = Field(5, ge=1, le=200)
    hold_hours: float | None = Field(None, gt=0, le=48)
    filter: str = Field("", max_length=filters.MAX_CHARACTERS, examples=["metadata.source=web&q=football"])


class LeaseOut(BaseModel):
    """One item in the caller's hands. `suggestion` and `reason` are null on blind items."""

    id: int
    expires_at: datetime
    item: dict[str, Any]
    suggestion: dict[str, Any] | None
    reason: dict[str, Any] | None


class LeasesOut(BaseModel):
    """The caller's live leases, or why there are none."""

    state: str
    retry_after_seconds: float | None
    round: int | None
    words: str | None
    leases: list[LeaseOut]


class SkipIn(Body):
    """Why the item is left to somebody else."""

    reason: str | None = Field(None, max_length=2000)


class WhyOut(BaseModel):
    """The most probable classes, and the nearest labelled items: one's own, or everybody's for reviewers.

    Both lists are empty for an item that is served blind.
    """

    blind: bool
    classes: list[dict[str, Any]]
    neighbours: list[dict[str, Any]]


class RenewedOut(BaseModel):
    """The lease's new end."""

    id: int
    expires_at: datetime


@router.post("/projects/{project}/leases", response_model=LeasesOut)
async def take_leases(project: str, body: LeasesIn, person: Caller, config: Config, db: Db) -> Response:
    """Take items: the caller's own live leases first, then the next ones of the order."""
    person.need("label")
    wanted = filters.parse(body.filter)
    only = await run_in_threadpool(_slice, db, person, project, wanted, body.count) if wanted else None
    while True:
        try:
            return await _give(db, person, config, project, body, only)
        except SliceFirst:  # a manager gave this member a slice, or another one just now
            only = await run_in_threadpool(_slice, db, person, project, wanted, body.count)


async def _give(
    db: Database, person: Person, config: Settings, project: str, body: LeasesIn, only: Slice | None
) -> Response:
    def give(session: WriteSession) -> str:
        served = serving.lease(session, config, person, project, body.count, body.hold_hours, only)
        questions = tasks.questions(session, served.project) if served.leases else ()
        shown = LeasesOut(
            state=served.state,
            retry_after_seconds=served.retry_after_seconds,
            round=served.round,
            words=served.words,
            leases=[_shown(served, lease, questions, served.manager) for lease in served.leases],
        )
        return shown.model_dump_json()

    return Response(await db.store(give), media_type="application/json")


@router.get("/leases/{lease}/why", response_model=WhyOut)
def explain_lease(lease: LeaseId, person: Caller, config: Config, db: Db) -> WhyOut:
    """Why one's own item is asked: what the model thinks, and the labelled items most like it."""
    with db.read() as session:
        found = explain.why(session, config, person, lease)
        questions = tasks.questions(session, found.project)
        return WhyOut(
            blind=found.blind,
            classes=[{"class": name, "color": color, "probability": share} for name, color, share in found.classes],
            neighbours=[
                {
                    "key": each.key,
                    "label": tasks.show_label(each.label, questions),
                    "similarity": each.similarity,
                    **item_view(found.project.modality, each.payload),
                }
                for each in found.neighbours
            ],
        )


@router.post("/leases/{lease}/renew", response_model=RenewedOut)
async def renew_lease(lease: LeaseId, person: Caller, config: Config, db: Db) -> RenewedOut:
    """Keep an item for another term."""
    person.need("label")
    until = await db.store(lambda session: serving.renew(session, config, lease, person))
    return RenewedOut(id=lease, expires_at=until)


@router.delete("/leases/{lease}", status_code=204)
async def release_lease(lease: LeaseId, person: Caller, db: Db) -> None:
    """Give an item back to the queue."""
    person.need("label")
    await db.store(lambda session: serving.release(session, lease, person))


@router.delete("/projects/{project}/leases", status_code=204)
def release_leases(project: str, person: Caller, db: Db) -> None:
    """Give all of the caller's items of a project back."""
    person.need("label")
    with db.write() as session:
        serving.release_all(session, project, person)


@router.post("/leases/{lease}/skip", status_code=204)
async def skip_lease(lease: LeaseId, body: SkipIn, person: Caller, db: Db) -> None:
    """Leave an item to somebody else."""
    person.need("label")
    await db.store(lambda session: serving.skip(session, lease, person, body.reason))


@router.delete("/leases/{lease}/annotation", response_model=LeaseOut | None)
def take_back_annotation(lease: LeaseId, person: Caller, config: Config, db: Db) -> LeaseOut | None:
    """Take back one's own answer or skip; answers with a fresh lease on the same item.

    Null when a colleague holds the item by now.
    """
    person.need("label")
    with db.write() as session:
        fresh = annotations.take_back(session, person, lease, config.lease_seconds)
        if fresh is None:
            return None
        served = serving.describe(session, fresh)
        manager = annotations.may_review(session, person, fresh.project_id, least="manager")
        return _shown(served, served.leases[0], tasks.questions(session, served.project), manager)


def _slice(db: Database, person: Person, project: str, wanted: Filter, count: int) -> Slice:
    with db.read() as session:
        return slices.look_up(session, person, project, wanted, count)


def _shown(served: Served, lease: ServedLease, questions: Any, manager: bool) -> LeaseOut:
    suggestion = lease.suggestion
    if suggestion is not None:
        question = tasks.driving(questions)
        suggestion = {**suggestion, "label": tasks.show_label({question.id: suggestion["label"]}, questions)}
    reason = None if lease.reason is None else {k: v for k, v in lease.reason.items() if k != "likely"}
    if manager:
        reason = {**(reason or {}), "kind": lease.kind}
    return LeaseOut(
        id=lease.id,
        expires_at=lease.expires_at,
        item={"id": lease.item_id, "key": lease.key, **item_view(served.project.modality, lease.payload)},
        suggestion=suggestion,
        reason=reason,
    )
