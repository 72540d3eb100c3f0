"""The items of a project, found by the filter grammar of REST: the pages' addresses hold the same words."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from app.api.deps import Db
from app.services.access import project_for
from app.web.pages import PageRoute, Visitor, page, view_of
from app.web.questions import class_views, task_view

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/projects/{ref}/items")
def items(request: Request, ref: str, visitor: Visitor, db: Db) -> Response:
    """Search, look, correct; the rows come over REST. An annotator is led to the own answers."""
    with db.read() as session:
        project = project_for(session, visitor, ref)
        view = view_of(session, visitor, project)
        if view["role"] == "annotator":
            return RedirectResponse(f"/projects/{project.slug}/my-answers", status_code=303)
        config = {"project": view, "classes": class_views(session, project), **task_view(session, project)}
    return page(request, "items.html", visitor, project=view, config=config)


@router.get("/projects/{ref}/import")
def add_items(request: Request, ref: str, visitor: Visitor, db: Db) -> Response:
    """More items for a project that runs, from a file or pasted lines."""
    with db.read() as session:
        project = project_for(session, visitor, ref, "manager")
        view = view_of(session, visitor, project)
        config = {"project": view, **task_view(session, project)}
    return page(request, "import.html", visitor, project=view, config=config)


@router.get("/projects/{ref}/my-answers")
def my_answers(request: Request, ref: str, visitor: Visitor, db: Db) -> Response:
    """What the visitor answered, skipped or left a note on, and a way to change one's answers."""
    with db.read() as session:
        project = project_for(session, visitor, ref)
        view = view_of(session, visitor, project)
        config = {
            "project": {**view, "state": project.state},
            "classes": class_views(session, project),
            **task_view(session, project),
        }
    return page(request, "my-answers.html", visitor, project=view, config=config)
