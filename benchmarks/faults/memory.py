"""A worker whose memory is limited gets rounds that need more: each fails with the reason, people go on."""

import time

from sqlalchemy import select

from app.db import Job
from benchmarks.faults.journal import Journal, violations
from benchmarks.faults.outcome import Harness, Outcome, Run
from benchmarks.faults.people import labelling
from benchmarks.faults.site import How, Site, end, site

MEGABYTE = 1 << 20
LIMITS = (200, 300, 400)  # megabytes of address space beyond the start's; each thread's stack takes eight of them
MOST_SECONDS = 120.0


def run(run: Run) -> Outcome:
    """Limit after limit; without the guard there is no limit, and nothing to be told."""
    found: list[str] = []
    reasons: set[str] = set()
    acknowledged = 0
    for number in range(run.times):
        limit = LIMITS[number % len(LIMITS)] * MEGABYTE
        with site(run.database, 2) as at:
            server, worker = at.server(), at.worker()
            try:
                at.serving()
                at.set_up(items=400, round_size=10_000)
                end(worker)
                worker = at.worker(How(memory_bytes=limit, unlimited=bool(run.without)))
                journal = Journal(at.data.parent / "journal.jsonl")
                with labelling(at, at.people, journal, think=0.2):
                    reason = _reason(at)
                reasons.add(reason[:60])
                if "memory" not in reason:
                    found.append(f"with {limit // MEGABYTE} MB the round said {reason or 'nothing'!r}")
                found += [] if worker.is_alive() else ["the worker is gone"]
                found += violations(at, journal)
                acknowledged += len(journal.acked)
            finally:
                end(server, worker)
    return Outcome(run.times, {"said": "; ".join(sorted(reasons)), "acknowledged": acknowledged}, found)


def _reason(at: Site) -> str:
    """Ask for a round; what its job says at the end."""
    with at.client() as client:
        job = client.post(f"/projects/{at.project}/rounds").raise_for_status().json()["job"]["id"]
    until = time.monotonic() + MOST_SECONDS
    while time.monotonic() < until:
        with at.db.read() as session:
            row = session.execute(select(Job.state, Job.reason).where(Job.id == job)).one()
        if row.state in ("failed", "done"):
            return row.reason or ""
        time.sleep(0.1)
    return f"still {row.state}: {row.reason}"


HARNESS = Harness(run, guards={"limit": "both"}, databases=("sqlite",), times=6, proof=1)
