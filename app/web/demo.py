"""The demo's own page, "Watch it learn", and what its buttons do."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from app.api.deps import Caller, Config, Db
from app.core.errors import NotFound
from app.services import accounts, demo, racing
from app.web.pages import PageRoute, Visitor, page, project_view

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/projects/{project}/watch")
def watch(request: Request, project: str, visitor: Visitor, db: Db) -> Response:
    """Two simulated annotators, side by side."""
    with db.read() as session:
        found = project_view(session, visitor, project, "reviewer")
    if not found["demo"]:
        raise NotFound("only the demo can be watched like this")
    return page(request, "watch.html", visitor, project=found, config={"project": found})


@router.post("/demo")
def make_demo(person: Caller, config: Config, db: Db) -> JSONResponse:
    """Make the demo's project for an admin who has none; its address."""
    accounts.need_admin(person)
    project_id, _ = demo.ensure_demo(db, config, person.id)
    return JSONResponse({"url": f"/projects/{project_id}/overview"}, status_code=201)


@router.get("/projects/{project}/demo/race")
def show_race(project: str, person: Caller, db: Db) -> dict[str, Any]:
    """How far the simulated annotators are."""
    with db.read() as session:
        return racing.last(session, person, project)


@router.post("/projects/{project}/demo/race", status_code=202)
def start_race(project: str, person: Caller, db: Db) -> dict[str, Any]:
    """Let the simulated annotators begin."""
    person.need("manage")
    with db.write() as session:
        return {"job": {"id": racing.start(session, person, project)}}


@router.post("/projects/{project}/demo/reset", status_code=204)
def reset(project: str, person: Caller, db: Db) -> None:
    """Erase the demo's answers and rounds, and begin again."""
    person.need("manage")
    with db.write() as session:
        demo.reset(session, person, project)
