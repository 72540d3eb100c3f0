"""Pages: a route picks a template and its data."""

from typing import cast

from fastapi import FastAPI, Request, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from app.api import errors
from app.web import (
    annotate,
    demo,
    door,
    entry,
    exports,
    items,
    overview,
    people,
    projects,
    reference,
    rounds,
    settings,
    simulations,
)
from app.web.pages import STATIC, error_page

FOREVER = "public, max-age=31536000, immutable"


class HashedFiles(StaticFiles):
    """Files of the built folder never change under their name, so that browsers keep them."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # passed on as it came
        response.headers["Cache-Control"] = FOREVER if "/dist/" in str(args[0]) else "public, max-age=3600"
        return response


def install(app: FastAPI) -> None:
    """Add the pages and the static files."""
    for each in (
        door,
        annotate,
        projects,
        overview,
        rounds,
        items,
        people,
        exports,
        settings,
        simulations,
        demo,
        entry,
        reference,
    ):
        app.include_router(each.router)
    app.add_exception_handler(HTTPException, _lost)
    app.mount("/static", HashedFiles(directory=STATIC, check_dir=False), name="static")


def _lost(request: Request, error: Exception) -> Response:
    """An address that leads nowhere: a page for a browser, the error of REST for everybody else."""
    status = cast(HTTPException, error).status_code
    asks_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if status == 404 and asks_page and not request.url.path.startswith("/api/"):
        return error_page(request, status, "there is no such page")
    return errors.http(request, error)
