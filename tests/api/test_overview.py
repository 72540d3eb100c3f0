"""The overview: what it draws is what the rounds measured, and where nothing was measured it says why."""

import time

from sqlalchemy import select, update

from app.db import Job, Round
from app.services import demo
from tests.api.test_labelling import member
from tests.api.test_loop import pets
from tests.conftest import Api, Speaker


def answer(speaker: Speaker, project: int, count: int) -> None:
    """Answer as the key of each item says."""
    for _ in range(count):
        lease = speaker.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]
        body = {"lease": lease["id"], "label": {"class": lease["item"]["key"][:3]}, "seconds_spent": 1.0}
        assert speaker.post("/annotations", json=body).status_code == 201


def test_before_any_answer_the_overview_says_what_is_missing(api: Api) -> None:
    boss = api.as_("boss")
    audited, blind = boss.project(name="a")["id"], boss.project(name="b", audit_share=0)["id"]

    first = boss.get(f"/projects/{audited}/overview").json()
    second = boss.get(f"/projects/{blind}/overview").json()

    assert first["curve"] == second["curve"] == []
    assert first["random"] is None
    assert first["words"]["accuracy"] == "Cannot tell yet: 0 of the 5 answered audit items that the curve begins with."
    assert second["words"]["accuracy"].startswith("Nothing judges the model: the audit share is 0. Set one")


def test_where_two_people_answer_each_item_the_curve_waits_for_items_and_not_for_answers(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=1, overlap=2)["id"]
    boss.push(project, pets(3))
    ann = member(api, boss, project, "ann")
    answer(boss, project, 3)
    answer(ann, project, 3)

    found = boss.get(f"/projects/{project}/overview").json()

    assert found["status"]["audit"]["answers"] == 6
    assert found["words"]["accuracy"] == "Cannot tell yet: 3 of the 5 answered audit items that the curve begins with."


def test_random_answers_alone_are_a_second_curve_beside_the_projects_own(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5, blind_share=0)["id"]
    boss.push(project, pets(200))
    api.worker().run_waiting()
    answer(boss, project, 40)
    api.worker().run_waiting()

    found = boss.get(f"/projects/{project}/overview").json()

    twin = found["curve"][-1]["twin"]
    assert found["curve"][-1]["labels"] == 40
    assert found["random"] == {
        "name": "random answers alone",
        "points": [{"labels": twin["labels"], "accuracy": twin["random"]}],
    }
    assert twin["labels"] < 40
    assert found["balance_of"] == "audit"
    assert {each["pool"]["n"] for each in found["balance"]} == {found["status"]["audit"]["answers"]}
    assert found["words"]["accuracy"].endswith("audit answers)")


def test_the_table_of_rounds_leaves_confusion_and_answers_to_each_round(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5)["id"]
    boss.push(project, pets(80))
    api.worker().run_waiting()
    answer(boss, project, 30)
    api.worker().run_waiting()

    newest = boss.get(f"/projects/{project}/overview").json()["rounds"][0]

    assert set(newest["metrics"]) == {"accuracy", "macro_f1", "stratum", "reason", "how"}
    assert "annotations" not in newest
    assert boss.get(f"/projects/{project}/rounds/{newest['number']}").json()["metrics"]["confusion"]


def test_a_round_whose_metrics_are_still_being_computed_is_no_point_of_the_curve(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5)["id"]
    boss.push(project, pets(80))
    api.worker().run_waiting()
    answer(boss, project, 30)
    api.worker().run_waiting()
    with api.db.write() as session:
        session.execute(update(Round).where(Round.number == 2).values(state="published", metrics=None))

    found = boss.get(f"/projects/{project}/overview").json()

    assert found["curve"] == []
    assert found["rounds"][0]["metrics"] is None


def test_the_demo_shows_its_simulated_random_annotator_once_a_race_is_over(api: Api) -> None:
    project, _ = demo.ensure_demo(api.db, api.settings)
    boss = api.as_("boss")
    points = {"chosen": [], "random": [{"labels": 10, "accuracy": None}, {"labels": 20, "accuracy": {"value": 0.5}}]}
    with api.db.write() as session:
        job = session.execute(select(Job).where(Job.project_id == project)).scalars().first()
        assert job is not None
        job.kind, job.state, job.result = "simulate", "running", {"points": points}
    assert boss.get(f"/projects/{project}/overview").json()["random"] is None
    with api.db.write() as session:
        session.execute(update(Job).where(Job.project_id == project).values(state="done"))

    found = boss.get(f"/projects/{project}/overview").json()["random"]

    assert found["name"] == "a random annotator, simulated"
    assert found["points"] == [{"labels": 20, "accuracy": {"value": 0.5}}]


def test_a_change_before_the_question_is_not_waited_for(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    seen = boss.get(f"/projects/{project}/overview").json()["status"]["version"]
    boss.push(project, pets(3))

    begun = time.monotonic()
    changed = boss.get(f"/projects/{project}/status", params={"wait": 20, "seen": seen})
    same = boss.get(f"/projects/{project}/status", params={"wait": 0.5, "seen": changed.json()["version"]})

    assert changed.json()["items"]["total"] == 3
    assert 0.5 <= time.monotonic() - begun < 10
    assert same.json()["version"] == changed.json()["version"]
