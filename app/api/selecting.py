"""Selections over REST: the next items by name, for labelling elsewhere, and a look at the order."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from app.api.bodies import Body, StrictRoute
from app.api.deps import Caller, Config, Db
from app.api.loop import FINISHED, StartedOut, look_at_job
from app.api.pages import Cursor, Limit, seal, unseal
from app.api.payloads import item_view
from app.core import filters
from app.core.ending import ending
from app.core.errors import Gone
from app.core.text import read_json, write_json
from app.services import proposing, selecting
from app.services.selecting import Ask

router = APIRouter(tags=["labelling"], route_class=StrictRoute)
LOOK_SECONDS = 0.1
WAIT_SECONDS = 10.0


class SelectIn(Body):
    """How many items, by the published order or by another strategy, of which, and held for how long."""

    count: int = Field(ge=1, le=30_000, examples=[500])
    strategy: dict[str, Any] | None = Field(None, examples=[{"name": "margin"}])
    filter: str = Field("", max_length=filters.MAX_CHARACTERS, examples=["metadata.source=web"])
    hold_hours: float | None = Field(None, gt=0, le=selecting.MAX_HOLD_HOURS)


class EntryOut(BaseModel):
    """One selected item; `rank` counts from 0, `score` is null where chance chose."""

    model_config = ConfigDict(from_attributes=True)

    rank: int
    item: int
    key: str
    score: float | None
    kind: str
    inclusion_probability: float


class SelectionOut(BaseModel):
    """The items, best first; `words` says what is other than asked for, or why the strategy chose so."""

    model_config = ConfigDict(from_attributes=True)

    round: int | None
    strategy: str
    words: str | None
    held_until: datetime | None = None
    items: list[EntryOut]


class PlacesOut(BaseModel):
    """The next items of the order, each with its content, score and the reason in words."""

    round: int | None
    strategy: str | None
    items: list[dict[str, Any]]
    next: str | None


@router.post(
    "/projects/{project}/select",
    status_code=202,
    response_model=StartedOut,
    responses={200: {"model": SelectionOut, "description": "The selection"}},
)
async def select_items(
    project: str, body: SelectIn, person: Caller, config: Config, db: Db,
    wait: Annotated[float, Query(ge=0, le=30)] = WAIT_SECONDS,
) -> Response:  # fmt: skip
    """Select the next items for labelling elsewhere (managers); by another `strategy` a job does it.

    Its selection is answered when it is done within `wait` seconds; else 202 names the job, whose result is the
    selection.
    """
    ask = Ask(body.count, filters.parse(body.filter), body.hold_hours)
    if body.strategy is None:
        found = await run_in_threadpool(selecting.from_order, db, config, person, project, ask)
        return _answer(SelectionOut.model_validate(found))

    def begin() -> int:
        with db.write() as session:
            return proposing.enqueue(session, config, person, project, body.strategy or {}, ask, body.filter)

    job = await run_in_threadpool(begin)
    end = asyncio.get_running_loop().time() + wait
    while True:
        row = await run_in_threadpool(look_at_job, db, person, job)
        if row["state"] in FINISHED or asyncio.get_running_loop().time() > end or ending.is_set():
            break
        await asyncio.sleep(LOOK_SECONDS)
    if row["state"] == "done":
        return _answer(SelectionOut(**{"held_until": None, **row["result"]}))
    if row["state"] in FINISHED:
        raise proposing.refuse(row["reason"])
    shown = StartedOut(job={name: row[name] for name in ("id", "state", "progress", "reason")})
    return Response(shown.model_dump_json(), status_code=202, media_type="application/json")


@router.get("/projects/{project}/queue", response_model=PlacesOut)
def show_queue(
    project: str, request: Request, person: Caller, db: Db, limit: Limit = 50, cursor: Cursor = None
) -> PlacesOut:
    """The next items of the order, without those of the audit share (reviewers and managers).

    All pages are of one round: when another one is published meanwhile, the next page is refused (410).
    """
    begun, behind = (None, None) if cursor is None else read_json(unseal(request, person, cursor).encode())
    with db.read() as session:
        found, order, places = selecting.queue(session, person, project, limit + 1, behind)
    if behind is not None and begun != order.number:
        raise Gone("a new round has put the items in another order: read it from its beginning")
    more = seal(request, person, write_json([order.number, places[limit - 1].behind])) if len(places) > limit else None
    rows = [
        {
            "item": each.item,
            "key": each.key,
            **item_view(found.modality, each.payload),
            **{name: each.reason[name] for name in ("rank", "score", "words")},
        }
        for each in places[:limit]
    ]
    return PlacesOut(round=order.number, strategy=order.strategy if order.round_id else None, items=rows, next=more)


def _answer(found: SelectionOut) -> Response:
    return Response(found.model_dump_json(), status_code=200, media_type="application/json")
