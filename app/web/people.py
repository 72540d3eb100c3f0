"""Who works on a project, accounts, tokens, which project may read which bucket, and who did what."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.api.deps import Db
from app.core.errors import Forbidden
from app.services import accounts, projects
from app.web.pages import PageRoute, Visitor, page, project_view

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/projects/{project}/people")
def people(request: Request, project: str, visitor: Visitor, db: Db) -> Response:
    """Members, roles, invitation links."""
    with db.read() as session:
        found = project_view(session, visitor, project, "manager")
    return page(request, "people.html", visitor, project=found, config={"project": found, "me": {"id": visitor.id}})


@router.get("/account")
def account(request: Request, visitor: Visitor, db: Db) -> Response:
    """A person's own password, signed-in browsers and stored data."""
    with db.read() as session:
        protected = accounts.has_password(session, visitor)
    me = {"id": visitor.id, "name": visitor.name, "password": protected}
    return page(request, "account.html", visitor, config={"me": me})


@router.get("/accounts")
def everybody(request: Request, visitor: Visitor) -> Response:
    """Everybody with an account (admins)."""
    if not visitor.admin:
        raise Forbidden("only an admin manages accounts")
    return page(request, "accounts.html", visitor, config={"me": {"id": visitor.id}})


@router.get("/tokens")
def tokens(request: Request, visitor: Visitor, db: Db) -> Response:
    """A person's own tokens for scripts."""
    with db.read() as session:
        mine = [{"id": each.id, "name": each.name} for each in projects.listed(session, visitor)]
    return page(request, "tokens.html", visitor, config={"projects": mine})


@router.get("/buckets")
def buckets(request: Request, visitor: Visitor, db: Db) -> Response:
    """The buckets that the operator has named, and the projects that may read them (admins)."""
    if not visitor.admin:
        raise Forbidden("only an admin says which project may read a bucket")
    with db.read() as session:
        every = [{"id": each.id, "slug": each.slug, "name": each.name} for each in projects.listed(session, visitor)]
    return page(request, "buckets.html", visitor, config={"projects": every})


@router.get("/audit-log")
def audit_log(request: Request, visitor: Visitor, db: Db) -> Response:
    """Who did what, newest first (admins)."""
    if not visitor.admin:
        raise Forbidden("only an admin reads the audit log")
    with db.read() as session:
        every = [{"id": each.id, "slug": each.slug, "name": each.name} for each in projects.listed(session, visitor)]
    return page(request, "audit-log.html", visitor, config={"projects": every})
