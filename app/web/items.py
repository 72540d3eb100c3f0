"""The items of a project, found by the filter grammar of REST: the pages' addresses hold the same words."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from app.api.classes import class_out
from app.api.deps import Db
from app.services import tasks
from app.services.access import project_for
from app.web.pages import PageRoute, Visitor, page, view_of
from app.web.questions import question_views

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/projects/{ref}/items")
def items(request: Request, ref: str, visitor: Visitor, db: Db) -> Response:
    """Search, look, correct; the rows come over REST. An annotator is led to the own answers."""
    with db.read() as session:
        project = project_for(session, visitor, ref)
        view = view_of(session, visitor, project)
        if view["role"] == "annotator":
            return RedirectResponse(f"/projects/{project.slug}/my-answers", status_code=303)
        classes = [class_out(each).model_dump() for each in tasks.classes_of(session, project.id)]
        config = {
            "project": view,
            "classes": classes,
            "form": tasks.is_form(tasks.questions(session, project)),
            "questions": question_views(session, project),
        }
    return page(request, "items.html", visitor, project=view, config=config)


@router.get("/projects/{ref}/my-answers")
def my_answers(request: Request, ref: str, visitor: Visitor, db: Db) -> Response:
    """What the visitor answered, skipped or left a note on, and a way to change one's answers."""
    with db.read() as session:
        project = project_for(session, visitor, ref)
        view = view_of(session, visitor, project)
        classes = [class_out(each).model_dump() for each in tasks.classes_of(session, project.id)]
        config = {
            "project": {**view, "state": project.state},
            "classes": classes,
            "form": tasks.is_form(tasks.questions(session, project)),
            "questions": question_views(session, project),
        }
    return page(request, "my-answers.html", visitor, project=view, config=config)
