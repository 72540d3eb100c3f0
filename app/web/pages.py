"""What all pages share: templates, the built scripts and styles, who asks, and refusals as pages."""

import json
from collections.abc import Callable, Coroutine
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader
from sqlalchemy.orm import Session

from app.api.bodies import refusal
from app.api.deps import MaybeCaller, person_of
from app.core.errors import AppError, NotSignedIn
from app.db import Project
from app.services import projects, tasks
from app.services.access import Person, Role, project_for

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE / "_web" if (HERE / "_web").is_dir() else HERE.parent  # an installed wheel, or a checkout
STATIC = ROOT / "static"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types lit-html",
    )
)
SECTIONS: dict[str, tuple[tuple[str, str], ...]] = {
    "annotator": (("annotate", "Label"), ("my-answers", "My answers")),
    "reviewer": (("annotate", "Label"), ("overview", "Overview"), ("rounds", "Rounds"), ("items", "Items")),
    "manager": (
        ("annotate", "Label"),
        ("overview", "Overview"),
        ("rounds", "Rounds"),
        ("items", "Items"),
        ("people", "People"),
        ("simulate", "Simulate"),
        ("export", "Export"),
        ("settings", "Settings"),
    ),
}
WITHIN = {"import": "items", "webhooks": "settings"}  # pages that a section's page leads to
HEADINGS = {403: "Not allowed", 404: "Not found"}

templates = Environment(loader=FileSystemLoader(ROOT / "templates"), autoescape=True, trim_blocks=True)


@lru_cache(maxsize=1)
def _manifest(_changed: int) -> dict[str, str]:
    names: dict[str, str] = json.loads((STATIC / "dist" / "manifest.json").read_text())
    return names


def asset(name: str) -> str:
    """The address of a built script or style by its plain name.

    Raises:
        RuntimeError: the front end was not built.
    """
    manifest = STATIC / "dist" / "manifest.json"
    if not manifest.exists():
        raise RuntimeError("the front end is not built: run `make setup`, or `npm ci && node build.mjs` in frontend/")
    return f"/static/dist/{_manifest(manifest.stat().st_mtime_ns)[name]}"


templates.globals["asset"] = asset
templates.globals["static"] = lambda name: f"/static/{name}"


def page(
    request: Request,
    template: str,
    person: Person | None,
    *,
    project: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    status: int = 200,
    section: str | None = None,
    **data: Any,
) -> HTMLResponse:
    """A page from its template. `config` is what its script reads; it never holds a secret.

    `section` names the part of the project that the page belongs to, where its address does not end with it.
    """
    html = templates.get_template(template).render(
        person=person,
        project=project,
        sections=sections(project) if project else (),
        section=section or WITHIN.get(last := request.url.path.rsplit("/", 1)[-1], last),
        csrf_token=getattr(request.state, "csrf_token", ""),
        config=config,
        **data,
    )
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(html, status_code=status, headers=headers)


def sections(project: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The pages of a project that its role opens; the demo has one more."""
    own = SECTIONS[project["role"]]
    watch = (("watch", "Watch it learn"),) if project["demo"] and project["role"] != "annotator" else ()
    return (*own[:2], *watch, *own[2:])


def project_view(session: Session, person: Person, ref: str, least: Role = "annotator") -> dict[str, Any]:
    """What a page's head and script know of its project. Raises NotFound and Forbidden as `project_for` does."""
    return view_of(session, person, project_for(session, person, ref, least))


def view_of(session: Session, person: Person, project: Project) -> dict[str, Any]:
    """A project for a page: identity, kind, and what the person may do in it."""
    role = "manager" if person.admin else projects.role_in(session, person, project)
    return {
        "id": project.id,
        "slug": project.slug,
        "name": project.name,
        "modality": project.modality,
        "multiple": tasks.several(project),
        "demo": project.demo,
        "role": role,
        "manager": role == "manager",
    }


class PageRoute(APIRoute):
    """Turns refusals into pages: to the sign-in page and back, or a page that says what is wrong."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def shown(request: Request) -> Response:
            wants_page = request.method == "GET" and "text/html" in request.headers.get("accept", "text/html")
            try:
                return await handler(request)
            except NotSignedIn:
                if not wants_page:
                    raise
                back = quote(request.url.path, safe="/")
                return RedirectResponse(f"/sign-in?next={back}", status_code=303)
            except (AppError, RequestValidationError) as error:
                if not wants_page:
                    raise
                refused = refusal(error) if isinstance(error, RequestValidationError) else error
                return error_page(request, refused.status, str(refused))

        return shown


def error_page(request: Request, status: int, detail: str) -> HTMLResponse:
    """A refusal as a page: what is wrong, and the way on."""
    heading = HEADINGS.get(status, "This did not work")
    detail = f"{detail[:1].upper()}{detail[1:]}."
    return page(request, "error.html", None, status=status, heading=heading, detail=detail)


async def visitor(person: MaybeCaller) -> Person:
    """Who looks at a page; NotSignedIn leads to the sign-in page."""
    return await person_of(person)


Visitor = Annotated[Person, Depends(visitor)]
