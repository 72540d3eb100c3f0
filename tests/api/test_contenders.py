"""Two learners of a project side by side: a job fits both, and says what changed hands, item by item."""

from typing import Any

import pytest
from sqlalchemy import select, update

from app.db import Item, Job, Project
from tests.api.test_audit_choice import say
from tests.api.test_labelling import member
from tests.api.test_loop import pets
from tests.conftest import Api, Speaker

RIDGE, LOGISTIC = {"name": "ridge"}, {"name": "logistic", "strength": 0.001}


def ask(speaker: Speaker, project: int, *learners: dict[str, Any]) -> Any:
    return speaker.post(f"/projects/{project}/learner-comparisons", json={"learners": list(learners)})


def learned(api: Api, **given: Any) -> tuple[Speaker, int]:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5, round_size=50, **given)["id"]
    boss.push(project, pets(160))
    api.run_jobs()
    say(boss, project, 48)
    api.run_jobs()
    return boss, project


def test_two_learners_are_held_against_each_other_on_the_same_audit_answers(api: Api) -> None:
    boss, project = learned(api)

    asked = ask(boss, project, RIDGE, LOGISTIC)
    job = asked.json()["job"]["id"]
    waiting = boss.get(f"/projects/{project}/learner-comparisons/{job}")
    api.run_jobs()
    found = boss.get(f"/projects/{project}/learner-comparisons/{job}").json()
    turned = ask(boss, project, LOGISTIC, RIDGE).json()["job"]["id"]
    api.run_jobs()
    other = boss.get(f"/projects/{project}/learner-comparisons/{turned}").json()
    answers = boss.get(f"/projects/{project}/status").json()["audit"]["answers"]

    assert (asked.status_code, waiting.status_code) == (202, 409)
    assert waiting.json()["detail"] == "the comparison is waiting"
    apart = found["accuracy"]["difference"]
    assert found["accuracy"]["stratum"] == "audit"
    assert apart["n"] == found["accuracy"]["first"]["n"] == answers - found["accuracy"]["ties"]
    assert apart["low"] <= apart["value"] <= apart["high"]
    assert apart["value"] == pytest.approx((found["gained"]["count"] - found["lost"]["count"]) / apart["n"], abs=1e-4)
    for given in (found["gained"], found["lost"]):
        listed = boss.get(f"/projects/{project}/items?{given['filter']}").json()["items"] if given["count"] else []
        assert sorted(each["key"] for each in listed) == sorted(each["key"] for each in given["items"])
    assert all(each["second"] == each["answer"] != each["first"] for each in found["gained"]["items"])
    assert all(each["first"] == each["answer"] != each["second"] for each in found["lost"]["items"])
    assert found["gained"]["count"] + found["lost"]["count"] > 0
    assert "logistic (strength 0.001)" in found["words"].lower()
    assert "ridge" in found["words"].lower()
    assert other["gained"]["items"] == [
        {**each, "first": each["second"], "second": each["first"]} for each in found["lost"]["items"]
    ]
    assert other["accuracy"]["difference"]["low"] == -apart["high"]
    assert sum(each["difference"]["n"] for each in found["classes"]) == apart["n"]
    assert [each["id"] for each in boss.get(f"/projects/{project}/learner-comparisons").json()["items"]] == [
        turned,
        job,
    ]


def test_only_managers_see_which_items_judge_and_erased_ones_leave_it(api: Api) -> None:
    boss, project = learned(api)
    other = boss.project(name="Other", slug="other")["id"]
    rev = member(api, boss, project, "rev", "reviewer")
    job = ask(boss, project, RIDGE, LOGISTIC).json()["job"]["id"]
    api.run_jobs()
    with api.db.read() as session:
        judged = (session.get_one(Job, job).result or {})["judged"][0]["audit"]["items"]
    before = boss.get(f"/projects/{project}/learner-comparisons/{job}").json()["accuracy"]

    assert ask(rev, project, RIDGE, LOGISTIC).status_code == 403
    assert rev.get(f"/projects/{project}/learner-comparisons").status_code == 403
    assert rev.get(f"/projects/{project}/learner-comparisons/{job}").status_code == 403
    assert rev.get(f"/jobs/{job}").status_code == 403
    assert boss.get(f"/jobs/{job}").json()["state"] == "done"
    assert boss.get(f"/projects/{other}/learner-comparisons/{job}").status_code == 404
    boss.delete(f"/items/{judged[0]}", params={"erase": True})
    api.run_jobs()
    with api.db.read() as session:
        kept = (session.get_one(Job, job).result or {})["judged"]
        assert session.get_one(Item, judged[0]).key == f"erased-{judged[0]}"
    assert all(judged[0] not in side["audit"]["items"] for side in kept)
    assert all(len(side["audit"][name]) == len(judged) - 1 for side in kept for name in ("items", "said", "answers"))
    after = boss.get(f"/projects/{project}/learner-comparisons/{job}").json()["accuracy"]
    assert after["difference"]["n"] + after["ties"] == before["difference"]["n"] + before["ties"] - 1


def test_what_cannot_be_compared_is_refused_with_the_reason(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5)["id"]
    empty = ask(boss, project, RIDGE, LOGISTIC)
    boss.push(project, pets(30))
    early = ask(boss, project, RIDGE, LOGISTIC)
    api.run_jobs()

    refused = [
        ask(boss, project, RIDGE, RIDGE),
        ask(boss, project, RIDGE, {"name": "forest"}),
        ask(boss, project, RIDGE, {"name": "ridge", "strength": -1}),
        ask(boss, project, RIDGE, {"name": "external"}),
        ask(boss, project, RIDGE),
    ]
    job = ask(boss, project, RIDGE, LOGISTIC).json()["job"]["id"]
    api.run_jobs()
    failed = boss.get(f"/projects/{project}/learner-comparisons/{job}")

    assert (empty.status_code, early.status_code) == (409, 409)
    assert empty.json()["detail"] == "the project has no items yet: push some first"
    assert early.json()["detail"].startswith("the items have no features yet: a worker is making them")
    assert [each.status_code for each in refused] == [422] * 5
    assert "trained elsewhere" in refused[3].json()["detail"]
    assert failed.status_code == 409
    assert "nothing judges both learners: too few audit answers" in failed.json()["detail"]
    with api.db.write() as session:
        session.execute(update(Project).values(state="closed"))
    assert ask(boss, project, RIDGE, LOGISTIC).status_code == 202  # nothing of the project is changed by it


def test_chosen_audit_items_judge_nothing_which_is_said_before_a_job_is_made(api: Api) -> None:
    boss, project = learned(api, audit_choice="active")
    for count in (1, 30):  # the first of these rounds has a learner that chooses
        say(boss, project, count)
        boss.post(f"/projects/{project}/rounds")
        api.run_jobs()
    newest = boss.get(f"/projects/{project}/rounds").json()["items"][0]["metrics"]

    refused = ask(boss, project, RIDGE, LOGISTIC)
    with api.db.read() as session:
        made = session.execute(select(Job).where(Job.kind == "contend")).first()
    tests = [{**row, "key": f"{row['key']}-test", "label": row["key"][:3], "split": "audit"} for row in pets(30)]
    boss.push(project, tests)
    own = ask(boss, project, RIDGE, LOGISTIC)
    api.run_jobs()
    found = boss.get(f"/projects/{project}/learner-comparisons/{own.json()['job']['id']}").json()

    assert newest["audit"]["how"]["choice"] == "active"
    assert (refused.status_code, own.status_code, made) == (409, 202, None)
    assert refused.json()["detail"] == ("nothing judges both learners: audit items are chosen, and no fair sample")
    assert found["accuracy"]["stratum"] == "imported"


def test_a_question_that_no_learner_answers_has_nothing_to_compare(api: Api) -> None:
    boss = api.as_("boss")
    body = {"name": "Talk", "modality": "text", "task": {"type": "transcription"}}
    project = boss.post("/projects", json=body).json()["id"]

    refused = ask(boss, project, RIDGE, LOGISTIC)

    assert refused.status_code == 409
    with api.db.read() as session:
        assert session.execute(select(Job).where(Job.kind == "contend")).first() is None
