"""Another question drives the queue: what was known of the first one's choice is not said of it."""

from typing import Any

from sqlalchemy import select, update

from app.db import Project, Round
from app.evaluation.guard import Guard
from app.evaluation.saved import Saved
from app.services import guarding
from tests.api.test_questions import submit, take, texts
from tests.conftest import Api, Speaker

TOPIC = {"name": "topic", "type": "classification", "classes": ["war", "sport"]}
TONE = {"name": "tone", "type": "classification", "classes": ["sad", "glad"]}


def answer(speaker: Speaker, project: int, count: int) -> None:
    for number, lease in enumerate(take(speaker, project, count)):
        label: dict[str, Any] = {"topic": {"class": TOPIC["classes"][number % 2]}}
        label["tone"] = {"class": TONE["classes"][number % 2]}
        assert submit(speaker, lease["id"], {"fields": label}).status_code == 201


def newest(api: Api, project: int) -> Round:
    with api.db.read() as session:
        rows = select(Round).where(Round.project_id == project, Round.state == "done").order_by(Round.number.desc())
        return session.execute(rows).scalars().first()


def test_labels_saved_and_the_guard_are_of_the_question_that_drives(api: Api) -> None:
    boss = api.as_("boss")
    task = {"type": "form", "fields": [TOPIC, TONE]}
    body = {"name": "News", "modality": "text", "task": task, "audit_share": 0.5, "goal": {"accuracy": 0.9}}
    made = boss.post("/projects", json=body)
    project = made.json()["id"]
    boss.push(project, texts(120))
    api.run_jobs()
    answer(boss, project, 30)
    api.run_jobs()
    before = newest(api, project)
    kept = Saved.from_json(before.metrics["saved"])
    known = Saved(2, 200, 150, 50, 40, 120, before.number, kept.classes, 0, kept.apart)
    raised = {"saved": known.to_json(), "guard": Guard(raised=True, judged=40).to_json()}
    with api.db.write() as session:
        session.execute(update(Round).where(Round.id == before.id).values(metrics=before.metrics | raised))
    measured = boss.get(f"/projects/{project}/overview").json()
    said = measured["words"]["saved"]

    state = boss.get(f"/projects/{project}").json()
    fields = [{"name": "topic", "type": "classification", "drives": False}]
    fields += [{"name": "tone", "type": "classification", "drives": True}]
    changed = boss.patch(
        f"/projects/{project}",
        json={"task": {"type": "form", "fields": fields}},
        headers={"If-Match": f'"{state["version"]}"'},
    )
    between = boss.get(f"/projects/{project}/overview").json()
    bar = boss.get(f"/projects/{project}/progress").json()["project"]["goal_parts"]
    answer(boss, project, 20)
    boss.post(f"/projects/{project}/rounds")
    api.run_jobs()

    assert kept.classes == tuple(before.class_ids)
    assert said.startswith("Choosing saved 40 to 120 labels")
    assert changed.status_code == 200, changed.text
    assert measured["curve"]
    assert measured["status"]["audit"]["accuracy"] is not None
    assert (between["status"]["audit"]["accuracy"], between["curve"], between["stopping"]) == (None, [], None)
    assert between["words"]["accuracy"].startswith("Cannot tell yet")
    assert [part["words"] for part in bar] == ["90 % right: cannot tell yet"]
    after = newest(api, project)
    found = Saved.from_json(after.metrics["saved"])
    assert not set(after.class_ids) & set(before.class_ids)
    assert (found.looks, found.judged, found.labels, found.classes) == (2, 0, None, tuple(after.class_ids))
    assert found.since > 0
    assert boss.get(f"/projects/{project}/overview").json()["words"]["saved"].startswith("Cannot tell yet")
    assert not after.metrics["guard"]["raised"]
    with api.db.read() as session:
        assert session.get_one(Project, project).state == "open"
        assert guarding.standing(session, project, before.class_ids) == Guard()
