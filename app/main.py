"""The web process: REST and pages over one database."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import uuid4

from fastapi import FastAPI, Request, Response

from app import api, web
from app.api import errors
from app.core.secrets import secret_key
from app.core.settings import Settings
from app.db import Database
from app.db.migrate import current, migrate, newest

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


def create_app(settings: Settings | None = None, db: Database | None = None) -> FastAPI:
    """The application. SQLite is migrated by itself; PostgreSQL must be migrated before.

    Raises:
        RuntimeError: the PostgreSQL database is not at the newest schema.
        ValueError: the secret key is short or known.
    """
    settings = settings or Settings()
    own = db is None
    if db is None:
        _prepare(settings)
        db = Database(settings.url)
    used = db

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        if own:
            used.dispose()

    app = FastAPI(
        title="Labelwise", version="0.1.0", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.state.settings, app.state.db = settings, db
    app.state.requests = Counter()  # answered requests by method and status, for /metrics
    app.state.secret_key = secret_key(
        settings.secret_key.get_secret_value() if settings.secret_key else None, settings.data
    )
    errors.install(app)
    app.middleware("http")(_with_headers)
    for router in api.routers():
        app.include_router(router)
    web.install(app)
    return app


def _prepare(settings: Settings) -> None:
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    revision = current(settings.url)
    if revision == newest():
        return
    if not settings.url.startswith("sqlite"):
        raise RuntimeError("the database is not at the newest schema: run `labelwise migrate`")
    migrate(settings.url)


async def _with_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    request.state.request_id = uuid4().hex[:16]
    response = await call_next(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-Id"] = request.state.request_id
    if request.url.path.startswith("/api/"):
        response.headers.setdefault("Cache-Control", "no-store")
    method = request.method if request.method in METHODS else "OTHER"
    request.app.state.requests[method, response.status_code] += 1
    return response
