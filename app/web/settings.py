"""The settings of a project: name, guidelines, classes, goal, learning, state; and its webhooks."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.api.deps import Db
from app.services import projects
from app.web.pages import PageRoute, Visitor, page, project_view

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/projects/{project}/settings")
def settings(request: Request, project: str, visitor: Visitor, db: Db) -> Response:
    """Everything that a manager may change."""
    with db.read() as session:
        found = project_view(session, visitor, project, "manager")
    config = {"project": found, "strategies": projects.strategies()}
    return page(request, "settings.html", visitor, project=found, config=config)


@router.get("/projects/{project}/webhooks")
def webhooks(request: Request, project: str, visitor: Visitor, db: Db) -> Response:
    """Addresses that hear of the project's events."""
    with db.read() as session:
        found = project_view(session, visitor, project, "manager")
    return page(request, "webhooks.html", visitor, project=found, config={"project": found})
