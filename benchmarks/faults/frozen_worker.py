"""A worker stopped for longer than its lease, another one at work meanwhile, and the first one let go on: it may
change nothing any more."""

import os
import random
import signal
import time
from typing import Any

from sqlalchemy import select, text

from app.db import Job
from benchmarks.faults.outcome import Harness, Outcome, Run
from benchmarks.faults.site import How, Site, end, site

LEASE_SECONDS = 1.0
LONGEST_STEP = 0.5
TAKEN_SECONDS = 30.0  # longer than the other worker needs
TABLES = ("rounds", "queue", "predictions", "serving", "items", "annotations", "rejected_rows", "feature_shards")


def run(run: Run) -> Outcome:
    """So many times; what every table held before the first worker went on is compared with what it holds after."""
    chance = random.Random(run.seed)
    how = How(without=run.without, job_lease_seconds=LEASE_SECONDS)
    found, frozen, locked = [], 0, 0
    with site(run.database, 1) as at:
        server, first = at.server(), at.worker(how)
        second = None
        try:
            at.serving()
            at.set_up(items=1_500)
            for number in range(run.times):
                _ask_for_a_round(at)
                held = _wait(at, "running")
                time.sleep(chance.random() * LONGEST_STEP)
                os.kill(first.pid or 0, signal.SIGSTOP)
                if not _still(at, held):  # it was quicker
                    os.kill(first.pid or 0, signal.SIGCONT)
                    continue
                time.sleep(LEASE_SECONDS + 0.2)
                second = at.worker(How(job_lease_seconds=15))
                taken = _wait_until_ended(at, TAKEN_SECONDS)
                end(second)
                if not taken:  # stopped in the middle of a write, it keeps the job by its lock, and may end it
                    locked += 1
                    os.kill(first.pid or 0, signal.SIGCONT)
                    _wait_until_ended(at, 60)
                    continue
                frozen += 1
                before = _rows(at)
                os.kill(first.pid or 0, signal.SIGCONT)
                time.sleep(1.5)
                changed = [name for name, rows in _rows(at).items() if rows != before[name]]
                found += [f"time {number}: it changed {', '.join(changed)}"] if changed else []
        finally:
            end(server, first, second)
    found += [] if frozen else ["no worker was stopped in the middle of a job"]
    return Outcome(frozen, {"tables compared": len(TABLES), "stopped with a lock": locked}, found)


def _ask_for_a_round(at: Site) -> None:
    until = time.monotonic() + 30
    with at.client() as client:
        while client.post(f"/projects/{at.project}/rounds").status_code == 409 and time.monotonic() < until:
            time.sleep(0.05)


def _wait(at: Site, state: str) -> int:
    """The round job that is in this state, as soon as one is."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with at.db.read() as session:
            job = session.execute(select(Job.id).where(Job.kind == "round", Job.state == state)).scalar()
        if job is not None:
            return job
        time.sleep(0.005)
    raise RuntimeError(f"no round was {state}")


def _still(at: Site, job: int) -> bool:
    with at.db.read() as session:
        return session.execute(select(Job.state).where(Job.id == job)).scalar_one() == "running"


def _wait_until_ended(at: Site, seconds: float) -> bool:
    """Until no round is due, which the worker that goes on might run, as it may; False where that takes longer."""
    until = time.monotonic() + seconds
    left = select(Job.id).where(Job.kind == "round", Job.state.in_(("waiting", "running")))
    while time.monotonic() < until:
        with at.db.read() as session:
            if session.execute(left).first() is None:
                return True
        time.sleep(0.05)
    return False


def _rows(at: Site) -> dict[str, Any]:
    with at.db.read() as session:
        found = {name: sorted(map(str, session.execute(text(f"SELECT * FROM {name}")).all())) for name in TABLES}
        jobs = select(Job.id, Job.state, Job.reason).where(Job.kind == "round").order_by(Job.id)
        return found | {"jobs": [str(row) for row in session.execute(jobs)]}


HARNESS = Harness(run, guards={"fence": "both"}, times=10, proof=4)
