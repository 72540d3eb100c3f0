"""Users and tokens."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from app.api.bodies import Body, StrictRoute
from app.api.deps import Caller, Db
from app.api.pages import Cursor, Limit, seal, unseal
from app.api.turns import PASSWORDS
from app.core.text import INT64_MAX
from app.services import accounts, audit, people, personal
from app.services.access import project_for

router = APIRouter(tags=["accounts"], route_class=StrictRoute)
Number = Annotated[int, Path(gt=0, le=INT64_MAX)]


class UserIn(Body):
    """A new account."""

    name: str = Field(max_length=200)
    password: str = Field(max_length=100_000, repr=False)
    admin: bool = False


class UserChange(Body):
    """What may be changed of an account."""

    active: bool | None = None
    admin: bool | None = None


class UserOut(BaseModel):
    """An account."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    admin: bool
    active: bool
    created_at: datetime
    erased_at: datetime | None


class LinkOut(BaseModel):
    """A link that works once, and when it ends; it is shown this once."""

    url: str
    expires_at: datetime


class TokenIn(Body):
    """A new token: what it may do, where, and for how many seconds."""

    name: str = Field(max_length=200)
    scopes: list[str] = Field(default_factory=lambda: list(accounts.SCOPES), max_length=10)
    project: int | str | None = None
    expires_in: float | None = Field(None, gt=0, le=10 * 365 * 86_400)


class TokenOut(BaseModel):
    """A token without its secret; its last use is noted once a minute."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    scopes: list[str]
    project_id: int | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class NewToken(TokenOut):
    """A token with its secret, shown this once."""

    token: str


class UsersOut(BaseModel):
    """Everybody."""

    items: list[UserOut]
    next: str | None = None


class TokensOut(BaseModel):
    """The caller's tokens."""

    items: list[TokenOut]
    next: str | None = None


class PersonOut(BaseModel):
    """All that is stored about a person, by the kind of row; see `docs/personal-data.md`."""

    user: dict[str, Any]
    projects: list[dict[str, Any]]
    tokens: list[dict[str, Any]]
    sessions: list[dict[str, Any]]
    links: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    answers: list[dict[str, Any]]
    leases: list[dict[str, Any]]
    notes: list[dict[str, Any]]
    guidelines: list[dict[str, Any]]
    jobs: list[dict[str, Any]]
    snapshots: list[dict[str, Any]]
    simulations: list[dict[str, Any]]
    predictions: list[dict[str, Any]]
    buckets: list[dict[str, Any]]
    webhooks: list[dict[str, Any]]
    events: list[dict[str, Any]]


class AuditOut(BaseModel):
    """Lines of the audit log, newest first."""

    items: list[dict[str, Any]]
    next: str | None


@router.get("/users", response_model=UsersOut)
def list_users(request: Request, person: Caller, db: Db, limit: Limit = 200, cursor: Cursor = None) -> UsersOut:
    """Everybody with an account (admins)."""
    behind = 0 if cursor is None else int(unseal(request, person, cursor))
    with db.read() as session:
        rows = accounts.users(session, person, limit + 1, behind)
        more = seal(request, person, str(rows[limit - 1].id)) if len(rows) > limit else None
        return UsersOut(items=[UserOut.model_validate(user) for user in rows[:limit]], next=more)


@router.post("/users", status_code=201, response_model=UserOut)
async def create_user(body: UserIn, person: Caller, db: Db) -> UserOut:
    """Add a person (admins)."""
    accounts.need_admin(person)

    def make() -> UserOut:
        with db.write() as session:
            return UserOut.model_validate(
                accounts.create_user(session, body.name, body.password, admin=body.admin, by=person.id)
            )

    return await PASSWORDS.take(make)


@router.patch("/users/{user}", response_model=UserOut)
def change_user(user: Number, body: UserChange, person: Caller, db: Db) -> UserOut:
    """Switch a person off or on, or make an admin (admins)."""
    with db.write() as session:
        return UserOut.model_validate(accounts.change_user(session, person, user, body.active, body.admin))


@router.post("/users/{user}/password-link", status_code=201, response_model=LinkOut)
def make_password_link(user: Number, request: Request, person: Caller, db: Db) -> LinkOut:
    """A link with which a person who forgot the password chooses a new one within a day (admins)."""
    with db.write() as session:
        code, ends = accounts.password_link(session, person, user)
    return LinkOut(url=f"{request.url.scheme}://{request.headers.get('host')}/password/{code}", expires_at=ends)


@router.delete("/users/{user}", status_code=204)
def erase_user(user: Number, person: Caller, db: Db, answers: bool = False) -> None:
    """Erase a person; the answers stay under a pseudonym, or go too with `answers` (admins)."""
    with db.write() as session:
        people.erase(session, person, user, answers=answers)


@router.get("/users/{user}/export", response_model=PersonOut)
def export_user(user: Number, person: Caller, db: Db) -> PersonOut:
    """Everything that is stored about a person, for that person and for admins."""
    with db.read() as session:
        found = PersonOut(**personal.export(session, person, user))
    with db.write() as session:
        audit.record(session, "user.exported", person.id, user=user)
    return found


@router.get("/audit-log", response_model=AuditOut)
def show_audit_log(request: Request, person: Caller, db: Db, limit: Limit = 50, cursor: Cursor = None) -> AuditOut:
    """Who did what, newest first (admins)."""
    before = None if cursor is None else int(unseal(request, person, cursor))
    with db.read() as session:
        lines = people.audit_log(session, person, before, limit + 1)
    more = seal(request, person, str(lines[limit - 1]["id"])) if len(lines) > limit else None
    return AuditOut(items=lines[:limit], next=more)


@router.get("/tokens", response_model=TokensOut)
def list_tokens(request: Request, person: Caller, db: Db, limit: Limit = 200, cursor: Cursor = None) -> TokensOut:
    """The caller's own tokens, each with when it was last used (noted once a minute)."""
    behind = 0 if cursor is None else int(unseal(request, person, cursor))
    with db.read() as session:
        rows = accounts.tokens(session, person, limit + 1, behind)
        more = seal(request, person, str(rows[limit - 1].id)) if len(rows) > limit else None
        return TokensOut(items=[TokenOut.model_validate(token) for token in rows[:limit]], next=more)


@router.post("/tokens", status_code=201, response_model=NewToken)
def create_token(body: TokenIn, person: Caller, db: Db) -> NewToken:
    """Make a token; its secret is in this answer and nowhere else."""
    person.need("manage")
    lasts = timedelta(seconds=body.expires_in) if body.expires_in else None
    with db.write() as session:
        bound = body.project if person.token_project is None else person.token_project
        project = project_for(session, person, bound).id if bound is not None else None
        token, secret = accounts.create_token(session, person.id, body.name, body.scopes, project, lasts, person)
        return NewToken(**TokenOut.model_validate(token).model_dump(), token=secret)


@router.delete("/tokens/{token}", status_code=204)
def delete_token(token: Number, person: Caller, db: Db) -> None:
    """End a token."""
    person.need("manage")
    with db.write() as session:
        accounts.delete_token(session, person, token)
