"""SIGKILL of the worker at random points of rounds, imports, snapshots, and what they leave."""

import random
import threading
import time
from typing import Any

from sqlalchemy import func, select

from app.db import Item, Job, Round, Serving, Snapshot
from app.services import filed
from benchmarks.faults.journal import Journal, broken_rules, violations
from benchmarks.faults.outcome import Harness, Outcome, Run, percentile
from benchmarks.faults.people import labelling
from benchmarks.faults.site import How, Site, end, site, texts

LEASE_SECONDS = 2.0
SHORTEST_SECONDS, LONGEST_SECONDS = 0.1, 1.2
IMPORT_ROWS = 600
ENDED_SECONDS = 60.0
STATES = ("waiting", "running")


def run(run: Run) -> Outcome:
    """Kill at random moments while imports, snapshots and rounds are asked for; every job ends, none is done twice."""
    chance = random.Random(run.seed)
    lease = 1e6 if run.without == "lease_end" else LEASE_SECONDS  # without: a dead worker's job is nobody's for ever
    how = How(job_lease_seconds=lease)
    with site(run.database, min(run.people, 8)) as at:
        server, worker = at.server(), at.worker(how)
        try:
            at.serving()
            at.set_up(items=400, round_size=10)
            journal = Journal(at.data.parent / "journal.jsonl")
            torn = _Reader(at)
            torn.start()
            with labelling(at, at.people, journal, seed=run.seed, think=0.1):
                for number in range(run.times):
                    _ask(at, number)
                    time.sleep(chance.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))
                    end(worker)
                    worker = at.worker(how)
            begun = time.monotonic()
            left = _ended(at, 8.0 if run.without else ENDED_SECONDS)
            took = time.monotonic() - begun
            torn.stopping.set()
            torn.join(10)
            found = [*left, *torn.torn, *violations(at, journal), *_half_done(at, run.times), *broken_rules(at)]
            figures = _figures(at) | {"last job ended after": f"{took:.1f} s", "orders looked at": torn.looked}
        finally:
            end(server, worker)
    return Outcome(
        run.times,
        figures | {"p95 of people": f"{1000 * percentile([w for _, w in journal.waits], 0.95):.0f} ms"},
        found,
    )


class _Reader(threading.Thread):
    """Looks again and again whether the served order is whole and of one round."""

    def __init__(self, at: Site) -> None:
        super().__init__(daemon=True)
        self._at, self.stopping, self.torn, self.looked = at, threading.Event(), list[str](), 0

    def run(self) -> None:
        from app.db import QueueEntry

        entries = select(func.count()).where(QueueEntry.round_id == Serving.round_id).scalar_subquery()
        wanted = select(Serving.round_id, Round.state, Round.queue_length, entries.label("entries")).join(
            Round, Round.id == Serving.round_id
        )
        while not self.stopping.wait(0.02):
            with self._at.db.read() as session:
                row = session.execute(wanted).first()
            self.looked += 1
            if row is not None and (row.entries != row.queue_length or row.state not in ("published", "done")):
                self.torn.append(f"round {row.round_id} ({row.state}) has {row.entries} of {row.queue_length} places")


def _ask(at: Site, number: int) -> None:
    """An import of new and old rows, and every third time a snapshot."""
    lines = "".join(f'{{"key": "{row["key"]}", "text": "{row["text"]}"}}\n' for row in _rows(number))
    with at.client() as client:
        headers = {"Content-Type": "application/x-ndjson"}
        path = f"/projects/{at.project}/items"
        client.post(path, params={"async": "true"}, content=lines, headers=headers).raise_for_status()
        if number % 3 == 0:
            client.post(f"/projects/{at.project}/snapshots", json={"name": f"s{number}"}).raise_for_status()


def _rows(number: int) -> list[dict[str, str]]:
    start = 400 + number * IMPORT_ROWS // 2  # each import repeats half of the one before
    return texts(start, start + IMPORT_ROWS)


def _ended(at: Site, seconds: float) -> list[str]:
    """The jobs that are left when none has ended for so long; rounds that wait for their turn are none of them."""
    until, fewest = time.monotonic() + seconds, float("inf")
    while True:
        with at.db.read() as session:
            rows = session.execute(select(Job.id, Job.kind, Job.state).where(Job.state.in_(STATES))).all()
        left = [row for row in rows if row.state == "running" or row.kind in ("import", "snapshot")]
        if len(left) < fewest:
            until, fewest = time.monotonic() + seconds, len(left)
        if not left or time.monotonic() > until:
            return [f"{len(left)} jobs never end, as {left[0].kind} {left[0].id}"] if left else []
        time.sleep(0.2)


def _half_done(at: Site, times: int) -> list[str]:
    """Rows of imports that are missing or there twice, snapshots without a file, files that are not what they were."""
    wanted = {row["key"] for number in range(times) for row in _rows(number)} | {row["key"] for row in texts(0, 400)}
    with at.db.read() as session:
        keys = session.execute(select(Item.key)).scalars().all()
        died = session.execute(select(func.count()).where(Job.kind == "import", Job.state == "failed")).scalar_one()
        unmade = session.execute(
            select(func.count(Snapshot.id))
            .join(Job, Job.id == Snapshot.job_id)
            .where(Job.state == "done", Snapshot.sha256.is_(None))
        ).scalar_one()
    found = [f"{len(keys) - len(set(keys))} items twice"] if len(keys) != len(set(keys)) else []
    if not died and set(keys) != wanted:
        found.append(f"{len(wanted - set(keys))} rows of imports are missing, {len(set(keys) - wanted)} are strange")
    if unmade:
        found.append(f"{unmade} snapshots are done without a file")
    return found + [
        f"{each.what}: {each.detail}" for each in filed.files(at.db, at.settings, every=True) if not each.good
    ]


def _figures(at: Site) -> dict[str, Any]:
    with at.db.read() as session:
        counted = select(Job.kind, Job.state, func.count()).group_by(Job.kind, Job.state).order_by(Job.kind, Job.state)
        states = {f"{kind} {state}": count for kind, state, count in session.execute(counted)}
    return {"jobs": states}


HARNESS = Harness(run, guards={"lease_end": "both"}, times=20, proof=6)
