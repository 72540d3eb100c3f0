"""The way in by a printed link."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse

from app.api.deps import Config, Db
from app.api.session import address_of, check_transport, set_cookie
from app.services import accounts, attempts
from app.web.pages import PageRoute

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/enter/{code}")
def enter(code: str, request: Request, config: Config, db: Db) -> RedirectResponse:
    """Use a one-time sign-in link and go to the project that it opens."""
    check_transport(request, config)
    with attempts.counted(db, config, address_of(request)), db.write() as session:
        signed_in, project_id = accounts.enter(session, config, code)
    response = RedirectResponse("/projects" if project_id is None else f"/projects/{project_id}", status_code=303)
    set_cookie(request, response, signed_in)
    return response
