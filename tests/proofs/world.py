"""The service as the state machine sees it: people who speak to it, a clock to move, workers that die, and its rows."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import text

from app.services import jobs, status
from app.services.jobs import Running
from app.worker import WorkerProcess
from tests.conftest import Api, Speaker
from tests.proofs.model import Reference

PEOPLE = ("boss", "ann", "ben", "cem", "dan")  # boss is an admin
LABELS = {1: "cat", 2: "dog"}  # by the ids of the project's classes
WORK = ("round", "featurize")
# PostgreSQL's clock cannot be moved, so what is stored is moved the other way.
MOMENTS = {
    "leases": ("served_at", "expires_at"),
    "jobs": ("lease_until", "due_at", "created_at", "updated_at"),
    "rounds": ("created_at", "published_at", "finished_at"),
}
LEASES = "SELECT id, item_id, slot, annotator_id, state FROM leases WHERE project_id = :project"
ITEMS = "SELECT id, key, state, done, skips, revision FROM items WHERE project_id = :project"
VERSIONS = """
    SELECT id, min(id) OVER (PARTITION BY answer_id) AS answer, version, item_id, item_revision, lease_id, annotator_id,
           label, counted, retracted, decisive
    FROM annotations WHERE project_id = :project ORDER BY id
"""
RUNNING = "SELECT count(*) FROM jobs WHERE project_id = :project AND kind = 'round' AND state = 'running'"
SERVED = """
    SELECT rounds.id, rounds.state, rounds.queue_length, serving.slots_served
    FROM serving LEFT JOIN rounds ON rounds.id = serving.round_id WHERE serving.project_id = :project
"""
QUEUE = """
    SELECT queue.round_id, queue.rank, queue.done, items.done AS item_done, items.project_id
    FROM queue JOIN items ON items.id = queue.item_id WHERE queue.project_id = :project ORDER BY queue.rank
"""
OPINIONS = """
    SELECT DISTINCT predictions.round_id FROM predictions JOIN items ON items.id = predictions.item_id
    WHERE items.project_id = :project
"""
NEWEST = "SELECT max(id) FROM annotations WHERE project_id = :project"
FENCED = """
    SELECT jobs.id, jobs.state, CAST(jobs.token AS text), rounds.id, rounds.state, serving.round_id,
           (SELECT count(*) FROM queue WHERE queue.project_id = :project)
    FROM serving LEFT JOIN jobs ON jobs.project_id = serving.project_id
    LEFT JOIN rounds ON rounds.job_id = jobs.id WHERE serving.project_id = :project ORDER BY jobs.id, rounds.id
"""


class Killed(BaseException):
    """The worker's process is gone, at the worst moment."""


class World:
    """A service that is started anew at will."""

    def __init__(self, start: Callable[[], Api], advance: Callable[[int], None] | None) -> None:
        self._start, self._advance = start, advance
        self.api = start()
        self.people: dict[str, Speaker] = {name: self.api.as_(name) for name in PEOPLE}
        self.ids = {row.name: row.id for row in self.rows("SELECT id, name FROM users")}
        self.examples = self.steps = 0
        self.died = False  # a worker, in this example

    def close(self) -> None:
        """Let go of the database."""
        self.api.db.dispose()

    def restart(self) -> None:
        """The server died and another one takes over: what it remembered is gone."""
        self.api.db.dispose()
        self.api = self._start()

    def advance(self, seconds: int) -> None:
        """Let time pass."""
        if self._advance is not None:
            self._advance(seconds)
            return
        with self.api.db.write() as session:
            for table, columns in MOMENTS.items():
                moved = ", ".join(f"{name} = {name} - make_interval(secs => :seconds)" for name in columns)
                session.execute(text(f"UPDATE {table} SET {moved}"), {"seconds": seconds})

    def worker(self) -> WorkerProcess:
        """A worker that runs what it is told to."""
        return self.api.worker()

    def dies_at(self, checkpoint: int) -> None:
        """Run one job with a worker that dies in its n-th transaction, before it is committed."""
        try:
            with _mortal(checkpoint):
                self.worker().run_one()
        except Killed:
            self.died = True

    def claimed(self) -> Running | None:
        """A job in the hands of a worker that goes on with it much later."""
        return jobs.claim(self.api.db, self.api.settings, WORK)

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """What the database holds."""
        with self.api.db.read() as session:
            return list(session.connection().execute(text(statement), values).all())

    def forget_jobs(self) -> None:
        """End what an example leaves behind, so that the next one's workers do their own work."""
        self.died = False
        with self.api.db.write() as session:
            session.execute(text("UPDATE jobs SET state = 'cancelled' WHERE state IN ('waiting', 'running')"))
            session.execute(text("UPDATE users SET active = :yes"), {"yes": True})

    def numbers(self, project: int) -> dict[str, Any]:
        """The numbers that every page shows, without the way through HTTP."""
        with self.api.db.read() as session:
            return {"items": status.item_counts(session, project), **status.standing(session, project)}

    def check(self, project: int, model: Reference) -> None:
        """Every row is what the model says: leases, versions of answers, items."""
        names = {number: name for name, number in self.ids.items()}
        leases = {(r.id, r.item_id, r.slot, names[r.annotator_id], r.state) for r in self.rows(LEASES, project=project)}
        assert leases == {(e.id, e.item, e.slot, e.person, e.state) for e in model.leases.values()}
        items = {tuple(row) for row in self.rows(ITEMS, project=project)}
        assert {(*row[:3], bool(row[3]), *row[4:]) for row in items} == {
            (each.id, each.key, "deleted" if each.deleted else "open", model.done(each.id), each.skips, each.revision)
            for each in model.items.values()
        }
        self._check_answers(project, model, names)
        self._check_overlap(model)

    def _check_answers(self, project: int, model: Reference, names: dict[int, str]) -> None:
        stored = [
            (row[:6], names[row.annotator_id], _said(row.label), *map(bool, row[8:]))
            for row in self.rows(VERSIONS, project=project)
        ]
        wanted = [
            (
                (e.id, e.answer, e.number, e.item, e.revision, e.lease),
                *(e.person, e.label, e.counted, e.retracted, e.decisive),
            )
            for e in model.versions
        ]
        assert stored == wanted

    def _check_overlap(self, model: Reference) -> None:
        """I1 and I2 as they stand in the list, whatever the model thinks of each row."""
        for item in model.items:
            holders = model.holders(item)
            assert len(holders) <= model.widest, f"item {item} is held beyond its overlap"
            assert len({each.person for each in holders}) == len(holders), f"somebody has item {item} twice"
            assert len({each.slot for each in holders}) == len(holders)

    def check_rounds(self, project: int) -> None:
        """I7 and I8: one round at a time, and its order seen whole or not at all.

        Orders of earlier rounds, which nobody reads, are dropped in a transaction of their own: a worker that died
        before it leaves them to the next round.
        """
        assert self.rows(RUNNING, project=project)[0][0] <= 1
        served = self.rows(SERVED, project=project)[0]
        queue = self.rows(QUEUE, project=project)
        if served.id is None:
            assert queue == []
            return
        assert served.state in ("published", "done", "failed")
        opinions = {row[0] for row in self.rows(OPINIONS, project=project)}
        left = {row.round_id for row in queue} | opinions
        assert max(left, default=0) <= served.id
        assert self.died or left <= {served.id}
        order = [row for row in queue if row.round_id == served.id]
        assert [row.rank for row in order] == list(range(served.queue_length))
        assert {row.project_id for row in queue} <= {project}
        assert [bool(row.done) for row in order] == [bool(row.item_done) for row in order]


def _said(label: Any) -> str:
    """The class of a stored label, which SQLite gives as text."""
    read = json.loads(label) if isinstance(label, str) else label
    return LABELS[read["label"]["class_id"]]


@contextlib.contextmanager
def _mortal(last: int) -> Iterator[None]:
    whole, count = Running.checkpoint, 0

    def checkpoint(self: Running, *given: Any, **named: Any) -> None:
        nonlocal count
        whole(self, *given, **named)
        count += 1
        if count > last:
            raise Killed

    Running.checkpoint = checkpoint  # type: ignore[method-assign]
    try:
        yield
    finally:
        Running.checkpoint = whole  # type: ignore[method-assign]
