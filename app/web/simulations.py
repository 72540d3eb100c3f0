"""The page that compares strategies on the labels that a project has."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.api.deps import Db
from app.services import projects
from app.services.access import project_for
from app.web.pages import PageRoute, Visitor, page, project_view

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/projects/{project}/simulate")
def simulate(request: Request, project: str, visitor: Visitor, db: Db) -> Response:
    """A form, the simulation that runs, its result, and earlier ones."""
    with db.read() as session:
        found = project_view(session, visitor, project, "manager")
        strategy = project_for(session, visitor, project, "manager").strategy
    config = {"project": found, "strategies": projects.strategies(), "strategy": strategy}
    return page(request, "simulate.html", visitor, project=found, config=config)
