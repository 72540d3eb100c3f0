"""Bad days of the worker: killed, doubled, failing."""

import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from app.core.settings import Settings
from app.db import Database, Job, QueueEntry, Round, Serving
from app.db.migrate import current, differences, migrate
from app.services import jobs, opening, turn
from app.worker import WorkerProcess
from tests import databases, forks
from tests.api.test_loop import pets
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


def answer_some(boss, project: int, count: int = 20) -> None:
    for _ in range(count):
        lease = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]
        body = {"lease": lease["id"], "label": {"class": lease["item"]["key"][:3]}}
        headers = {"Idempotency-Key": str(uuid4())}
        assert boss.post("/annotations", json=body, headers=headers).status_code == 201


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


def test_a_worker_that_was_only_slow_cannot_overwrite_its_successor(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.push(project, pets(60))
    worker = api.worker()
    while (running := jobs.claim(api.db, api.settings, ("round", "featurize"))) is not None and running.kind != "round":
        worker._run(running)
    assert running is not None
    with api.db.write() as session:
        session.execute(text("UPDATE jobs SET lease_until = '2020-01-01 00:00:00' WHERE state = 'running'"))
    api.run_jobs()

    with pytest.raises(jobs.JobLost):
        turn.run(running)

    with api.db.read() as session:
        assert [each.state for each in session.execute(select(Round)).scalars()] == ["done"]


def test_a_learner_that_raises_is_told_and_people_go_on(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.push(project, pets(100))
    api.run_jobs()

    def broken(*_args, **_more):
        raise ArithmeticError("the matrix is singular")

    monkeypatch.setattr(turn, "propose", broken)
    answer_some(boss, project)
    for _ in range(5):
        api.run_jobs()
        with api.db.write() as session:
            session.execute(text("UPDATE jobs SET lease_until = '2020-01-01 00:00:00' WHERE state = 'running'"))

    status = boss.get(f"/projects/{project}/status").json()
    assert "singular" in status["last_failure"]["reason"]
    assert "singular" in status["advice"]["text"] or not status["worker"]["alive"]
    answer_some(boss, project, 3)
    monkeypatch.undo()
    assert boss.post(f"/projects/{project}/rounds").status_code in (202, 409)
    with api.db.write() as session:
        session.execute(text("UPDATE jobs SET due_at = '2020-01-01 00:00:00' WHERE state = 'waiting'"))
    api.run_jobs()
    assert boss.get(f"/projects/{project}/status").json()["last_failure"] is None


def test_one_class_only_is_said_and_covered(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(strategy={"name": "margin"}, audit_share=0)["id"]
    rows = pets(50)
    for row in rows[:20]:
        row["label"] = "cat"
    boss.push(project, rows)
    api.run_jobs()

    status = boss.get(f"/projects/{project}/status").json()

    assert status["fallback"] == "random: only one class so far"


def test_models_and_migrations_agree_and_go_down_and_up_again(db, settings: Settings) -> None:
    url = db.url.render_as_string(hide_password=False)
    db.dispose()

    differences(url)
    migrate(url, "base")
    assert current(url) is None
    migrate(url)
    differences(url)

    if not db.is_sqlite:
        databases.postgres_url.cache_clear()
