"""Bad days of the disk, the database and the workers: what people hear, and what goes on by itself."""

import errno
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DatabaseError, InterfaceError

from app.core import disk
from app.core.ending import ending
from app.db import FeatureSet, Job, Round
from app.db.session import now
from app.services import jobs, opening, projects
from tests.api.test_loop import pets
from tests.conftest import Api

pytestmark = pytest.mark.parametrize("db", ["sqlite"], indirect=True)

DAMAGED = DatabaseError("SELECT 1", {}, sqlite3.DatabaseError("database disk image is malformed"))
GONE = InterfaceError("SELECT 1", {}, Exception("the connection is closed"), connection_invalidated=True)
FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("error", "words"), [(DAMAGED, "the database is damaged"), (GONE, "try again shortly"), (FULL, "disk is full")]
)
def test_a_database_that_fails_is_said_as_what_it_is(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    boss = api.as_("boss")

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(projects, "create", fail)
    answer = boss.post("/projects", json={"name": "P", "modality": "text", "task": {"classes": ["a", "b"]}})

    assert (answer.status_code, answer.json()["error"]) == (503, "Unavailable")
    assert words in answer.json()["detail"]
    assert answer.headers["Retry-After"] == "1"


def test_a_service_that_ends_or_whose_disk_is_full_is_not_ready(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.health.free_bytes", lambda _folder: disk.FREE_BYTES - 1)
    ending.set()
    try:
        answer = api.client.get("/readyz")
    finally:
        ending.clear()

    assert answer.status_code == 503
    assert "the service is ending" in answer.json()["reasons"]
    assert any("the disk is nearly full" in each for each in answer.json()["reasons"])


def test_uploads_beyond_the_quota_are_refused_and_the_rest_goes_on(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(modality="image")["id"]
    api.client.app.state.settings = api.settings.model_copy(update={"media_bytes": 1})
    with api.db.write() as session:
        session.execute(
            text(
                "INSERT INTO media (project_id, name, sha256, type, size, created_at)"
                " VALUES (:project, 'one', :hash, 'image/png', 1, '2026-01-01')"
            ),
            {"project": project, "hash": "a" * 64},
        )

    refused = boss.post(f"/projects/{project}/media", files={"files": ("a.png", b"png", "image/png")})

    assert (refused.status_code, refused.json()["error"]) == (507, "NoRoom")
    assert "may take 1 bytes here" in refused.json()["detail"]
    assert "0 are left" in refused.json()["detail"]
    assert boss.get(f"/projects/{project}/items").status_code == 200


def ranked(api: Api) -> tuple[Any, int]:
    """A project with an order and with labels for a model."""
    boss = api.as_("boss")
    project = boss.project(audit_share=0.1)["id"]
    boss.push(project, [{**row, "label": row["key"][:3]} for row in pets(40)] + pets(120)[40:])
    api.run_jobs()
    return boss, project


def last_round(api: Api) -> Job:
    with api.db.read() as session:
        return session.execute(select(Job).where(Job.kind == "round").order_by(Job.id.desc()).limit(1)).scalar_one()


def cut(folder: Path) -> None:
    [shard, *_] = folder.glob("*/*/*.dense.npy")
    shard.write_bytes(shard.read_bytes()[:100])


def renamed(folder: Path) -> None:
    """The rows are of items that never were: the round failed again and again for a foreign key."""
    for shard in folder.glob("*/*/*.ids.npy"):
        ids = np.load(shard)
        ids[len(ids) // 2 :, 0] += 1 << 40
        np.save(shard, ids)


@pytest.mark.parametrize(("damage", "words"), [(cut, "is damaged"), (renamed, "holds other bytes than were written")])
def test_damaged_features_fail_one_round_and_are_made_anew(
    api: Api, damage: Callable[[Path], None], words: str
) -> None:
    boss, project = ranked(api)
    damage(api.settings.data / "features")
    with api.db.read() as session:
        before = session.execute(select(FeatureSet.version)).scalar_one()

    assert boss.post(f"/projects/{project}/rounds").status_code == 202
    api.worker().run_one()
    failed = last_round(api)
    api.run_jobs()

    assert failed.state == "failed"
    assert f"{words}: the features are being made anew" in (failed.reason or "")
    with api.db.read() as session:
        assert session.execute(select(FeatureSet.version)).scalar_one() != before
    assert last_round(api).state == "done"


def test_a_damaged_model_is_left_aside(api: Api) -> None:
    boss, project = ranked(api)
    for file in api.settings.data.glob("models/*/*.npz"):
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 0xFF
        file.write_bytes(content)

    assert boss.post(f"/projects/{project}/rounds").status_code == 202
    api.run_jobs()

    assert last_round(api).state == "done"
    with api.db.read() as session:
        assert session.execute(select(Round.warm_round_id).order_by(Round.id.desc()).limit(1)).scalar() is None


def test_a_round_at_which_every_worker_died_ends_and_says_so(api: Api) -> None:
    boss, project = ranked(api)
    assert boss.post(f"/projects/{project}/rounds").status_code == 202
    running = jobs.claim(api.db, api.settings, ("round",))
    assert running is not None
    with api.db.write() as session:
        session.add(
            Round(
                project_id=project, number=99, job_id=running.id, created_at=now(session), strategy={}, learner={},
                task_version=1, seed=1, class_ids=[], labels=[], state="running",
            )
        )  # fmt: skip
        over = {"attempt": jobs.MAX_ATTEMPTS, "lease_until": now(session) - timedelta(seconds=1)}
        session.execute(update(Job).where(Job.id == running.id).values(**over))

    api.worker().run_one()

    with api.db.read() as session:
        job, row = (
            session.get_one(Job, running.id),
            session.execute(select(Round).where(Round.number == 99)).scalar_one(),
        )
    assert (job.state, row.state) == ("failed", "failed")
    assert job.reason == row.reason == "the worker died 5 times while running it"


def test_a_worker_that_lost_its_job_says_nothing_of_its_successors_round(api: Api, tmp_path: Path) -> None:
    boss, project = ranked(api)
    assert boss.post(f"/projects/{project}/rounds").status_code == 202
    slow = jobs.claim(api.db, api.settings, ("round",))
    assert slow is not None
    with api.db.write() as session:
        session.execute(text("UPDATE jobs SET lease_until = '2020-01-01 00:00:00' WHERE state = 'running'"))
    successor = jobs.claim(api.db, api.settings, ("round",))
    assert successor is not None
    with api.db.write() as session:
        session.execute(update(Round).where(Round.project_id == project).values(job_id=slow.id, state="running"))

    opening.fail(slow, "it was too slow", final=True)

    with api.db.read() as session:
        states = session.execute(select(Round.state, Round.reason).where(Round.job_id == slow.id)).all()
    assert states
    assert {tuple(row) for row in states} == {("running", None)}
