"""The web process: REST and pages over one database."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from uuid import uuid4

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import api, web
from app.api import errors, openapi
from app.core.requests import ON_BEHALF_OF
from app.core.secrets import secret_key
from app.core.settings import Settings
from app.db import Database
from app.db.migrate import bring_up
from app.services import tombstones
from app.services.sweeping import sweep

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
        if own:
            sweep(used, settings)
            tombstones.apply(used, settings)
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
    app.add_middleware(Headers)
    for router in api.routers():
        app.include_router(router)
    web.install(app)
    app.openapi = partial(openapi.describe, app)  # type: ignore[method-assign]  # as the framework's manual has it
    return app


def _prepare(settings: Settings) -> None:
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    bring_up(settings.url)


class Headers:
    """Gives every answer its request id and the headers that protect browsers, and counts it for /metrics."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid4().hex[:16]
        scope.setdefault("state", {})["request_id"] = request_id
        ON_BEHALF_OF.set(request_id)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers["X-Request-Id"] = request_id
                if scope["path"].startswith("/api/"):
                    headers.setdefault("Cache-Control", "no-store")
                method = scope["method"] if scope["method"] in METHODS else "OTHER"
                scope["app"].state.requests[method, message["status"]] += 1
            await send(message)

        await self._app(scope, receive, with_headers)
