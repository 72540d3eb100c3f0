"""The race of the demo's simulated annotators as a job, and what its page shows of it; see `race`."""

import time
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.block import Block, Rows
from app.core.errors import Conflict, Invalid
from app.db import Item, Job, Project, WriteSession
from app.services import demo, digits, jobs, pool, race
from app.services.access import Person, project_for
from app.services.jobs import Done, JobFailed, More, Running

RACE_LABELS = 200
LARGEST_RACE = 600
SLICE_SECONDS = 1.5


def start(session: WriteSession, person: Person, project_ref: int | str, labels: int = RACE_LABELS) -> int:
    """Let the two simulated annotators begin; the job's id. One that runs already is not started again.

    Raises:
        Conflict: the project is not the demo, or its pictures are still being read.
    """
    project = demo.of(session, person, project_ref)
    if not 2 * race.STEP <= labels <= LARGEST_RACE:
        raise Invalid(f"labels is {2 * race.STEP} to {LARGEST_RACE}", fields={"labels": labels})
    if not demo.has_features(session, project.id):
        raise Conflict("the pictures are still being read: try again in a moment, or check that a worker is running")
    running = session.execute(
        select(Job.id).where(
            Job.project_id == project.id, Job.kind == "simulate", Job.state.in_(("waiting", "running"))
        )
    ).scalar()
    if running is not None:
        return running
    job_id = jobs.enqueue(session, "simulate", project.id, {"labels": labels}, created_by=person.id)
    assert job_id is not None  # only rounds and featurize passes wait at most once
    return job_id


def last(session: Session, person: Person, project_ref: int | str) -> dict[str, Any]:
    """The newest race: state, how many labels it goes to, the points of both curves so far."""
    project = project_for(session, person, project_ref)
    job = session.execute(
        select(Job).where(Job.project_id == project.id, Job.kind == "simulate").order_by(Job.id.desc()).limit(1)
    ).scalar_one_or_none()
    ready = demo.has_features(session, project.id)
    if job is None:
        return {"state": "none", "ready": ready, "labels": RACE_LABELS, "points": {arm: [] for arm in race.ARMS}}
    points = (job.progress or {}).get("points") or {arm: [] for arm in race.ARMS}
    labels = job.payload.get("labels", RACE_LABELS)
    return {"state": job.state, "ready": ready, "labels": labels, "points": points, "reason": job.reason}


def random_arm(session: Session, project_id: int) -> dict[int, dict[str, Any] | None]:
    """Accuracy by number of labels of the newest finished race's random annotator."""
    points = session.execute(
        select(Job.result["points"]["random"])
        .where(Job.project_id == project_id, Job.kind == "simulate", Job.state == "done")
        .order_by(Job.id.desc())
        .limit(1)
    ).scalar()
    return {each["labels"]: each["accuracy"] for each in points or ()}


def run(running: Running) -> Done | More:
    """Work one slice of the race; the points so far are its progress.

    Raises:
        JobFailed: the project is gone or has no features.
    """
    field_ = _field(running)
    state = race.Race.from_json(running.cursor)
    goal = int(running.payload.get("labels", RACE_LABELS))
    deadline = time.monotonic() + SLICE_SECONDS
    for _ in race.run(state, field_, goal):
        with running.db.write() as session:
            running.checkpoint(session, state.to_json(), _progress(state, goal))
        if time.monotonic() > deadline:
            return More()
    return Done({"points": state.points})


def _progress(state: race.Race, goal: int) -> dict[str, Any]:
    done = state.labels()
    return {"step": "simulate", "fraction": round(done / goal, 3), "done": done, "total": goal, "points": state.points}


def _field(running: Running) -> race.Field:
    assert running.project_id is not None
    with running.db.read() as session:
        project = session.get(Project, running.project_id)
        if project is None or project.deleted_at is not None:
            raise JobFailed("the project is gone")
        features = pool.active(session, running.settings, project.id)
        items = session.execute(
            select(Item.id, Item.key, Item.split).where(Item.project_id == project.id, Item.state == "open")
        ).all()
    if features is None:
        raise JobFailed("the pictures have no features yet")
    # The simulated annotators know the truth from scikit-learn; the project's rows hold the pictures only.
    truths = digits.load().target
    known = {
        row.id: (int(truths[digits.number(row.key)]), row.split == "audit") for row in items if digits.is_ours(row.key)
    }
    parts = [shard.load() for shard in features.opened()]
    rows = Rows(np.concatenate([part.ids for part in parts]), Block.concatenate([part.block for part in parts]))
    kept = np.flatnonzero([int(item) in known for item in rows.ids[:, 0]])
    rows = Rows(rows.ids[kept], rows.block.take(kept))
    truth, test = zip(*(known[int(item)] for item in rows.ids[:, 0]), strict=True)
    return race.Field(rows, np.array(truth), np.array(test), tuple(range(1, 11)), project.modality, project.seed)
