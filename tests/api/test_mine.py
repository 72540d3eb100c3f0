"""One's own answers: found, changed, and nothing of anybody else in them."""

import json
from typing import Any

import pytest

from tests.conftest import Api, Speaker


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


@pytest.fixture
def ann(api: Api, boss: Speaker, project: int) -> Speaker:
    """Answered k0 (cat), k1 (dog) and k2 (cat), skipped one and left a note on k1."""
    boss.post(f"/projects/{project}/members", json={"user": "ann", "role": "annotator"})
    found = api.as_("ann")
    for name in ("cat", "dog", "cat"):
        held = lease(found, project)
        body = {"lease": held["id"], "label": {"class": name}, "seconds_spent": 2.0}
        assert found.post("/annotations", json=body).status_code == 201
        if name == "dog":
            found.post(f"/items/{held['item']['id']}/flags", json={"note": "is this a wolf?"})
    found.post(f"/leases/{lease(found, project)['id']}/skip", json={"reason": "dark"})
    return found


@pytest.fixture
def project(api: Api, boss: Speaker) -> int:
    api.user("ann")
    found: int = boss.project(overlap=2, audit_share=0.5)["id"]
    rows = [{"key": f"k{n}", "text": f"text {n}", "metadata": {"secret": n}} for n in range(6)]
    boss.push(found, rows)
    api.run_jobs()
    return found


def lease(speaker: Speaker, project: int) -> dict[str, Any]:
    found: dict[str, Any] = speaker.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]
    return found


def mine(speaker: Speaker, project: int, asked: str = "") -> list[dict[str, Any]]:
    answer = speaker.get(f"/projects/{project}/mine?{asked}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_own_answers_are_found_by_class_content_time_and_what_one_did(ann: Speaker, project: int) -> None:
    rows = mine(ann, project)

    assert [row["answer"]["label"]["class"] for row in rows] == ["cat", "dog", "cat"]
    flagged = mine(ann, project, "status=flagged")
    assert [(row["answer"]["label"], row["notes"][0]["note"]) for row in flagged] == [
        ({"class": "dog"}, "is this a wolf?")
    ]
    skipped = mine(ann, project, "status=skipped")
    assert [(row["answer"], row["skipped"]) for row in skipped] == [(None, True)]
    assert len(mine(ann, project, "status=skipped&status=answered")) == 4
    assert [row["id"] for row in mine(ann, project, "class=dog")] == [rows[1]["id"]]
    assert mine(ann, project, f"q={rows[0]['key']}&class=cat") == rows[:1]
    assert mine(ann, project, "sort=answered") == rows[::-1]
    assert len(mine(ann, project, "answered_after=2020-01-01")) == 3
    assert mine(ann, project, "answered_before=2020-01-01") == []
    assert len(mine(ann, project, "metadata.secret:>=0")) == 3
    first = ann.get(f"/projects/{project}/mine?limit=2").json()
    second = ann.get(f"/projects/{project}/mine?limit=2&cursor={first['next']}").json()
    assert first["items"] + second["items"] == rows
    assert second["next"] is None


def test_nothing_of_others_of_the_model_or_of_the_audit_is_told(
    api: Api, boss: Speaker, ann: Speaker, project: int
) -> None:
    before = mine(ann, project)
    for _ in range(5):
        boss.post("/annotations", json={"lease": lease(boss, project)["id"], "label": {"class": "dog"}})
    api.run_jobs()
    boss.post(f"/items/{before[0]['id']}/flags", json={"note": "ann is wrong here"})
    boss.put(f"/items/{before[0]['id']}/label", json={"label": {"class": "dog"}})

    rows = mine(ann, project)

    assert rows == before
    said = json.dumps(rows)
    for word in ("boss", "audit", "kind", "predict", "probab", "wrong", "secret", "agree", "disput", "votes", "reason"):
        assert word not in said
    for asked in ("kind=audit", "predicted.class=cat", "annotator=boss", "disputed=true", "status=open", "split=pool"):
        assert ann.get(f"/projects/{project}/mine?{asked}").status_code == 422
    assert mine(boss, project, f"key={before[0]['key']}")[0]["answer"]["label"] == {"class": "dog"}
    stranger = api.as_("eve")
    assert stranger.get(f"/projects/{project}/mine").status_code == 404


def test_an_own_answer_is_changed_while_the_project_is_open(boss: Speaker, ann: Speaker, project: int) -> None:
    given = mine(ann, project)[0]["answer"]
    headers = {"If-Match": f'"{given["version"]}"'}
    body = {"label": {"class": "dog"}}

    changed = ann.put(f"/annotations/{given['id']}", json=body, headers=headers)
    assert (changed.status_code, changed.json()["kind"]) == (200, None)
    again = ann.put(f"/annotations/{given['id']}", json=body, headers=headers)
    assert again.status_code == 412
    row = mine(ann, project)[0]["answer"]
    assert (row["label"], row["version"], row["changeable"]) == ({"class": "dog"}, 2, True)

    etag = boss.get(f"/projects/{project}").headers["etag"]
    boss.patch(f"/projects/{project}", json={"state": "paused"}, headers={"If-Match": etag})
    refused = ann.put(f"/annotations/{row['id']}", json={"label": {"class": "cat"}}, headers={"If-Match": '"2"'})
    assert (refused.status_code, "paused" in refused.json()["detail"]) == (409, True)
    assert not mine(ann, project)[0]["answer"]["changeable"]


def test_what_a_manager_changed_stays_ones_own_word_and_is_not_changed_again(
    boss: Speaker, ann: Speaker, project: int
) -> None:
    given = mine(ann, project)[0]["answer"]
    boss.put(f"/annotations/{given['id']}", json={"label": {"class": "dog"}}, headers={"If-Match": '"1"'})

    row = mine(ann, project)[0]["answer"]
    assert (row["label"], row["changeable"]) == ({"class": "cat"}, False)
    headers = {"If-Match": '"2"'}
    assert ann.put(f"/annotations/{given['id']}", json={"label": {"class": "cat"}}, headers=headers).status_code == 403


def test_what_was_taken_back_is_no_answer(ann: Speaker, project: int) -> None:
    last = mine(ann, project)[0]
    ann.delete(f"/leases/{ann.get(f'/projects/{project}/progress').json()['recent'][0]['lease']}/annotation")

    assert last["id"] not in {row["id"] for row in mine(ann, project)}
