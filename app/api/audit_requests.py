"""Audit items that a manager asks for now."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from app.api.bodies import Body, StrictRoute
from app.api.deps import Caller, Db
from app.services import audit_requests
from app.services.audit_requests import MOST, USUAL

router = APIRouter(tags=["loop"], route_class=StrictRoute)


class RequestIn(Body):
    """How many of the next items are to be audit items."""

    count: Annotated[int, Field(ge=1, le=MOST, strict=True)] = USUAL


class RequestOut(BaseModel):
    """A request that runs: `left` of `count` items have no answer yet, `in_hands` of these are given out."""

    model_config = ConfigDict(from_attributes=True)

    count: int
    left: int
    in_hands: int


class StandingOut(BaseModel):
    """The request that runs, null for none; `open` counts the audit items that may be given out, up to 1,000."""

    model_config = ConfigDict(from_attributes=True)

    request: RequestOut | None
    open: int
    words: str


@router.get("/projects/{project}/audit-request", response_model=StandingOut)
def show_audit_request(project: str, person: Caller, db: Db) -> StandingOut:
    """The audit items that were asked for and are not answered yet, and how many may be asked for (managers)."""
    with db.read() as session:
        return StandingOut.model_validate(audit_requests.show(session, person, project))


@router.post("/projects/{project}/audit-request", status_code=201, response_model=StandingOut)
def ask_for_audit_items(project: str, body: RequestIn, person: Caller, db: Db) -> StandingOut:
    """Let the next `count` items that are served be audit items, 40 unless given (managers)."""
    person.need("manage")
    with db.write() as session:
        return StandingOut.model_validate(audit_requests.begin(session, person, project, body.count))


@router.delete("/projects/{project}/audit-request", status_code=204)
def cancel_audit_request(project: str, person: Caller, db: Db) -> None:
    """Go back to the audit share; what people hold stays theirs (managers)."""
    person.need("manage")
    with db.write() as session:
        audit_requests.cancel(session, person, project)
