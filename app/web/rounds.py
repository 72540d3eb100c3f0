"""The rounds of a project: all of them, one of them, or two side by side."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from app.api.deps import Db
from app.core.text import INT64_MAX
from app.services import contenders
from app.services import rounds as stored
from app.services.access import project_for
from app.web.pages import PageRoute, Visitor, page, view_of
from app.web.questions import class_views

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Number = Annotated[int, Path(gt=0, le=INT64_MAX)]


@router.get("/projects/{ref}/rounds")
def rounds(request: Request, ref: str, visitor: Visitor, db: Db) -> Response:
    """What each round gave, and whether it is worth going on."""
    return _shown(request, ref, visitor, db)


@router.get("/projects/{ref}/rounds/{number}")
def one_round(request: Request, ref: str, number: Number, visitor: Visitor, db: Db) -> Response:
    """One round: its figures, its confusions, where it is worst."""
    return _shown(request, ref, visitor, db, number)


@router.get("/projects/{ref}/rounds/{number}/compare/{other}")
def two_rounds(request: Request, ref: str, number: Number, other: Number, visitor: Visitor, db: Db) -> Response:
    """Two rounds side by side."""
    return _shown(request, ref, visitor, db, number, other)


def _shown(request: Request, ref: str, visitor: Any, db: Any, *numbers: int) -> Response:
    with db.read() as session:
        project = project_for(session, visitor, ref, "reviewer")
        for number in numbers:
            stored.one(session, visitor, ref, number)
        view = view_of(session, visitor, project)
        config = {"project": view, "classes": class_views(session, project), "rounds": numbers}
        config |= {"learners": contenders.offered(), "learner": project.learner.get("name", "auto")}
    return page(request, "rounds.html", visitor, project=view, config=config, section="rounds")
