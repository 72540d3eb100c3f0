"""The items of a project, found by the filter grammar of REST: the page's address holds the same words."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.api.classes import class_out
from app.api.deps import Db
from app.services import tasks
from app.web.pages import PageRoute, Visitor, page, project_view

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/projects/{project}/items")
def items(request: Request, project: str, visitor: Visitor, db: Db) -> Response:
    """Search, look, correct; the rows come over REST."""
    with db.read() as session:
        found = project_view(session, visitor, project, "reviewer")
        classes = [class_out(each).model_dump() for each in tasks.classes_of(session, found["id"])]
    return page(request, "items.html", visitor, project=found, config={"project": found, "classes": classes})
