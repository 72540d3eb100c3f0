"""A worker whose memory is limited gets a round that is too large: the round fails with the reason, people go on."""

import time

import numpy as np
from sqlalchemy import select

from app.db import Job
from benchmarks.faults.journal import Journal, violations
from benchmarks.faults.outcome import Harness, Outcome, Run
from benchmarks.faults.people import labelling
from benchmarks.faults.site import CLASSES, How, Site, end, site

MEGABYTE = 1 << 20
LIMITS = (40, 60, 80, 120)  # megabytes that the worker may take beyond what it has at its start
ITEMS, NUMBERS, LABELLED = 4_000, 300, 3_000
MOST_SECONDS = 90.0


def run(run: Run) -> Outcome:
    """Limit after limit; without the guard there is no limit, and nothing to be told."""
    found: list[str] = []
    reasons: list[str] = []
    for number in range(run.times):
        limit = LIMITS[number % len(LIMITS)] * MEGABYTE
        with site(run.database, 2) as at:
            server, worker = at.server(), at.worker()
            try:
                at.serving()
                at.set_up(items=20)
                large = _large(at)
                end(worker)
                worker = at.worker(How(memory_bytes=0 if run.without else limit))
                journal = Journal(at.data.parent / "journal.jsonl")
                with labelling(at, at.people, journal, think=0.2):
                    reason = _reason(at, large)
                reasons += [reason[:60]] if reason else []
                if not any(word in reason for word in ("memory", "died")):
                    found.append(f"with {limit // MEGABYTE} MB the round said {reason or 'nothing'!r}")
                found += violations(at, journal)
                if not worker.is_alive() and "died" not in reason:
                    found.append("the worker is gone")
            finally:
                end(server, worker)
    return Outcome(run.times, {"said": "; ".join(sorted(set(reasons)))}, found)


def _large(at: Site) -> int:
    """A second project of wide vectors with many labels; its number."""
    rng = np.random.default_rng(0)
    with at.client() as client:
        task = {"type": "classification", "classes": list(CLASSES)}
        body = {
            "name": "Large",
            "modality": "text",
            "task": task,
            "round_size": 1_000_000,
            "learner": {"name": "logistic"},
        }
        project = client.post("/projects", json=body).raise_for_status().json()["id"]
        for start in range(0, ITEMS, 500):
            rows = [
                {
                    "key": f"large-{number}",
                    "text": f"text {number}",
                    "features": [round(float(value), 3) for value in rng.normal(size=NUMBERS)],
                    **({"label": CLASSES[number % 2]} if number < LABELLED else {}),
                }
                for number in range(start, start + 500)
            ]
            client.post(f"/projects/{project}/items", json=rows).raise_for_status()
        until = time.monotonic() + 120
        while client.get(f"/projects/{project}/status").json()["queue"]["round"] is None and time.monotonic() < until:
            time.sleep(0.1)
    return int(project)


def _reason(at: Site, project: int) -> str:
    """Ask for a round of a project; what its job says at the end."""
    with at.client() as client:
        client.post(f"/projects/{project}/rounds")
    until = time.monotonic() + MOST_SECONDS
    newest = select(Job.state, Job.reason).where(Job.kind == "round", Job.project_id == project).order_by(Job.id.desc())
    while time.monotonic() < until:
        with at.db.read() as session:
            row = session.execute(newest.limit(1)).one()
        if row.state in ("failed", "done"):
            return row.reason or ""
        time.sleep(0.1)
    return f"still {row.state}: {row.reason}"


HARNESS = Harness(run, guards={"limit": "both"}, databases=("sqlite",), times=4, proof=1)
