"""A worker killed in each step of a round, and one whose database goes away."""

import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from app.core.settings import Settings
from app.db import Database, Job, QueueEntry, Round, Serving, Worker
from app.services import jobs, opening, turn
from app.worker import WorkerProcess
from tests import forks
from tests.api.test_loop import pets
from tests.api.test_worker import answer_some
from tests.conftest import Api

STEPS = [
    "_load",
    "open_round",
    "_load-done",
    "think",
    "think-done",
    "_save_model-done",
    "_publish-done",
    "judge",
]


def slow_worker(data: Path, url: str, where: str, told: Connection) -> None:
    """A worker that stops in one step of a round, for ever."""

    def stop_at(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def slow(*args: Any, **more: Any) -> Any:
            stop(name)
            result = function(*args, **more)
            stop(f"{name}-done")
            return result

        return slow

    def stop(name: str) -> None:
        if name == where:
            told.send(name)
            time.sleep(60)

    for name in ("_load", "think", "_publish", "judge", "_save_model", "open_round"):
        room = opening if name == "open_round" else turn
        setattr(room, name, stop_at(name, getattr(room, name)))
    worker = WorkerProcess(Settings(data=data, _env_file=None), Database(url))
    while True:  # a round that is due waits as long as the one before it took
        worker.run_waiting()
        time.sleep(0.02)


@pytest.mark.parametrize("where", STEPS)
def test_a_worker_killed_in_any_step_leaves_a_whole_order_and_the_round_is_run_again(api: Api, where: str) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.1)["id"]
    boss.push(project, pets(150))
    api.run_jobs()
    answer_some(boss, project)
    url = api.db.url.render_as_string(hide_password=False)
    worker, heard = forks.started(slow_worker, api.settings.data, url, where)
    assert heard.recv() == where
    worker.kill()
    worker.join()
    assert worker.exitcode == -signal.SIGKILL

    served = boss.post(f"/projects/{project}/leases", json={"count": 3}).json()
    assert served["state"] == "serving"
    with api.db.write() as session:  # the lease of the dead worker ends
        session.execute(text("UPDATE jobs SET lease_until = '2020-01-01 00:00:00' WHERE state = 'running'"))
    api.run_jobs()

    with api.db.read() as session:
        rounds = session.execute(select(Round).order_by(Round.number)).scalars().all()
        serving = session.execute(select(Serving)).scalar_one()
        entries = session.execute(select(QueueEntry.round_id)).scalars().all()
        assert {each.state for each in rounds} == {"done"}
        assert rounds[-1].metrics is not None
        assert serving.round_id == rounds[-1].id
        assert set(entries) == {rounds[-1].id}
        assert {job.state for job in session.execute(select(Job)).scalars()} == {"done"}


def test_a_worker_outlives_a_database_that_goes_away(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection that wakes it is cut, and what a job did cannot be put down: it says so and goes on working."""
    boss = api.as_("boss")
    project = boss.project()["id"]
    settle, lost = jobs.settle, []

    def cut(running: jobs.Running, *given: Any, **more: Any) -> None:
        if not lost:
            lost.append(running.id)
            raise OperationalError("UPDATE jobs", {}, Exception("server closed the connection"))
        settle(running, *given, **more)

    monkeypatch.setattr(jobs, "settle", cut)
    ended = threading.Event()
    worker = WorkerProcess(api.settings.model_copy(update={"job_lease_seconds": 1}), api.db)
    thread = threading.Thread(target=worker.run, kwargs={"stopped": ended.is_set})
    thread.start()
    try:
        until(lambda: rows(api, select(Worker.token)))
        if not api.db.is_sqlite:
            until(lambda: rows(api, LISTENING))
        boss.push(project, pets(30))
        until(lambda: lost)
        until(lambda: not unfinished(api))
    finally:
        ended.set()
        thread.join(30)

    assert not thread.is_alive()
    assert unfinished(api) == []


LISTENING = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
)


def rows(api: Api, statement: Any) -> list[Any]:
    with api.db.write() as session:
        return list(session.execute(statement).all())


def unfinished(api: Api) -> list[Any]:
    """The jobs that somebody has begun or that are due soon."""
    return rows(api, select(Job.id, Job.kind).where(Job.state.in_(("waiting", "running")), Job.project_id > 0))


def until(look: Callable[[], Any]) -> None:
    end = time.monotonic() + 30
    while not look():
        assert time.monotonic() < end
        time.sleep(0.05)
