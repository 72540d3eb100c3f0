"""The annotate page."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.api.deps import Db
from app.services.access import project_for
from app.web.markdown import markdown
from app.web.pages import PageRoute, Visitor, page, view_of
from app.web.questions import task_view

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/projects/{ref}/annotate")
def annotate(ref: str, request: Request, visitor: Visitor, db: Db) -> Response:
    """Items to label, one after the other."""
    with db.read() as session:
        project = project_for(session, visitor, ref)
        view = view_of(session, visitor, project)
        config = {
            "project": {**view, "state": project.state},
            "version": project.version,
            **task_view(session, project),
            "person": {"id": visitor.id, "name": visitor.name},
            "guidelines_version": project.guidelines_version,
        }
        guidelines = markdown(project.guidelines)
    return page(request, "annotate.html", visitor, project=view, config=config, guidelines=guidelines)
