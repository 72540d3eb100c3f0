"""A project's life: its goal in four measures, pausing, archiving, deleting and coming back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import update

from app.db import Project
from tests.api.test_audit_choice import patch
from tests.api.test_labelling import answer, member, ready, take
from tests.conftest import Api


def test_a_goal_is_followed_in_labels_hours_and_days(api: Api) -> None:
    day = (datetime.now(UTC) + timedelta(days=10)).date().isoformat()
    boss, project = ready(api, 10, goal={"labels": 4, "hours": 0.01, "date": day, "accuracy": 0.9}, audit_share=0)
    for lease in take(boss, project, 2):
        answer(boss, lease["id"])  # 2.5 seconds each

    parts = {part["name"]: part for part in boss.get(f"/projects/{project}/status").json()["goal_parts"]}
    seen = boss.get(f"/projects/{project}/progress").json()["project"]["goal_parts"]

    assert parts["labels"] | {"words": ""} == {
        "name": "labels", "target": 4, "now": 2, "share": 0.5, "reached": False, "words": "",
    }  # fmt: skip
    assert parts["hours"]["share"] == pytest.approx(5 / 36, abs=0.01)
    assert parts["date"]["words"].startswith("10 days left")
    assert parts["accuracy"]["words"] == "90 % right: cannot tell yet"
    assert {part["name"]: part for part in seen} == parts


def test_hours_count_for_answers_that_were_taken_back_too(api: Api) -> None:
    boss, project = ready(api, 10, goal={"hours": 0.001}, audit_share=0)  # 3.6 seconds
    for lease in take(boss, project, 2):
        answer(boss, lease["id"])
    boss.delete(f"/leases/{lease['id']}/annotation")

    (part,) = boss.get(f"/projects/{project}/status").json()["goal_parts"]

    assert (part["reached"], part["share"], part["words"]) == (True, 1.0, "0.0 of 0.001 hours")


@pytest.mark.parametrize("day", ["soon", "2026-02-30", "24.12.2026", "2026-12-24T10:00"])
def test_a_goal_of_no_day_is_refused(api: Api, day: str) -> None:
    boss = api.as_("boss")
    body = {"name": "P", "modality": "text", "task": {"classes": ["a", "b"]}, "goal": {"date": day}}

    refused = boss.post("/projects", json=body)

    assert refused.status_code == 422
    assert not boss.get("/projects").json()["items"]


def test_a_last_day_that_is_over_is_refused_where_it_is_set_and_kept_where_it_was_reached(api: Api) -> None:
    boss = api.as_("boss")
    over, today = {"labels": 9, "date": "2020-01-01"}, datetime.now(UTC).date().isoformat()
    body = {"name": "P", "modality": "text", "task": {"classes": ["a", "b"]}}
    made = boss.post("/projects", json={**body, "goal": over})
    project = boss.project(goal={"labels": 9, "date": today})["id"]

    set_back = patch(boss, project, goal=over)
    with api.db.write() as session:
        session.execute(update(Project).values(goal=over))
    kept = patch(boss, project, goal={**over, "labels": 20}, guidelines="Go on")
    moved = patch(boss, project, goal={"date": "2020-01-02"})
    none = patch(boss, project, goal=None)

    for refused in (made, set_back):
        assert refused.status_code == 422
        assert refused.json()["detail"] == "the last day of the goal, 1 January 2020, is over: name a later one"
        assert refused.json()["fields"] == {"goal.date": "is over"}
    assert [each.status_code for each in (kept, moved, none)] == [200, 422, 200]
    assert len(boss.get("/projects").json()["items"]) == 1


@pytest.mark.parametrize("accuracy", [90, 1.01, 0, -0.9])
def test_an_accuracy_in_percent_is_refused_with_how_it_is_written(api: Api, accuracy: float) -> None:
    body = {"name": "P", "modality": "text", "task": {"classes": ["a", "b"]}, "goal": {"accuracy": accuracy}}

    refused = api.as_("boss").post("/projects", json=body)

    assert refused.status_code == 422
    assert refused.json()["detail"] == "goal.accuracy: accuracy is a share between 0 and 1, e.g. 0.9 for 90 %"


def test_what_was_deleted_is_listed_with_its_last_moment_for_its_managers(api: Api) -> None:
    boss = api.as_("boss")
    kept, gone = boss.project(name="kept")["id"], boss.project(name="gone")["id"]
    ann = member(api, boss, gone, "ann")
    mia = member(api, boss, gone, "mia", "manager")
    boss.delete(f"/projects/{gone}")

    found = mia.get("/projects", params={"deleted": True}).json()["items"]

    assert [each["id"] for each in found] == [gone]
    left = datetime.fromisoformat(found[0]["gone_at"]) - datetime.fromisoformat(found[0]["deleted_at"])
    assert left == timedelta(days=7)
    assert ann.get("/projects", params={"deleted": True}).json()["items"] == []
    assert [each["id"] for each in boss.get("/projects").json()["items"]] == [kept]
    assert boss.get("/projects").json()["items"][0]["gone_at"] is None


def test_after_seven_days_nothing_comes_back(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.delete(f"/projects/{project}")
    with api.db.write() as session:
        session.execute(update(Project).values(deleted_at=datetime.now(UTC) - timedelta(days=7, minutes=1)))

    assert boss.get("/projects", params={"deleted": True}).json()["items"] == []
    assert boss.post(f"/projects/{project}/restore").status_code == 404


def test_a_copy_has_everything_but_the_items(api: Api) -> None:
    boss = api.as_("boss")
    given = {"guidelines": "# Be kind", "goal": {"labels": 50}, "audit_share": 0.2, "overlap": 2, "round_size": 30}
    source = boss.project(["cat", "dog", "hound"], strategy={"name": "margin"}, **given)
    where = f"/projects/{source['id']}"
    member(api, boss, source["id"], "ann")
    boss.push(source["id"], [{"key": "a", "text": "one", "label": "cat"}])
    boss.patch(f"{where}/classes/2", json={"name": "canine", "description": "It barks.", "hotkey": "q"})
    boss.post(f"{where}/classes/1/merge", json={"into": 2})

    copied = boss.post("/projects", json={"copy_of": source["id"], "name": "Pets again"})

    found = copied.json()
    assert copied.status_code == 201, copied.text
    assert {key: found[key] for key in given} == given
    assert (found["name"], found["slug"], found["strategy"]) == ("Pets again", "pets-again", {"name": "margin"})
    assert [(each["id"], each["name"], each["hotkey"], each["description"]) for each in found["classes"]] == [
        (1, "canine", "q", "It barks."), (2, "hound", "3", ""),
    ]  # fmt: skip
    people = boss.get(f"/projects/{found['id']}/members").json()["items"]
    assert [(each["user"], each["role"]) for each in people] == [("ann", "annotator"), ("boss", "manager")]
    assert boss.get(f"/projects/{found['id']}/items").json()["items"] == []
    boss.push(found["id"], [{"key": "b", "text": "two", "label": "dog"}])  # a former name is one here too
    assert boss.get(f"/projects/{found['id']}/items?class=canine").json()["items"][0]["key"] == "b"
    assert boss.get(f"{where}/items").json()["items"][0]["key"] == "a"


def test_only_managers_copy_and_a_copy_takes_nothing_else(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    rev = member(api, boss, project, "rev", "reviewer")
    body = {"copy_of": project, "name": "Again"}

    assert rev.post("/projects", json=body).status_code == 403
    assert api.as_("eve").post("/projects", json=body).status_code == 404
    assert boss.post("/projects", json={**body, "overlap": 3}).status_code == 422
    assert boss.post("/projects", json={"name": "Again"}).status_code == 422
    assert len(boss.get("/projects").json()["items"]) == 1


def test_a_strategy_for_questions_of_the_other_kind_is_refused_by_name(api: Api) -> None:
    boss = api.as_("boss")
    one = boss.project(["cat", "dog"])["id"]
    several = boss.project(["cat", "dog"], task={"multiple": True})["id"]

    def set_to(project: int, **strategy: Any) -> Response:
        where = f"/projects/{project}"
        newest = {"If-Match": f'"{boss.get(where).json()["version"]}"'}
        return boss.patch(where, json={"strategy": strategy}, headers=newest)

    stars = {"type": "rating", "minimum": 1, "maximum": 5, "step": 1}
    rated = boss.post("/projects", json={"name": "Stars", "modality": "text", "task": stars}).json()["id"]
    for project, name, said in (
        (one, "cvirs", "several classes an item"),
        (several, "epig", "one class an item"),
        (one, "gsi", "a number as the answer"),
        (rated, "cvirs", "several classes an item"),
    ):
        refused = set_to(project, name=name)
        assert (refused.status_code, said in refused.json()["detail"]) == (422, True)
    made = {"type": "classification", "classes": ["cat", "dog"]}
    body = {"name": "P", "modality": "text", "task": made, "strategy": {"name": "mean_doubt"}}
    assert boss.post("/projects", json=body).status_code == 422
    assert set_to(several, name="cvirs").status_code == 200
    assert set_to(one, name="bald", heads=4).status_code == 200
    assert set_to(rated, name="model_change", members="learners").status_code == 200
