"""The web process: REST and pages over one database."""

import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from uuid import uuid4

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import api, web
from app.api import errors, openapi
from app.core.hosts import is_served, parse_allowed
from app.core.requests import ON_BEHALF_OF
from app.core.secrets import key_of
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
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# Where one of these stood twice, a proxy in front might have judged the one and we the other.
ONCE = frozenset(b"host authorization x-csrf-token origin sec-fetch-site content-type idempotency-key if-match".split())
ENCODED_SLASH = re.compile(rb"%2f|%5c|%00", re.IGNORECASE)
NOTHING_RUNS = "default-src 'none'; frame-ancestors 'none'; sandbox"  # pages have a policy of their own
ONLY_HTTPS = "max-age=31536000"


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
        title="Labelwise",
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect would name the host of the request, and drop bodies
    )
    app.state.settings, app.state.db = settings, db
    app.state.requests = Counter()  # answered requests by method and status, for /metrics
    app.state.secret_key = key_of(settings)
    errors.install(app)
    app.add_middleware(Headers, allowed_hosts=parse_allowed(settings.allowed_hosts))
    for router in api.routers():
        app.include_router(router)
    web.install(app)
    app.openapi = partial(openapi.describe, app)  # type: ignore[method-assign]  # as the framework's manual has it
    return app


def _prepare(settings: Settings) -> None:
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    bring_up(settings.url)


class Headers:
    """Gives every answer its request id and the headers that protect browsers, and counts it for /metrics.

    A request whose Host header is missing, doubled, malformed or not of this service is refused here, before anything
    makes an address of it.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._allowed_hosts = allowed_hosts

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
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", ONLY_HTTPS)
                headers["X-Request-Id"] = request_id
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-store")
                    headers.setdefault("Content-Security-Policy", NOTHING_RUNS)
                method = scope["method"] if scope["method"] in METHODS else "OTHER"
                scope["app"].state.requests[method, message["status"]] += 1
            await send(message)

        app = self._refusal(scope) or self._app
        await app(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """What a request is answered with whose address or headers a proxy in front might have read otherwise."""
        if fault := self._fault(scope):
            return errors.answer(Request(scope), 400, "BadSyntax", fault)
        if ENCODED_SLASH.search(scope.get("raw_path") or b""):
            return errors.answer(Request(scope), 404, "NotFound", "there is no such address")
        return None

    def _fault(self, scope: Scope) -> str | None:
        """What is wrong with the headers, in a sentence."""
        names = [name for name, _ in scope["headers"] if name in ONCE]
        if len(set(names)) < len(names):
            return "a header that may stand once stands twice"
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if not is_served(hosts, self._allowed_hosts):
            return "the Host header is not of this service: LABELWISE_ALLOWED_HOSTS names what it is called"
        return None
