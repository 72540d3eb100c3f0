"""Every figure of the overview leads to the items behind it: the link's filter lists as many as the figure says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app.db import Annotation
from tests.api.test_loop import pets
from tests.conftest import Api, Speaker


def listed(speaker: Speaker, project: int, filter_: str) -> int:
    """How many items a filter lists over REST, page by page."""
    count, cursor = 0, ""
    while True:
        answer = speaker.get(f"/projects/{project}/items?{filter_}&limit=200{cursor}")
        assert answer.status_code == 200, answer.text
        page = answer.json()
        count += len(page["items"])
        if page["next"] is None:
            return count
        cursor = f"&cursor={page['next']}"


def lease(speaker: Speaker, project: int) -> dict[str, Any]:
    found: dict[str, Any] = speaker.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]
    return found


def answer(speaker: Speaker, project: int, count: int, wrong: int = 0) -> list[dict[str, Any]]:
    """Answer as the key of each item says, the first ones wrongly."""
    stored = []
    for number in range(count):
        held = lease(speaker, project)
        right = held["item"]["key"][:3]
        label = {"class": right if number >= wrong else {"cat": "dog", "dog": "cat"}[right]}
        body = {"lease": held["id"], "label": label, "seconds_spent": 1.0}
        stored.append(speaker.post("/annotations", json=body).json())
    return stored


def put(speaker: Speaker, stored: dict[str, Any], name: str) -> None:
    headers = {"If-Match": f'"{stored["version"]}"'}
    changed = speaker.put(f"/annotations/{stored['id']}", json={"label": {"class": name}}, headers=headers)
    assert changed.status_code == 200, changed.text


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


@pytest.mark.night
def test_every_figure_leads_to_as_many_items(api: Api, boss: Speaker) -> None:
    project = boss.project(audit_share=0.3, round_size=20)["id"]
    boss.push(project, pets(90))
    boss.push(project, [{"key": f"t{n}", "text": f"meow {n}", "label": "cat", "split": "audit"} for n in range(3)])
    api.run_jobs()
    ann = api.as_("ann")
    boss.post(f"/projects/{project}/members", json={"user": "ann", "role": "annotator"})
    given = answer(ann, project, 12, wrong=2) + answer(boss, project, 12)
    ann.delete(f"/leases/{given[5]['lease']}/annotation")
    ann.delete(f"/projects/{project}/leases")
    put(boss, given[0], given[0]["key"][:3])
    boss.post(f"/leases/{lease(boss, project)['id']}/skip", json={"reason": "unclear"})
    boss.post(f"/items/{given[3]['item']}/flags", json={"note": "odd"})
    boss.post(f"/projects/{project}/items/bulk", json={"filter": "q=dog&status=open", "set": {"state": "excluded"}})
    api.run_jobs()
    found = boss.get(f"/projects/{project}/overview").json()
    status, pace = found["status"], found["pace"]
    wall = boss.get(f"/projects/{project}/wall?count=200").json()

    links = {
        "status=answered": status["items"]["answered"],
        "status=open": status["items"]["open"],
        "status=open&status=answered&status=excluded&status=fetching&status=failed": status["items"]["total"] - 3,
        "status=test": 3,
        "status=flagged": 1,
        "status=skipped": 1,
        "status=excluded": status["items"]["excluded"],
        "kind=audit": status["audit"]["answers"],
        "queued=true": status["queue"]["depth"],
        f"answered_after={pace['last_7_days'][-1]['day']}": pace["today"],
        f"answered_after={pace['last_7_days'][0]['day']}": pace["items_7_days"],
        f"answered_before={pace['last_7_days'][-1]['day']}": 0,
        "annotator=ann": 11,
        "annotator=boss": 12,
        "disputed=true": 0,
    }
    for each in found["balance"]:
        links[f"state=open&split=pool&class={each['class']['name']}"] = each["items"]
    for row in found["rounds"]:
        links[f"learned={row['number']}"] = row["labels"]
    for pile in wall["piles"]:
        links[f"status=open&predicted.class={pile['class']['name']}"] = pile["total"]
    assert status["items"]["excluded"] > 5
    assert pace["today"] == 23
    assert len(found["rounds"]) > 1
    assert found["rounds"][0]["labels"] > 15
    assert {filter_: listed(boss, project, filter_) for filter_ in links} == links
    assert {each["id"]: each["answers"] for each in boss.get(f"/projects/{project}/pace").json()["items"]} == {
        1: 12,
        2: 11,
    }


def test_who_when_and_why_hold_of_one_and_the_same_answer(api: Api, boss: Speaker) -> None:
    project = boss.project(overlap=2, audit_share=0)["id"]
    boss.push(project, [{"key": f"k{n}", "text": f"text {n}"} for n in range(3)])
    ann = api.as_("ann")
    boss.post(f"/projects/{project}/members", json={"user": "ann", "role": "annotator"})
    for speaker, name in ((boss, "cat"), (ann, "dog")):
        for _ in range(2):
            body = {"lease": lease(speaker, project)["id"], "label": {"class": name}}
            assert speaker.post("/annotations", json=body).status_code == 201
    long_ago = datetime.now(UTC) - timedelta(days=30)
    with api.db.write() as session:
        session.execute(update(Annotation).where(Annotation.annotator_id == 1).values(created_at=long_ago))

    day = (long_ago + timedelta(days=2)).date().isoformat()
    assert listed(boss, project, f"annotator=boss&answered_before={day}") == 2
    assert listed(boss, project, f"annotator=ann&answered_before={day}") == 0
    assert listed(boss, project, f"annotator=ann&annotator=boss&answered_after={day}") == 2
    assert listed(boss, project, f"answered_after={day}T00:00Z&kind=random") == 2
    disputed = boss.get(f"/projects/{project}/overview").json()["disputed"]
    assert listed(boss, project, "disputed=true") == disputed
    assert disputed in (1, 2)


def test_a_managers_word_alone_says_the_class(api: Api, boss: Speaker) -> None:
    project = boss.project(overlap=2, audit_share=0)["id"]
    boss.push(project, [{"key": "k", "text": "text", "labels": [{"annotator": "a", "label": "cat"}]}])
    rows = [{"key": "k", "label": "dog", "origin": "human"}]
    boss.post(f"/projects/{project}/annotations", json=rows)
    mine = boss.get(f"/projects/{project}/items").json()["items"][0]["answers"][1]
    assert (listed(boss, project, "class=cat"), listed(boss, project, "disputed=true")) == (1, 1)

    put(boss, mine, "dog")

    assert (listed(boss, project, "class=cat"), listed(boss, project, "class=dog")) == (0, 1)
    assert listed(boss, project, "disputed=true") == 0


@pytest.mark.parametrize(
    "asked",
    [
        "answered_after=yesterday",
        "answered_after=2026-11-28T09:00",
        "answered_before=2026-02-30",
        "answered_after=9999-12-31",
        "annotator=nobody",
        "kind=why",
        "disputed=maybe",
        "learned=7",
        "learned=x",
        "learned=1.5",
        "annotator:>3",
    ],
)
def test_what_cannot_be_meant_is_refused(boss: Speaker, asked: str) -> None:
    project = boss.project()["id"]

    answer = boss.get(f"/projects/{project}/items?{asked}")

    assert answer.status_code == (200 if asked.endswith("9999-12-31") else 422), answer.text


def test_reviewers_are_not_told_why_items_were_served(api: Api, boss: Speaker) -> None:
    project = boss.project()["id"]
    boss.push(project, [{"key": "k", "text": "text"}])
    eve = api.as_("eve")
    boss.post(f"/projects/{project}/members", json={"user": "eve", "role": "reviewer"})

    for path in (f"/projects/{project}/items?kind=audit", f"/projects/{project}/items/count?kind=audit"):
        assert eve.get(path).status_code == 403
    assert eve.get(f"/projects/{project}/export?format=jsonl&kind=audit").status_code == 403
    assert eve.post(f"/projects/{project}/leases", json={"filter": "kind=audit"}).status_code == 403
    assert eve.get(f"/projects/{project}/items?annotator=eve").status_code == 200
