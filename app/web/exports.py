"""The export page."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.api.deps import Db
from app.web.pages import PageRoute, Visitor, page, project_view

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/projects/{project}/export")
def export(request: Request, project: str, visitor: Visitor, db: Db) -> Response:
    """Format, view, and what the format loses."""
    with db.read() as session:
        found = project_view(session, visitor, project, "manager")
    return page(request, "export.html", visitor, project=found, config={"project": found})
