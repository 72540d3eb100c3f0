"""Deleted projects: their webhooks stop at once, and after the undo nothing of them is left."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import func, select, update

from app.db import Base, Event, Job, Project
from app.services import courier, purging, search
from app.worker import WorkerProcess
from tests.api.test_labelling import answer, member, take
from tests.api.test_loop import pets
from tests.conftest import Api, Speaker


def full(api: Api, boss: Speaker, name: str) -> int:
    """A project with rows in nearly every table, and files in nearly every folder."""
    project: int = boss.project(name=name, audit_share=0.2)["id"]
    boss.push(project, [row | {"metadata": {"source": "web"}} for row in pets(60)])
    boss.post(f"/projects/{project}/webhooks", json={"url": "https://example.org/hook", "events": ["round.published"]})
    boss.post(f"/projects/{project}/invitations", json={})
    boss.post("/tokens", json={"name": "bound", "project": project})
    ann = member(api, boss, project, f"ann of {name}")
    api.worker().run_waiting()
    for lease in take(ann, project, 12):
        answer(ann, lease["id"], lease["item"]["key"][:3])
    boss.post(f"/items/{lease['item']['id']}/flags", json={"note": "look"})
    boss.post(f"/projects/{project}/select", json={"count": 20})
    boss.post(f"/projects/{project}/rounds")
    boss.post(f"/projects/{project}/snapshots", json={"name": "one"})
    boss.post(f"/projects/{project}/items/bulk", json={"filter": "q=purrs", "set": {"priority": 3}})
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(picture, "PNG")
    boss.post(f"/projects/{project}/media", files={"files": ("red.png", picture.getvalue())})
    boss.post(
        f"/projects/{project}/predictions",
        params={"model": "own", "version": "1", "complete": True, "use": "suggest"},
        content=b'{"key": "cat-0", "probabilities": {"cat": 0.9, "dog": 0.1}}\n',
        headers={"Content-Type": "application/x-ndjson"},
    )
    boss.post(
        f"/projects/{project}/items",
        params={"async": True},
        content=b'{"key": "late", "text": "later"}\n{"key": "bad"}\n',
        headers={"Content-Type": "application/x-ndjson"},
    )
    api.run_jobs()
    return project


def rows(api: Api, project: int) -> dict[str, int]:
    """How many rows of a project each table holds."""
    with api.db.read() as session:
        found = {
            table.name: session.execute(
                select(func.count()).select_from(table).where(purging.of_project(table, project))  # type: ignore[arg-type]
            ).scalar_one()
            for table in Base.metadata.sorted_tables
            if purging.of_project(table, project) is not None
        }
    return {name: count for name, count in found.items() if count}


def words(api: Api, project: int) -> int:
    """How many of a project's items the index finds by a word that all of them hold."""
    with api.db.read() as session:
        return len(session.execute(search.matching(session, [[search.beginning_with(project, "it")]])).all())


def files(api: Api, project: int) -> list[str]:
    return [str(each) for each in api.settings.data.glob(f"*/{project}/**/*") if each.is_file()]


def end_the_undo(api: Api, project: int) -> None:
    with api.db.write() as session:
        ago = datetime.now(UTC) - timedelta(days=7, minutes=1)
        session.execute(update(Project).where(Project.id == project).values(deleted_at=ago))
        session.execute(update(Job).where(Job.kind == "purge").values(due_at=ago))


def test_after_the_undo_nothing_is_left_however_often_the_worker_dies(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = api.as_("boss")
    kept, gone = boss.project(name="kept", audit_share=0.2)["id"], full(api, boss, "gone")
    boss.push(kept, pets(60))
    boss.post(f"/projects/{kept}/snapshots", json={"name": "one"})
    api.run_jobs()
    before, there = rows(api, kept), rows(api, gone)
    assert words(api, gone) == 60
    assert len(there) >= 24, there
    folders = {Path(each).relative_to(api.settings.data).parts[0] for each in files(api, gone)}
    assert folders >= {"features", "models", "predictions", "snapshots"}
    boss.delete(f"/projects/{gone}")
    end_the_undo(api, gone)
    monkeypatch.setattr(purging, "SLICE_SECONDS", 0.1)
    monkeypatch.setattr(purging, "MOST_ROWS", 40)
    monkeypatch.setattr(purging, "FIRST_ROWS", 20)
    deaths = 0

    def dies(running: Any) -> Any:
        """Every other slice is cut off in the middle of a table."""
        nonlocal deaths
        real = purging._some
        calls = 0

        def some(*given: Any) -> int:
            nonlocal calls
            calls += 1
            if calls == 4:
                raise KeyboardInterrupt
            return real(*given)

        deaths += 1
        if deaths % 2:
            with monkeypatch.context() as patched:
                patched.setattr(purging, "_some", some)
                return purging.run(running)
        return purging.run(running)

    worker = WorkerProcess(api.settings, api.db, {"purge": dies})
    for _ in range(200):
        try:
            if not worker.run_one():
                break
        except KeyboardInterrupt:
            with api.db.write() as session:  # its lease ends
                session.execute(
                    update(Job).where(Job.kind == "purge").values(lease_until=datetime(2020, 1, 1, tzinfo=UTC))
                )

    assert deaths > 3
    assert rows(api, gone) == {}
    assert files(api, gone) == []
    assert rows(api, kept) == before
    assert files(api, kept)
    with api.db.read() as session:
        assert session.get(Project, gone) is None
        job = session.execute(select(Job).where(Job.kind == "purge")).scalar_one()
        assert (job.state, job.project_id, job.result) == ("done", None, {"purged": gone})
        assert session.execute(select(Event.action).order_by(Event.id.desc()).limit(1)).scalar_one() == "project.purged"
    assert (words(api, gone), words(api, kept)) == (0, 60)
    assert purging.left_over(api.db, api.settings) == []
    found = boss.get(f"/projects/{kept}/items", params={"q": "purrs"}).json()["items"]
    assert found


def test_a_project_that_was_brought_back_is_not_purged(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.delete(f"/projects/{project}")
    boss.post(f"/projects/{project}/restore")

    with api.db.read() as session:
        assert session.execute(select(Job.state).where(Job.kind == "purge")).scalars().all() == ["cancelled"]
    with api.db.write() as session:  # a worker was just taking it
        session.execute(update(Job).values(state="waiting", due_at=datetime(2020, 1, 1, tzinfo=UTC)))
    api.worker().run_waiting()

    assert boss.get(f"/projects/{project}").status_code == 200


def test_what_was_deleted_before_there_was_a_purge_is_asked_for_once(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.delete(f"/projects/{project}")
    with api.db.write() as session:
        session.query(Job).delete()
        ago = datetime.now(UTC) - timedelta(days=8)
        session.execute(update(Project).values(deleted_at=ago))
    (api.settings.data / "media" / "77").mkdir(parents=True)

    left = purging.left_over(api.db, api.settings)

    assert left == [f"project {project} was to be purged", str(api.settings.data / "media" / "77")]
    assert (purging.request_missing(api.db), purging.request_missing(api.db)) == (1, 0)


def test_the_webhooks_of_a_deleted_project_are_silent_until_it_is_back(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    hook = boss.post(
        f"/projects/{project}/webhooks", json={"url": "https://example.org/hook", "events": ["round.published"]}
    ).json()["id"]
    boss.post(f"/projects/{project}/webhooks/{hook}/test")
    sent: list[courier.Letter] = []

    def post(letter: courier.Letter, settings: Any) -> tuple[int, None]:
        sent.append(letter)
        return 200, None

    monkeypatch.setattr(courier, "send", post)
    boss.delete(f"/projects/{project}")

    assert courier.deliver_some(api.db, api.settings) is False
    assert sent == []
    boss.post(f"/projects/{project}/restore")
    assert courier.deliver_some(api.db, api.settings) is True
    assert len(sent) == 1
