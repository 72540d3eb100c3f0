"""Simulations over REST: which query strategy would have saved most of the labels that a project has."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.api import files
from app.api.bodies import Body, StrictRoute
from app.api.deps import Caller, Config, Db
from app.api.loop import StartedOut
from app.api.pages import Cursor, Limit, seal, unseal
from app.core.text import INT64_MAX
from app.services import simulations

router = APIRouter(tags=["loop"], route_class=StrictRoute)
Number = Annotated[int, Path(gt=0, le=INT64_MAX)]
WRITTEN: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
DRAWN: dict[int | str, dict[str, Any]] = {200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}}}


class SimulationIn(Body):
    """What to compare. `random` is always among the strategies; without `labels` it is 200, or half of the pool.

    `noise` is the share of wrong answers, `imbalance` how many times the smallest class the largest one is made,
    `target` the accuracy that labels are counted to (nine tenths of that with every label unless given).
    """

    strategies: list[dict[str, Any]] = Field(
        min_length=1, max_length=20, examples=[[{"name": "auto"}, {"name": "margin"}]]
    )
    seeds: int = simulations.USUAL_SEEDS
    labels: int | None = None
    round_size: int = simulations.USUAL_ROUND_SIZE
    noise: float = Field(0.0, allow_inf_nan=False)
    imbalance: float = Field(1.0, allow_inf_nan=False)
    target: float | None = Field(None, allow_inf_nan=False)


class SimulationOut(BaseModel):
    """A simulation. `found` is the outcome of its runs so far: `target`, `strategies`, `beats`, `verdict`.

    `judged_by` is what is held out: the client's own test set (`imported`), the `audit` answers, or a `drawn` quarter.
    `in_force`: its winner is the project's strategy.
    """

    model_config = ConfigDict(from_attributes=True)

    id: int
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    reason: str | None
    job: int
    progress: dict[str, Any] | None
    design: dict[str, Any]
    judged_by: Literal["imported", "audit", "drawn"]
    pool_items: int
    test_items: int
    created_by: str | None
    created_at: datetime
    applied_at: datetime | None
    in_force: bool
    found: dict[str, Any] | None


class SimulationsOut(BaseModel):
    """Simulations, newest first, without their outcomes."""

    items: list[SimulationOut]
    next: str | None


class ReadyOut(BaseModel):
    """Whether there are labels enough: `labelled` of `needed`, and in `reason` what is in the way, if anything is."""

    labelled: int | None
    needed: int
    reason: str | None
    judged_by: Literal["imported", "audit", "drawn"] | None
    pool_items: int | None
    test_items: int | None


class BegunOut(StartedOut):
    """The simulation and the job that does the work."""

    simulation: int


class AppliedOut(BaseModel):
    """The strategy that the project has now."""

    strategy: dict[str, Any]


@router.get("/projects/{project}/simulations/ready", response_model=ReadyOut)
def show_readiness(project: str, person: Caller, config: Config, db: Db) -> dict[str, Any]:
    """Whether the project has labels enough to simulate, and what would be replayed (managers)."""
    with db.read() as session:
        return simulations.ready(session, config, person, project)


@router.post("/projects/{project}/simulations", status_code=202, response_model=BegunOut)
def start_simulation(project: str, body: SimulationIn, person: Caller, config: Config, db: Db) -> BegunOut:
    """Replay the labelled items with several strategies and seeds, in the worker's spare time (managers)."""
    made, job = simulations.start(db, config, person, project, simulations.Design(**body.model_dump()))
    return BegunOut(simulation=made, job={"id": job, "state": "waiting", "progress": None, "reason": None})


@router.get("/projects/{project}/simulations", response_model=SimulationsOut)
def list_simulations(
    project: str, request: Request, person: Caller, db: Db, limit: Limit = 50, cursor: Cursor = None
) -> SimulationsOut:
    """Simulations, newest first, without their outcomes (managers)."""
    before = None if cursor is None else int(unseal(request, person, cursor))
    with db.read() as session:
        rows = simulations.listed(session, person, project, limit + 1, before)
    more = seal(request, person, str(rows[limit - 1].id)) if len(rows) > limit else None
    return SimulationsOut(items=[SimulationOut.model_validate(row) for row in rows[:limit]], next=more)


@router.get("/projects/{project}/simulations/{simulation}", response_model=SimulationOut)
def show_simulation(project: str, simulation: Number, person: Caller, db: Db) -> SimulationOut:
    """A simulation with the outcome of its runs so far (managers)."""
    with db.read() as session:
        return SimulationOut.model_validate(simulations.one(session, person, project, simulation))


@router.post("/projects/{project}/simulations/{simulation}/resume", status_code=202, response_model=StartedOut)
def resume_simulation(project: str, simulation: Number, person: Caller, db: Db) -> StartedOut:
    """Go on with a simulation that was stopped or failed, behind its finished runs (managers)."""
    with db.write() as session:
        return StartedOut(job={"id": simulations.resume(session, person, project, simulation), "state": "waiting"})


@router.post("/projects/{project}/simulations/{simulation}/apply", response_model=AppliedOut)
def apply_simulation(project: str, simulation: Number, person: Caller, db: Db) -> AppliedOut:
    """Make the winner, with its parameters, the project's strategy; 409 where nobody won (managers)."""
    with db.write() as session:
        return AppliedOut(strategy=simulations.apply(session, person, project, simulation).strategy)


@router.delete("/projects/{project}/simulations/{simulation}", status_code=204)
def delete_simulation(project: str, simulation: Number, person: Caller, db: Db) -> None:
    """Delete a simulation with its runs; one that runs is stopped (managers)."""
    with db.write() as session:
        simulations.remove(session, person, project, simulation)


@router.get("/projects/{project}/simulations/{simulation}/curves.csv", response_model=None, responses=WRITTEN)
def export_simulation(project: str, simulation: Number, person: Caller, db: Db) -> Response:
    """Every accuracy of every finished run as CSV (managers)."""
    with db.read() as session:
        lines = simulations.curves(session, person, project, simulation)
    return files.kept(lines, "text/csv", f"simulation-{simulation}.csv")


@router.get("/projects/{project}/simulations/{simulation}/curves.svg", response_model=None, responses=DRAWN)
def draw_simulation(project: str, simulation: Number, person: Caller, db: Db) -> Response:
    """The curves with their bands as a picture (managers)."""
    with db.read() as session:
        picture = simulations.picture(session, person, project, simulation)
    return files.kept(picture.encode(), "image/svg+xml", f"simulation-{simulation}.svg")
