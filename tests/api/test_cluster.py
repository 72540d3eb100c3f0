"""A worker whose Dask scheduler is not there: the round waits in words, people go on, and another worker does it."""

import pytest
from sqlalchemy import text

from app.loop import cluster
from app.worker import WorkerProcess
from tests.api.test_loop import pets
from tests.conftest import Api

pytest.importorskip("distributed", reason="pip install 'labelwise[dask]'")


def test_a_round_waits_for_its_cluster_and_says_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.1)
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.push(project, pets(60))
    api.run_jobs()
    assert boss.post(f"/projects/{project}/rounds").status_code == 202
    with api.db.write() as session:  # the pause between two rounds ends
        session.execute(text("UPDATE jobs SET due_at = '2020-01-01 00:00:00' WHERE state = 'waiting'"))
    more = {"dask_scheduler": "tcp://127.0.0.1:1", "whole_pool_items": 50}
    worker = WorkerProcess(api.settings.model_copy(update=more), api.db)
    worker._register()

    worker.run_waiting()

    status = boss.get(f"/projects/{project}/status").json()
    why = "the Dask scheduler at tcp://127.0.0.1:1 cannot be reached"
    assert status["round"]["reason"] == why
    assert status["advice"]["text"] == f"The round is tried again by itself: {why}."
    assert status["queue"]["round"] == 1
    assert boss.post(f"/projects/{project}/leases", json={"count": 3}).json()["leases"]

    with api.db.write() as session:
        session.execute(text("UPDATE jobs SET lease_until = '2020-01-01 00:00:00' WHERE state = 'running'"))
    api.run_jobs()  # by a worker without a cluster

    status = boss.get(f"/projects/{project}/status").json()
    assert status["queue"]["round"] == 2
    assert status["round"]["reason"] is None
    assert "Dask" not in status["strategy"]
