"""Two learners of one project, compared on the items that judge it."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from app.api.bodies import Body, StrictRoute
from app.api.deps import Caller, Config, Db
from app.api.loop import AnyOut, StartedOut
from app.core.text import INT64_MAX
from app.services import contenders

router = APIRouter(tags=["loop"], route_class=StrictRoute)
Number = Annotated[int, Path(gt=0, le=INT64_MAX)]


class ContestIn(Body):
    """Two learners, each by name with its parameters, as the project's `learner` is set."""

    learners: list[dict[str, Any]] = Field(
        min_length=2, max_length=2, examples=[[{"name": "ridge"}, {"name": "logistic"}]]
    )


class ContestOut(BaseModel):
    """A comparison that was asked for; `reason` says why it failed."""

    id: int
    state: str
    learners: list[dict[str, Any]]
    created_at: datetime
    reason: str | None


class ContestsOut(BaseModel):
    """The newest comparisons, newest first."""

    items: list[ContestOut]


@router.post("/projects/{project}/learner-comparisons", status_code=202, response_model=StartedOut)
def compare_learners(project: str, body: ContestIn, person: Caller, config: Config, db: Db) -> StartedOut:
    """Fit two learners to the labels of now, and judge both on the same items (managers); a job does it."""
    person.need("manage")
    with db.write() as session:
        job = contenders.enqueue(session, config, person, project, body.learners)
    return StartedOut(job={"id": job, "state": "waiting"})


@router.get("/projects/{project}/learner-comparisons", response_model=ContestsOut)
def list_learner_comparisons(project: str, person: Caller, db: Db) -> ContestsOut:
    """The newest comparisons of two learners (managers)."""
    with db.read() as session:
        return ContestsOut(items=[ContestOut(**each) for each in contenders.listed(session, person, project)])


@router.get("/projects/{project}/learner-comparisons/{job}", response_model=AnyOut)
def show_learner_comparison(project: str, job: Number, person: Caller, db: Db) -> Any:
    """A comparison by its job: the difference with its interval, class by class, and what changed hands (managers)."""
    with db.read() as session:
        return contenders.show(session, person, project, job)
