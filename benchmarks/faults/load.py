"""People with a think time while rounds are trained all the time: 200 on PostgreSQL (L1), 50 on SQLite (L2).

`--seconds` is how long, `--people` how many (the numbers of L1 and L2 unless more than 20 are given).
"""

import threading
import time
from typing import Any

import httpx
from sqlalchemy import func, select

from app.db import Round
from benchmarks.faults.journal import Journal, violations
from benchmarks.faults.outcome import Harness, Outcome, Run, percentile
from benchmarks.faults.people import labelling
from benchmarks.faults.site import How, Site, end, site

PEOPLE = {"postgresql": 200, "sqlite": 50}
THINK_SECONDS = 2.0
ITEMS = 100_000
P95_SECONDS, P99_SECONDS = 0.3, 1.0
SECONDS, PROOF_SECONDS, PROOF_ITEMS = 600, 60, 3_000


def run(run: Run) -> Outcome:
    """One run; waits of the first ten seconds, in which everybody arrives, are left out."""
    people = run.people if run.people > 20 else PEOPLE[run.database]
    with site(run.database, people) as at:
        server, worker = at.server(), at.worker(How(without=run.without))
        training = _Training(at)
        try:
            at.serving()
            at.set_up(items=run.times, round_size=50)
            journal = Journal(at.data.parent / "journal.jsonl")
            training.start()
            begun = time.monotonic()
            with labelling(at, at.people, journal, seed=run.seed, think=THINK_SECONDS):
                time.sleep(run.seconds or (PROOF_SECONDS if run.without else SECONDS))
            took = time.monotonic() - begun
            training.stopping.set()
            training.join(10)
            found = violations(at, journal)
            with at.db.read() as session:
                rounds = session.execute(select(func.count()).where(Round.published_at.is_not(None))).scalar_one()
        finally:
            end(server, worker)
    steady = [wait for when, wait in journal.waits if when > begun + min(10.0, took / 4)]
    p95, p99 = percentile(steady, 0.95), percentile(steady, 0.99)
    found += [f"p95 {1000 * p95:.0f} ms"] if p95 > P95_SECONDS else []
    found += [f"p99 {1000 * p99:.0f} ms"] if p99 > P99_SECONDS else []
    found += [f"{count} answers with {code}" for code, count in journal.statuses.items() if code >= 400]
    figures: dict[str, Any] = {
        "people": people,
        "seconds": round(took),
        "answers a second": round(len(journal.acked) / took),
    }
    figures |= {"p95": f"{1000 * p95:.0f} ms", "p99": f"{1000 * p99:.0f} ms", "rounds": rounds}
    return Outcome(run.times, figures, found)


class _Training(threading.Thread):
    """Asks for a round as soon as the one before has ended."""

    def __init__(self, at: Site) -> None:
        super().__init__(daemon=True)
        self._at, self.stopping = at, threading.Event()

    def run(self) -> None:
        with self._at.client() as client:
            while not self.stopping.wait(1.0):
                try:
                    client.post(f"/projects/{self._at.project}/rounds")
                except httpx.HTTPError:
                    continue


HARNESS = Harness(run, guards={"short_transactions": "both"}, times=ITEMS, proof=PROOF_ITEMS)
