"""Bad days of the worker: doubled, failing. How it is killed stands in tests/proofs/test_worker_kills.py."""

from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import select, text

from app.core.settings import Settings
from app.db import Round
from app.db.migrate import current, differences, migrate
from app.services import jobs, turn
from app.services.jobs import Done, More
from app.worker import TURNS, WorkerProcess, first_line
from tests import databases
from tests.api.test_loop import pets
from tests.conftest import Api


def answer_some(boss, project: int, count: int = 20) -> None:
    for _ in range(count):
        lease = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]
        body = {"lease": lease["id"], "label": {"class": lease["item"]["key"][:3]}}
        headers = {"Idempotency-Key": str(uuid4())}
        assert boss.post("/annotations", json=body, headers=headers).status_code == 201


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


def test_work_without_an_end_keeps_nothing_less_urgent_waiting(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    turns: list[str] = []

    def endless(_running):
        turns.append("round")
        return More()

    def sliced(_running):
        turns.append("import")
        return Done() if turns.count("import") == 3 else More()

    with api.db.write() as session:
        session.execute(text("DELETE FROM jobs"))
        jobs.enqueue(session, "import", project)
        jobs.enqueue(session, "round", project)
    worker = WorkerProcess(api.settings, api.db, {"round": endless, "import": sliced})

    assert worker.run_waiting(limit=6 * TURNS) == 6 * TURNS

    assert turns.count("import") == 3
    assert turns[: TURNS - 1] == ["round"] * (TURNS - 1), "the urgent comes first"


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


def test_an_error_of_the_database_that_says_nothing_is_told_by_its_kind() -> None:
    assert first_line(psycopg.OperationalError()) == "OperationalError"
    assert first_line(psycopg.OperationalError("the connection is lost\nand more")) == "the connection is lost"
