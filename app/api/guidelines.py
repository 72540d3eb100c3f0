"""The guidelines of a project, version by version."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict

from app.api.bodies import StrictRoute
from app.api.deps import Caller, Db
from app.core.text import INT64_MAX
from app.services import guidelines

router = APIRouter(tags=["projects"], route_class=StrictRoute)
Number = Annotated[int, Path(gt=0, le=INT64_MAX)]


class VersionOut(BaseModel):
    """One version of the guidelines; answers name it as `guidelines_version`."""

    model_config = ConfigDict(from_attributes=True)

    version: int
    author: str | None
    created_at: datetime
    text: str


class VersionsOut(BaseModel):
    """All versions, newest first."""

    items: list[VersionOut]


class LineOut(BaseModel):
    """A line of a comparison: `same`, `added`, `removed`, or a `gap` where unchanged lines are left out."""

    model_config = ConfigDict(from_attributes=True)

    kind: str
    text: str


class DiffOut(BaseModel):
    """What a version changed, line by line; empty where it changed nothing."""

    version: int
    against: int
    lines: list[LineOut]


@router.get("/projects/{project}/guidelines", response_model=VersionsOut)
def list_guidelines(project: str, person: Caller, db: Db) -> VersionsOut:
    """Every version of the guidelines with author and time, newest first (reviewers and managers)."""
    with db.read() as session:
        found = guidelines.listed(session, person, project)
        return VersionsOut(items=[VersionOut.model_validate(each) for each in found])


@router.get("/projects/{project}/guidelines/{version}/changes", response_model=DiffOut)
def compare_guidelines(
    project: str,
    version: Number,
    person: Caller,
    db: Db,
    against: Annotated[int | None, Query(ge=0, le=INT64_MAX)] = None,
) -> DiffOut:
    """What a version changed against another one; unless given, against the one before it."""
    before = version - 1 if against is None else against
    with db.read() as session:
        lines = guidelines.compared(session, person, project, version, before)
        return DiffOut(version=version, against=before, lines=[LineOut.model_validate(each) for each in lines])
