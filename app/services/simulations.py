"""Simulations of a project: asked for, shown while they run, taken up again, and their winner applied.

All of it is for managers: what is held out tells which items are in the audit share.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, defer

from app.core.errors import Conflict, Invalid, NotFound
from app.core.settings import Settings
from app.db import Database, Job, Project, Simulation, SimulationRun, User, WriteSession
from app.db.session import now
from app.loop.named import Named, with_baseline
from app.loop.outcome import Target, outcome
from app.loop.reporting import csv_lines, svg
from app.loop.sets import MOST_IMBALANCE
from app.loop.simulate import Run
from app.services import audit, fetches, jobs, projects, replaying, tasks
from app.services.access import Person, project_for
from app.strategies import AUTO

KIND = "compare"
LIVE = ("waiting", "running")
MOST_STRATEGIES, MOST_SEEDS, MOST_ROUND_SIZE = 8, 30, 500
MOST_ROUNDS = 10_000  # of all runs together: some tens of minutes of a worker's spare time
USUAL_LABELS, USUAL_SEEDS, USUAL_ROUND_SIZE = 200, 10, 20


@dataclass(frozen=True)
class Design:
    """What is asked for. `labels` of None is 200, or half of the pool where that is less."""

    strategies: Sequence[dict[str, Any]]
    seeds: int = USUAL_SEEDS
    labels: int | None = None
    round_size: int = USUAL_ROUND_SIZE
    noise: float = 0.0
    imbalance: float = 1.0
    target: float | None = None


@dataclass(frozen=True)
class Shown:
    """A simulation as the API shows it; `found` is its outcome so far, where it was asked for."""

    id: int
    state: str
    reason: str | None
    job: int
    progress: dict[str, Any] | None
    design: dict[str, Any]
    judged_by: str
    pool_items: int
    test_items: int
    created_by: str | None
    created_at: datetime
    applied_at: datetime | None
    in_force: bool
    found: dict[str, Any] | None = None


def start(db: Database, settings: Settings, person: Person, ref: int | str, given: Design) -> tuple[int, int]:
    """Freeze the set and ask for its replays; the ids of the simulation and of its job.

    The answers are read before the transaction, so that nobody waits for it. Cost: O(answers).

    Raises:
        Invalid: too few labelled items, a strategy that there is not, or more than the limits allow.
        Conflict: a simulation of this project waits or runs, or the items have no features yet.
    """
    person.need("manage")
    strategies = [each.settings() for each in with_baseline(Named.of(each) for each in given.strategies)]
    with db.read() as session:
        project = project_for(session, person, ref, "manager")
        for each in strategies:
            projects.check_question(each, tasks.driving_spec(project))
        several = tasks.several(project)
        found = replaying.drawn(session, settings, project)
        project_id, audit_share = project.id, project.audit_share
    design = _design(given, strategies, found, several) | {"audit_share": audit_share, "learner": found.learner}
    with db.write() as session:
        project = session.get_one(Project, project_id)
        session.refresh(project, with_for_update=True)
        _none_live(session, project_id)
        job = jobs.enqueue(session, KIND, project_id, created_by=person.id)
        assert job is not None  # only rounds and featurize passes wait once
        made = Simulation(
            project_id=project_id,
            job_id=job,
            design=design,
            items=found.rows,
            classes=found.class_ids,
            features=found.features.version,
            judged_by=found.judged_by,
            pool_rows=found.count(held_out=False),
            test_rows=found.count(held_out=True),
            created_by=person.id,
            created_at=now(session),
        )
        session.add(made)
        session.flush()
        audit.record(session, "simulation.started", person.id, project_id=project_id, simulation=made.id)
        return made.id, job


def _design(given: Design, strategies: list[dict[str, Any]], found: replaying.Drawn, several: bool) -> dict[str, Any]:
    rows = found.count(held_out=False)
    labels = given.labels if given.labels is not None else max(2, min(USUAL_LABELS, rows // 2))
    limits = {
        "strategies": (len(strategies), 2, MOST_STRATEGIES),
        "seeds": (given.seeds, 1, MOST_SEEDS),
        "labels": (labels, 2, min(replaying.MOST_LABELS, rows)),
        "round_size": (given.round_size, 1, MOST_ROUND_SIZE),
        "noise": (given.noise, 0, 0.9),
        "imbalance": (given.imbalance, 1, 1 if several else MOST_IMBALANCE),
        "target": (1 if given.target is None else given.target, 0.01, 1),
    }
    for name, (value, lowest, highest) in limits.items():
        if not lowest <= value <= highest:
            why = f", of {rows:,} labelled items that can be replayed" if name == "labels" else ""
            raise Invalid(f"{name} is from {lowest:g} to {highest:,g}{why}", fields={name: value})
    rounds = len(strategies) * given.seeds * (-(-labels // given.round_size) + 1)
    if rounds > MOST_ROUNDS:
        raise Invalid(
            f"that makes {rounds:,} rounds, and {MOST_ROUNDS:,} is the most: take fewer seeds, strategies or labels, "
            "or larger rounds",
            fields={"rounds": rounds},
        )
    return {
        "strategies": strategies,
        "seeds": given.seeds,
        "labels": labels,
        "round_size": given.round_size,
        "noise": given.noise,
        "imbalance": given.imbalance,
        "target": given.target,
    }


def _none_live(session: Session, project_id: int) -> None:
    live = select(Job.id).where(Job.project_id == project_id, Job.kind == KIND, Job.state.in_(LIVE)).limit(1)
    if session.execute(live).first() is not None:
        raise Conflict("a simulation of this project waits or runs: stop it, or wait for its end")


def ready(session: Session, settings: Settings, person: Person, ref: int | str) -> dict[str, Any]:
    """Whether there are labels enough to begin: how many there are, how many it takes, and what would be replayed."""
    project = project_for(session, person, ref, "manager")
    seen = replaying.readiness(session, settings, project)
    drawn = seen.found
    return {
        "labelled": seen.labelled,
        "needed": seen.needed,
        "reason": seen.reason,
        "judged_by": drawn and drawn.judged_by,
        "pool_items": drawn and drawn.count(held_out=False),
        "test_items": drawn and drawn.count(held_out=True),
    }


def listed(session: Session, person: Person, ref: int | str, limit: int, before: int | None) -> Sequence[Shown]:
    """Simulations with ids below `before`, newest first, without their outcomes."""
    project = project_for(session, person, ref, "manager")
    statement = _select(project).order_by(Simulation.id.desc()).limit(limit)
    rows = session.execute(statement if before is None else statement.where(Simulation.id < before))
    return [_shown(project, row) for row in rows]


def one(session: Session, person: Person, ref: int | str, number: int) -> Shown:
    """A simulation with its outcome so far; raises NotFound. Cost: 2,000 bootstrap draws a strategy."""
    project, row = _found(session, person, ref, number)
    return _shown(project, row, _outcome(session, row.Simulation))


def resume(session: WriteSession, person: Person, ref: int | str, number: int) -> int:
    """Go on with one that was stopped or failed, from its last finished run; the new job's id.

    Raises:
        Conflict: it runs, is done, or another one of the project runs.
    """
    person.need("manage")
    project, row = _found(session, person, ref, number)
    if row.job_state == "done":
        raise Conflict("this simulation is done")
    session.refresh(project, with_for_update=True)
    _none_live(session, project.id)
    job = jobs.enqueue(session, KIND, project.id, created_by=person.id)
    assert job is not None
    row.Simulation.job_id = job
    return job


def apply(session: WriteSession, person: Person, ref: int | str, number: int) -> Project:
    """Write the winner and its parameters into the project's settings; the next round uses it.

    Raises:
        Conflict: the simulation is not done, or nobody won.
        Invalid: the project's question or learner has changed, and the winner cannot run with it.
    """
    person.need("manage")
    project, row = _found(session, person, ref, number)
    if row.job_state != "done":
        raise Conflict("the simulation is not done yet")
    winner = _winner(session, row.Simulation)
    before = project.strategy
    projects.change(session, person, project.id, {"strategy": dict(winner)}, None)
    row.Simulation.applied, row.Simulation.applied_at = project.strategy, now(session)
    told = {"simulation": number, "strategy": winner, "before": before}
    audit.record(session, "simulation.applied", person.id, project_id=project.id, **told)
    return project


def _winner(session: Session, simulation: Simulation) -> dict[str, Any]:
    """The settings of the strategy that won; raises Conflict for none."""
    found = _outcome(session, simulation)["verdict"]
    if found["winner"] is None:
        raise Conflict(f"nobody won: {found['text'][0].lower()}{found['text'][1:].rstrip('.')}")
    named = [Named.of(each) for each in simulation.design["strategies"]]
    return next(each.settings() for each in named if each.title == found["winner"])


def remove(session: WriteSession, person: Person, ref: int | str, number: int) -> None:
    """Delete a simulation with its runs; one that runs is stopped."""
    person.need("manage")
    project, row = _found(session, person, ref, number)
    if row.job_state in LIVE:
        fetches.cancel(session, row.Simulation.job_id)
    session.execute(delete(SimulationRun).where(SimulationRun.simulation_id == row.Simulation.id))
    session.execute(delete(Simulation).where(Simulation.id == row.Simulation.id))
    audit.record(session, "simulation.deleted", person.id, project_id=project.id, simulation=row.Simulation.id)


def curves(session: Session, person: Person, ref: int | str, number: int) -> Iterator[str]:
    """Every accuracy of every finished run as lines of CSV."""
    _, row = _found(session, person, ref, number)
    return csv_lines(_runs(session, row.Simulation))


def picture(session: Session, person: Person, ref: int | str, number: int) -> str:
    """The curves with their bands as an SVG file."""
    project, row = _found(session, person, ref, number)
    return svg(_outcome(session, row.Simulation), f"{project.name}: simulation {number}")


def in_force(session: Session, project: Project) -> tuple[int, datetime] | None:
    """The simulation whose winner the project's strategy is, and when it was applied; None for others, and `auto`."""
    applied = (
        select(Simulation.id, Simulation.applied_at, Simulation.applied)
        .where(Simulation.project_id == project.id, Simulation.applied_at.is_not(None))
        .order_by(Simulation.applied_at.desc())
        .limit(1)
    )
    row = session.execute(applied).first()
    if row is None or row.applied != project.strategy or row.applied.get("name") == AUTO:
        return None
    return row.id, row.applied_at


def _outcome(session: Session, simulation: Simulation) -> dict[str, Any]:
    design = simulation.design
    titles = [Named.of(each).title for each in design["strategies"]]
    target = Target.of(simulation.full_accuracy or 1.0, design["target"])
    return outcome(_runs(session, simulation), titles, target, design["labels"])


def _runs(session: Session, simulation: Simulation) -> list[Run]:
    found = replaying.finished_runs(session, simulation)
    return [found[at] for at in sorted(found)]


def _select(project: Project) -> Any:
    columns = (Job.state.label("job_state"), Job.reason.label("job_reason"), Job.progress, User.name.label("maker"))
    return (
        select(Simulation, *columns)
        .options(defer(Simulation.items))
        .join(Job, Job.id == Simulation.job_id)
        .outerjoin(User, User.id == Simulation.created_by)
        .where(Simulation.project_id == project.id)
    )


def _found(session: Session, person: Person, ref: int | str, number: int) -> tuple[Project, Any]:
    project = project_for(session, person, ref, "manager")
    row = session.execute(_select(project).where(Simulation.id == number)).first()
    if row is None:
        raise NotFound("there is no such simulation")
    return project, row


def _shown(project: Project, row: Any, found: dict[str, Any] | None = None) -> Shown:
    stored: Simulation = row.Simulation
    return Shown(
        id=stored.id,
        state=row.job_state,
        reason=row.job_reason if row.job_state in ("failed", "cancelled") else None,
        job=stored.job_id,
        progress=row.progress,
        design=stored.design,
        judged_by=stored.judged_by,
        pool_items=stored.pool_rows,
        test_items=stored.test_rows,
        created_by=row.maker,
        created_at=stored.created_at,
        applied_at=stored.applied_at,
        in_force=stored.applied is not None and project.strategy == stored.applied,
        found=found,
    )
