"""The overview of a project: is it learning, is it worth going on?"""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from app.api.deps import Db
from app.web.pages import PageRoute, Visitor, page, project_view

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/projects/{project}")
def open_project(project: str, visitor: Visitor, db: Db) -> RedirectResponse:
    """Annotators land in the queue, everybody else at the overview."""
    with db.read() as session:
        found = project_view(session, visitor, project)
    section = "annotate" if found["role"] == "annotator" else "overview"
    return RedirectResponse(f"/projects/{found['slug']}/{section}", status_code=303)


@router.get("/projects/{project}/overview")
def overview(request: Request, project: str, visitor: Visitor, db: Db) -> Response:
    """Curve, loop, balance, pace, wall and rounds; the figures come over REST and stay fresh."""
    with db.read() as session:
        found = project_view(session, visitor, project, "reviewer")
    return page(request, "overview.html", visitor, project=found, config={"project": found})
