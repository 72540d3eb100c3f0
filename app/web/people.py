"""Who works on a project, and a person's own tokens."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.api.deps import Db
from app.services import projects
from app.web.pages import PageRoute, Visitor, page, project_view

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/projects/{project}/people")
def people(request: Request, project: str, visitor: Visitor, db: Db) -> Response:
    """Members, roles, invitation links."""
    with db.read() as session:
        found = project_view(session, visitor, project, "manager")
    return page(request, "people.html", visitor, project=found, config={"project": found, "me": {"id": visitor.id}})


@router.get("/tokens")
def tokens(request: Request, visitor: Visitor, db: Db) -> Response:
    """A person's own tokens for scripts."""
    with db.read() as session:
        mine = [{"id": each.id, "name": each.name} for each in projects.listed(session, visitor)]
    return page(request, "tokens.html", visitor, config={"projects": mine})
