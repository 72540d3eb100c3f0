"""Who asks and with what: the dependencies that every route stands on. Without them nobody gets in."""

import contextlib
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request
from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import Forbidden, Invalid, NotSignedIn
from app.core.secrets import fault_of, hashed, same
from app.core.settings import Settings
from app.db import Database
from app.services import holders, sessions
from app.services.access import Person
from app.services.sessions import Held

SECURE_COOKIE = "__Host-labelwise"
PLAIN_COOKIE = "labelwise"
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

# What needs no waiting is `async`, so that it does not cost a thread's turn in every request.


async def database(request: Request) -> Database:
    """The process's database."""
    found: Database = request.app.state.db
    return found


async def settings(request: Request) -> Settings:
    """The process's settings."""
    found: Settings = request.app.state.settings
    return found


Db = Annotated[Database, Depends(database)]
Config = Annotated[Settings, Depends(settings)]


def cookie_of(request: Request) -> str | None:
    """The browser session's secret; None without one, or where two of one name arrive.

    Over https only the `__Host-` cookie counts, which no other host can set.
    """
    wanted = SECURE_COOKIE if request.url.scheme == "https" else PLAIN_COOKIE
    parts = [part.strip() for line in request.headers.getlist("cookie") for part in line.split(";")]
    values = {value for name, equals, value in (part.partition("=") for part in parts) if equals and name == wanted}
    return values.pop() if len(values) == 1 else None


async def optional_person(request: Request, db: Db) -> Person | None:
    """Who asks: a token's owner, else the cookie's; None for nobody.

    A request with a bearer token ignores cookies, and reads nothing without the scope `read`. An unsafe request
    with a cookie must carry the page's CSRF token and come from our own origin.
    """
    header = request.headers.get("authorization")
    if header is not None:
        person = await _by_token(header, db)
        _check_scopes(person, request.method)
        return person
    cookie = cookie_of(request)
    held = await db.find(holders.by_cookies, hashed(cookie)) if cookie else None
    if held is None or sessions.is_over(request.app.state.settings, held, db.now()):
        return None
    if request.method not in SAFE_METHODS:
        check_same_site(request)
        if not same(request.headers.get("x-csrf-token", ""), held.csrf_token):
            raise Forbidden("the X-CSRF-Token header is missing or old: reload the page")
    await _note_use(request, db, held)
    request.state.csrf_token = held.csrf_token
    return held.person


async def _note_use(request: Request, db: Database, held: Held) -> None:
    """Keep the session of somebody who opens pages or changes things; what a page that lies open asks does not."""
    config: Settings = request.app.state.settings
    if request.method in SAFE_METHODS and request.url.path.startswith("/api/"):
        return
    if not sessions.is_noted(config, held, db.now()):
        with contextlib.suppress(SQLAlchemyError):  # a full disk or a busy database keeps nobody from reading
            await db.store(lambda session: sessions.note_use(session, config, held))


async def _by_token(header: str, db: Database) -> Person:
    kind, _, secret = header.partition(" ")
    found = None
    if kind.lower() == "bearer":
        token = secret.strip()
        if (fault := fault_of(token)) is not None:
            raise NotSignedIn(fault)
        found = await db.find(holders.by_tokens, hashed(token))
    if found is None:
        raise NotSignedIn("this token is not valid")
    person, unnoted = found
    if unnoted is not None:
        with contextlib.suppress(SQLAlchemyError):  # a full disk or a busy database keeps nobody from reading
            await db.store(lambda session: holders.note_use(session, unnoted))
    return person


def _check_scopes(person: Person, method: str) -> None:
    """Here once for all routes: a token reads with `read` only, and with nothing but `read` it only reads."""
    if method in SAFE_METHODS:
        person.need("read")
    elif person.scopes is not None and person.scopes <= {"read"}:
        raise Forbidden("this token only reads: make one with the scope label, import or manage")


def check_same_site(request: Request) -> None:
    """Raise Forbidden when a browser says that another site's page sent this request."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("this request came from another site")
    origin = request.headers.get("origin")
    if origin is not None and origin.split("://", 1)[-1] != request.headers.get("host"):
        raise Forbidden("this request came from another site")


async def person_of(person: Annotated[Person | None, Depends(optional_person)]) -> Person:
    """Who asks; nobody gets in without a token or a session."""
    if person is None:
        raise NotSignedIn("sign in, or send a token as `Authorization: Bearer ...`")
    return person


async def idempotency_key(idempotency_key: Annotated[str | None, Header()] = None) -> UUID | None:
    """The client's key of this request; raises Invalid when it is not a UUID."""
    if idempotency_key is None:
        return None
    try:
        return UUID(idempotency_key)
    except ValueError:
        raise Invalid("Idempotency-Key is a UUID", fields={"Idempotency-Key": "not a UUID"}) from None


Caller = Annotated[Person, Depends(person_of)]
MaybeCaller = Annotated[Person | None, Depends(optional_person)]
IdempotencyKey = Annotated[UUID | None, Depends(idempotency_key)]
