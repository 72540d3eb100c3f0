"""Is it worth going on? What a round weighs, what the status says of it, and a project that stops by itself."""

from typing import Any

import pytest
from sqlalchemy import select, update

from app.db import Event, Project, Round
from tests.api.test_labelling import member
from tests.api.test_loop import pets
from tests.api.test_overview import answer
from tests.conftest import Api, Speaker


def labelled(api: Api, answers: int, **settings: Any) -> tuple[Speaker, int]:
    """A project with a round behind each ten answers, while it is open."""
    boss = api.as_("boss")
    project = boss.project(audit_share=0.5, blind_share=0, round_size=10, **settings)["id"]
    boss.push(project, pets(200))
    api.run_jobs()
    for _ in range(answers // 10):
        if boss.get(f"/projects/{project}").json()["state"] == "open":
            answer(boss, project, 10)
            api.run_jobs()
    return boss, project


def test_a_round_says_by_every_criterion_whether_to_go_on(api: Api) -> None:
    boss, project = labelled(api, 60, goal={"accuracy": 0.99, "hour_price": 30, "point_worth": 5, "cost": 1000})

    found = boss.get(f"/projects/{project}/overview").json()
    rounds = boss.get(f"/projects/{project}/rounds").json()["items"]

    stopping = found["stopping"]
    by_name = {each["name"]: each for each in (*stopping["dials"], *stopping["others"])}
    assert [each["name"] for each in stopping["dials"]] == ["settled", "curve", "certified"]
    assert len(by_name) == 12
    assert by_name["settled"]["stop"] is True  # two words tell the pets apart
    assert by_name["certified"]["stop"] is False
    assert by_name["budget"]["words"].endswith("of 1,000 cost are spent.")
    assert stopping["round"] == rounds[0]["number"]
    seen = [each["metrics"]["stopping"]["seen"] for each in rounds if each["metrics"]]
    assert seen[0]["labels"] == 60
    assert seen[0]["agreement"] == pytest.approx(1)
    looks = [each["metrics"]["looks"] for each in rounds]
    assert looks == sorted(looks, reverse=True)
    assert looks[0] >= 5


def test_it_stops_by_itself_once_and_people_may_go_on(api: Api) -> None:
    boss, project = labelled(api, 60, goal={"stops": True})

    status = boss.get(f"/projects/{project}/status").json()
    assert status["state"] == "paused"
    assert status["advice"]["stop"] is True
    assert status["advice"]["text"].startswith("More labels would change little, you may stop")
    assert status["advice"]["text"].endswith("The project is paused: open it to go on.")
    with api.db.read() as session:
        told = session.execute(select(Event).where(Event.action == "project.stopped")).scalars().one()
        assert told.detail == {"because": ["settled"]}

    stored = boss.get(f"/projects/{project}")
    again = boss.patch(f"/projects/{project}", json={"state": "open"}, headers={"If-Match": stored.headers["etag"]})
    assert again.status_code == 200
    answer(boss, project, 10)
    api.run_jobs()

    found = boss.get(f"/projects/{project}/overview").json()
    assert (found["status"]["state"], found["stopping"]["stop"]) == ("open", True)


def change(boss: Speaker, project: int, **settings: Any) -> None:
    stored = boss.get(f"/projects/{project}")
    changed = boss.patch(f"/projects/{project}", json=settings, headers={"If-Match": stored.headers["etag"]})
    assert changed.status_code == 200, changed.text


def go_on(api: Api, boss: Speaker, project: int) -> str:
    """Ten answers and a round more, and the state of the project then."""
    answer(boss, project, 10)
    api.run_jobs()
    return str(boss.get(f"/projects/{project}").json()["state"])


def stopped_on(api: Api) -> list[list[str]]:
    with api.db.read() as session:
        found = session.execute(select(Event).where(Event.action == "project.stopped").order_by(Event.id)).scalars()
        return [each.detail["because"] for each in found]


def test_another_reason_stops_a_project_that_was_opened_again_and_the_same_one_does_not(api: Api) -> None:
    boss, project = labelled(api, 60, goal={"stops": True})
    settled = stopped_on(api)
    labels = boss.get(f"/projects/{project}/status").json()["items"]["answered"]

    change(boss, project, state="open", goal={"stops": True, "labels": labels + 20})
    states = [go_on(api, boss, project), go_on(api, boss, project)]
    budget = stopped_on(api)
    change(boss, project, state="open")
    states.append(go_on(api, boss, project))

    assert settled == [["settled"]]
    assert states == ["open", "paused", "open"]
    assert budget == stopped_on(api) == [["settled"], ["budget"]]


def test_a_higher_budget_that_is_spent_at_once_stops_again(api: Api) -> None:
    boss, project = labelled(api, 20, goal={"stops": True, "labels": 20})

    change(boss, project, state="open", goal={"stops": True, "labels": 30})

    assert go_on(api, boss, project) == "paused"
    assert stopped_on(api) == [["budget"], ["budget"]]


def test_a_stop_that_was_advised_while_somebody_had_paused_the_project_is_still_to_come(api: Api) -> None:
    boss, project = labelled(api, 10, goal={"stops": True, "labels": 20})
    answer(boss, project, 10)
    change(boss, project, state="paused")
    api.run_jobs()
    advised = boss.get(f"/projects/{project}/overview").json()["stopping"]

    change(boss, project, state="open")

    assert (advised["stop"], advised["because"]) == (True, ["budget"])
    assert stopped_on(api) == []
    assert go_on(api, boss, project) == "paused"
    assert stopped_on(api) == [["budget"]]


def test_where_two_people_answer_each_item_the_budget_counts_what_the_goal_counts(api: Api) -> None:
    boss, project = labelled(api, 10, goal={"stops": True, "labels": 2}, overlap=2)
    half = boss.get(f"/projects/{project}/overview").json()

    ann = member(api, boss, project, "ann")
    while boss.get(f"/projects/{project}/status").json()["items"]["answered"] < 2:
        answer(ann, project, 1)
    boss.post(f"/projects/{project}/rounds")
    api.run_jobs()
    whole = boss.get(f"/projects/{project}/overview").json()

    assert [told_of_labels(half), told_of_labels(whole)] == [("0 of 2", "0 of 2"), ("2 of 2", "2 of 2")]
    assert [half["status"]["state"], whole["status"]["state"]] == ["open", "paused"]


def told_of_labels(overview: dict[str, Any]) -> tuple[str, str]:
    """How many labels there are by the criterion of the budget, and by the goal."""
    [budget] = [each for each in overview["stopping"]["others"] if each["name"] == "budget"]
    [part] = overview["status"]["goal_parts"]
    return budget["words"].removesuffix(" labels are spent."), part["words"].removesuffix(" labels")


def test_a_round_of_a_release_that_kept_no_grounds_has_stopped_the_project_where_it_said_so(api: Api) -> None:
    boss, project = labelled(api, 20, goal={"stops": True, "labels": 20})
    with api.db.write() as session:
        [newest] = session.execute(select(Round).order_by(Round.number.desc()).limit(1)).scalars()
        old = {name: newest.metrics["stopping"][name] for name in ("seen", "criteria", "advice")}
        newest.metrics = newest.metrics | {"stopping": old}

    change(boss, project, state="open")

    assert go_on(api, boss, project) == "open"


def test_without_the_setting_it_only_advises_and_rounds_of_an_older_release_are_no_obstacle(api: Api) -> None:
    boss, project = labelled(api, 10)
    with api.db.write() as session:
        session.execute(update(Round).where(Round.number == 2).values(metrics={"accuracy": None, "guard": None}))
    before = boss.get(f"/projects/{project}/overview").json()
    answer(boss, project, 10)
    api.run_jobs()

    after = boss.get(f"/projects/{project}/overview").json()

    assert before["stopping"] is None
    assert after["stopping"]["round"] == 3
    assert after["status"]["state"] == "open"


@pytest.mark.parametrize("part", ["cost", "point_worth"])
def test_money_without_a_price_of_an_hour_is_refused(api: Api, part: str) -> None:
    body = {"name": "P", "modality": "text", "task": {"classes": ["a", "b"]}, "goal": {part: 10}}

    refused = api.as_("boss").post("/projects", json=body)

    assert refused.status_code == 422
    assert refused.json()["detail"] == f"goal: {part} needs hour_price: what an hour of labelling costs"
    assert refused.json()["fields"] == {"goal": f"{part} needs hour_price: what an hour of labelling costs"}


def test_audit_answers_kept_apart_teach_nothing(api: Api) -> None:
    boss, project = labelled(api, 20, audit_use="apart")

    shown = boss.get(f"/projects/{project}").json()
    newest = boss.get(f"/projects/{project}/rounds").json()["items"][0]
    overview = boss.get(f"/projects/{project}/overview").json()

    assert shown["audit_use"] == overview["audit_use"] == "apart"
    assert newest["labels"] == 20 - newest["metrics"]["accuracy"]["n"]
    learned = boss.get(f"/projects/{project}/items", params={"learned": newest["number"], "limit": 200}).json()["items"]
    assert len(learned) == newest["labels"]
    assert newest["metrics"]["accuracy"]["n"] == overview["status"]["audit"]["answers"]
    taught = boss.patch(
        f"/projects/{project}", json={"audit_use": "never"}, headers={"If-Match": f'"{shown["version"]}"'}
    )
    assert taught.status_code == 422


def told(boss: Speaker, project: int) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The advice, and each criterion by its name."""
    stopping = boss.get(f"/projects/{project}/overview").json()["stopping"]
    by_name = {each["name"]: each for each in (*stopping["dials"], *stopping["others"])}
    return stopping, by_name


def test_a_goal_that_was_lowered_is_judged_by_at_once(api: Api) -> None:
    boss, project = labelled(api, 60, goal={"accuracy": 0.999, "hour_price": 3_600, "point_worth": 1e9})
    high, high_by_name = told(boss, project)

    change(boss, project, goal={"accuracy": 0.01})
    low, low_by_name = told(boss, project)
    newest = boss.get(f"/projects/{project}/rounds").json()["items"][0]["metrics"]["stopping"]

    assert high_by_name["certified"]["stop"] is False
    assert high_by_name["gain"]["words"] != low_by_name["gain"]["words"]
    assert low_by_name["gain"]["words"].startswith("Not asked")
    assert low_by_name["certified"]["words"].endswith(" % right, of 1 % that the goal asks for.")
    assert (low["stop"], low["because"], low["round"]) == (True, ["certified"], high["round"])
    assert newest["advice"]["text"] == high["text"] != low["text"]  # what the round said then
    assert newest["terms"]["accuracy"] == 0.999


def test_a_goal_that_was_set_after_the_round_is_asked_at_once(api: Api) -> None:
    boss, project = labelled(api, 40)
    _, before = told(boss, project)

    change(boss, project, goal={"accuracy": 0.999, "labels": 40})
    found, after = told(boss, project)
    change(boss, project, goal=None)
    again, without = told(boss, project)

    names = ("certified", "budget")
    assert all(before[name]["words"].startswith("Not asked") for name in names)
    assert [after[name]["stop"] for name in names] == [False, True]
    assert after["budget"]["words"] == "40 of 40 labels are spent."
    assert (found["stop"], found["because"]) == (True, ["budget"])
    assert without == before
    assert again["because"] != ["budget"]


def test_a_round_of_a_release_that_kept_no_terms_advises_by_no_other_goal(api: Api) -> None:
    boss, project = labelled(api, 20, goal={"labels": 20})
    with api.db.write() as session:
        [newest] = session.execute(select(Round).order_by(Round.number.desc()).limit(1)).scalars()
        old = {name: part for name, part in newest.metrics["stopping"].items() if name != "terms"}
        newest.metrics = newest.metrics | {"stopping": old}
    kept, _ = told(boss, project)

    change(boss, project, goal={"labels": 90})
    found, _ = told(boss, project)

    assert (kept["stop"], kept["because"]) == (True, ["budget"])
    assert found["stop"] is False
    assert found["text"].startswith("The goal was changed since round ")


def test_a_last_day_that_was_moved_ends_the_advice_that_it_gave(api: Api) -> None:
    boss, project = labelled(api, 30, goal={"accuracy": 0.999})
    with api.db.write() as session:
        session.execute(update(Project).values(goal={"accuracy": 0.999, "date": "2020-01-01"}))  # as days go by
    answer(boss, project, 10)
    api.run_jobs()
    before = boss.get(f"/projects/{project}/overview").json()["stopping"]

    version = boss.get(f"/projects/{project}").json()["version"]
    goal = {"accuracy": 0.999, "date": "2099-01-01"}
    moved = boss.patch(f"/projects/{project}", json={"goal": goal}, headers={"If-Match": f'"{version}"'})
    after = boss.get(f"/projects/{project}/overview").json()["stopping"]

    assert moved.status_code == 200
    assert (before["stop"], before["text"]) == (True, "Stop: the last day of the goal is over.")
    assert "budget" not in after["because"]
