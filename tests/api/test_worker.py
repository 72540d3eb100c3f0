"""Bad days of the worker: killed, doubled, failing."""

import os
import signal
import subprocess
import sys
from uuid import uuid4

import pytest
from sqlalchemy import select, text

from app.core.settings import Settings
from app.db import Job, QueueEntry, Round, Serving
from app.db.migrate import current, differences, migrate
from app.services import jobs, turn
from tests import databases
from tests.api.test_loop import pets
from tests.conftest import Api

SLOW_WORKER = """
import sys, time
from pathlib import Path
from pydantic import SecretStr
from app.core.settings import Settings
from app.db import Database
from app.services import opening, turn
from app.worker import WorkerProcess
data, url, where = sys.argv[1:4]
def stop_at(name, function):
    def slow(*args, **more):
        if name == where:
            print("here", flush=True)
            time.sleep(60)
        result = function(*args, **more)
        if name + "-done" == where:
            print("here", flush=True)
            time.sleep(60)
        return result
    return slow
for name in ("_load", "_think", "_publish", "_evaluate", "_save_model", "open_round"):
    room = opening if name == "open_round" else turn
    setattr(room, name, stop_at(name, getattr(room, name)))
settings = Settings(data=Path(data), _env_file=None)
WorkerProcess(settings, Database(url)).run_waiting()
"""
STEPS = [
    "_load",
    "open_round",
    "_load-done",
    "_think",
    "_think-done",
    "_save_model-done",
    "_publish-done",
    "_evaluate",
]


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
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_WORKER, str(api.settings.data), url, where],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"here\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

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
