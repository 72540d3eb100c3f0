"""The doors: signing in, the first account, invitations, a forgotten password."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from app.api.deps import Db, MaybeCaller
from app.services import accounts, links
from app.web.pages import PageRoute, page

router = APIRouter(route_class=PageRoute, include_in_schema=False)
# A path of ours: neither another site nor a script. Browsers drop tabs and line ends, take a backslash for a slash,
# and fold wide slashes, so that nothing but plain letters, digits and signs is let through.
OWN_PATH = re.compile(r"/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")
FRESH = ("name", "password", "again")
UNSET = "Nobody has an account yet: open the one-time link that the server printed when it started."


@router.get("/sign-in")
def sign_in(
    request: Request, person: MaybeCaller, db: Db, next: Annotated[str, Query(max_length=500)] = "/"
) -> Response:
    """Name and password."""
    if person is not None:
        return RedirectResponse("/", status_code=303)
    with db.read() as session:
        ready = accounts.is_set_up(session)
    safe = next if OWN_PATH.fullmatch(next) else "/"
    words = "Sign in with the name and password of your account." if ready else UNSET
    config = {"path": "/session", "next": safe}
    data: dict[str, Any] = {"heading": "Sign in", "words": words, "button": "Sign in", "ask": ("name", "password")}
    return page(request, "door.html", None, config=config, **data)


@router.get("/setup/{code}")
def set_up(code: str, request: Request, db: Db) -> Response:
    """The first admin's name and password."""
    with db.read() as session:
        links.check(session, code, "setup", db.now())
    config = {"path": f"/setup/{code}", "next": "/projects"}
    words = "This makes the first account, which may do everything. Invite others by link afterwards."
    data: dict[str, Any] = {"heading": "Welcome to Labelwise", "words": words, "button": "Make the account"}
    return page(request, "door.html", None, config=config, ask=FRESH, **data)


@router.get("/invitations/{code}")
def invitation(code: str, request: Request, person: MaybeCaller, db: Db) -> Response:
    """Join a project."""
    with db.read() as session:
        links.check(session, code, "invitation", db.now())
    config = {"path": f"/invitations/{code}/accept", "next": "/"}
    if person is not None:
        words = f"You are signed in as {person.name}: join with this account."
        return page(request, "door.html", person, config=config, heading="Join", words=words, button="Join", ask=())
    words = "You were invited to label. Choose a name and a password; labelling starts right after."
    data: dict[str, Any] = {"heading": "Join", "words": words, "button": "Make the account and start"}
    return page(request, "door.html", None, config=config, ask=FRESH, **data)


@router.get("/password/{code}")
def password(code: str, request: Request, db: Db) -> Response:
    """Choose a new password."""
    with db.read() as session:
        name = accounts.who_resets(session, code, db.now())
    words = f"Choose a new password for {name}. Every browser and every token of this account has to sign in anew."
    data: dict[str, Any] = {"heading": "A new password", "words": words, "button": "Set it and sign in"}
    config = {"path": f"/password/{code}", "next": "/"}
    return page(request, "door.html", None, config=config, ask=FRESH[1:], **data)
