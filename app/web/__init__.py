"""Pages: a route picks a template and its data."""

from fastapi import FastAPI, Response
from fastapi.staticfiles import StaticFiles

from app.web import annotate, demo, door, entry, exports, overview, people, projects, settings
from app.web.pages import STATIC

FOREVER = "public, max-age=31536000, immutable"


class HashedFiles(StaticFiles):
    """Files of the built folder never change under their name, so that browsers keep them."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # passed on as it came
        response.headers["Cache-Control"] = FOREVER if "/dist/" in str(args[0]) else "public, max-age=3600"
        return response


def install(app: FastAPI) -> None:
    """Add the pages and the static files."""
    for each in (door, annotate, projects, overview, people, exports, settings, demo, entry):
        app.include_router(each.router)
    app.mount("/static", HashedFiles(directory=STATIC, check_dir=False), name="static")
