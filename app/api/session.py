"""Signing in and out, the first admin, invitations and passwords."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.api.bodies import Body, StrictRoute
from app.api.deps import (
    PLAIN_COOKIE,
    SECURE_COOKIE,
    Caller,
    Config,
    Db,
    MaybeCaller,
    check_same_site,
    cookie_of,
)
from app.api.turns import PASSWORDS
from app.core.errors import Forbidden
from app.core.settings import Settings
from app.services import accounts, attempts, sessions
from app.services.sessions import SignedIn

router = APIRouter(tags=["accounts"], route_class=StrictRoute)
public = APIRouter(tags=["accounts"], route_class=StrictRoute)

LOOPBACK = {"127.0.0.1", "localhost", "::1", "testserver"}
Password = Annotated[str, Field(max_length=100_000, repr=False)]


class Credentials(Body):
    """A name and its password."""

    name: str = Field(max_length=200)
    password: Password


class InvitationIn(Body):
    """Name and password of a new account; empty for somebody who is signed in."""

    name: str = Field("", max_length=200)
    password: Password = ""


class PasswordIn(Body):
    """The old password and the new one."""

    old_password: Password
    new_password: Password


class NewPasswordIn(Body):
    """The password that the holder of a link has chosen."""

    password: Password


class SessionOut(BaseModel):
    """Who is signed in, and the token that unsafe requests of the page must carry."""

    user: dict[str, Any]
    csrf_token: str
    expires_at: datetime | None = None
    project: int | None = None


@public.post("/session", status_code=201, response_model=SessionOut)
async def sign_in(body: Credentials, request: Request, response: Response, config: Config, db: Db) -> SessionOut:
    """Sign in with name and password."""
    check_same_site(request)
    check_transport(request, config)
    address = address_of(request)
    signed_in = await PASSWORDS.take(lambda: accounts.sign_in(db, config, body.name, body.password, address))
    set_cookie(request, response, signed_in)
    return _shown(signed_in)


@router.get("/session", response_model=SessionOut)
def show_session(request: Request, person: Caller) -> SessionOut:
    """Who is signed in."""
    user = {"id": person.id, "name": person.name, "admin": person.admin}
    return SessionOut(user=user, csrf_token=getattr(request.state, "csrf_token", ""))


@router.delete("/session", status_code=204)
def sign_out(request: Request, response: Response, person: Caller, db: Db) -> None:
    """Sign out; the session ends on the server."""
    if (secret := cookie_of(request)) is not None:
        with db.write() as session:
            sessions.end(session, secret)
    _forget_cookies(response)


@router.delete("/sessions", status_code=204)
def sign_out_everywhere(response: Response, person: Caller, db: Db, tokens: bool = False) -> None:
    """Sign out in every browser, this one too; with `tokens` the person's tokens end as well."""
    person.need("manage")
    if person.token_project is not None:
        raise Forbidden("a token that is bound to a project signs nobody out")
    with db.write() as session:
        sessions.end_everywhere(session, person, tokens=tokens)
    _forget_cookies(response)


@router.post("/session/password", status_code=204)
async def change_password(body: PasswordIn, request: Request, person: Caller, config: Config, db: Db) -> None:
    """Set a new password; other browsers are signed out, and the person's tokens end."""
    if person.scopes is not None:
        raise Forbidden("a token cannot change a password")
    old, new, address, keep = body.old_password, body.new_password, address_of(request), cookie_of(request)
    await PASSWORDS.take(lambda: accounts.change_password(db, config, person, old, new, address=address, keep=keep))


@public.post("/setup/{code}", status_code=201, response_model=SessionOut)
async def set_up(
    code: str, body: Credentials, request: Request, response: Response, config: Config, db: Db
) -> SessionOut:
    """Make the first admin with the one-time link that the server printed."""
    check_same_site(request)
    check_transport(request, config)

    def make() -> SignedIn:
        with attempts.counted(db, config, address_of(request)), db.write() as session:
            return accounts.set_up(session, config, code, body.name, body.password)

    signed_in = await PASSWORDS.take(make)
    set_cookie(request, response, signed_in)
    return _shown(signed_in)


@public.post("/invitations/{code}/accept", status_code=201, response_model=SessionOut)
async def accept_invitation(
    code: str,
    body: InvitationIn,
    request: Request,
    response: Response,
    person: MaybeCaller,
    config: Config,
    db: Db,
) -> SessionOut:
    """Join a project, with a new account or as the person who is signed in."""
    check_same_site(request)
    check_transport(request, config)

    def join() -> tuple[SignedIn | None, int]:
        with attempts.counted(db, config, address_of(request)), db.write() as session:
            return accounts.accept_invitation(session, config, code, body.name, body.password, person)

    signed_in, project = await PASSWORDS.take(join)
    if signed_in is None:
        assert person is not None
        user = {"id": person.id, "name": person.name, "admin": person.admin}
        return SessionOut(user=user, csrf_token=getattr(request.state, "csrf_token", ""), project=project)
    set_cookie(request, response, signed_in)
    return _shown(signed_in).model_copy(update={"project": project})


@public.post("/password/{code}", status_code=201, response_model=SessionOut)
async def reset_password(
    code: str, body: NewPasswordIn, request: Request, response: Response, config: Config, db: Db
) -> SessionOut:
    """Choose a new password with the link of an admin, and sign in; earlier sessions and tokens end."""
    check_same_site(request)
    check_transport(request, config)
    address = address_of(request)
    signed_in = await PASSWORDS.take(lambda: accounts.reset_password(db, config, code, body.password, address=address))
    set_cookie(request, response, signed_in)
    return _shown(signed_in)


def address_of(request: Request) -> str:
    """Where a request comes from: the other end of the connection, or what a trusted proxy says of it."""
    return request.client.host if request.client else ""


def _forget_cookies(response: Response) -> None:
    for name in (SECURE_COOKIE, PLAIN_COOKIE):
        response.delete_cookie(name, path="/")


def set_cookie(request: Request, response: Response, signed_in: SignedIn) -> None:
    """Hand the session's secret to the browser: `__Host-` and Secure on https, plain on http."""
    https = request.url.scheme == "https"
    response.set_cookie(
        SECURE_COOKIE if https else PLAIN_COOKIE,
        signed_in.secret,
        expires=signed_in.expires_at,
        path="/",
        secure=https,
        httponly=True,
        samesite="lax",
    )


def check_transport(request: Request, config: Settings) -> None:
    """Raise Forbidden for a password over plain http from another machine, unless a setting allows it."""
    host = request.url.hostname or ""
    if request.url.scheme != "https" and host not in LOOPBACK and not config.insecure_http:
        raise Forbidden("signing in over plain http is allowed on this machine only: use https, or --insecure-http")


def _shown(signed_in: SignedIn) -> SessionOut:
    return SessionOut(user=signed_in.user, csrf_token=signed_in.csrf_token, expires_at=signed_in.expires_at)
