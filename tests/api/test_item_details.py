"""What is known of an item: its answers, for whom, and the notes on it until somebody closes them."""

import pytest

from tests.api.test_loop import pets
from tests.api.test_overview import answer
from tests.conftest import Api, Speaker


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


@pytest.fixture
def project(boss: Speaker) -> int:
    found: int = boss.project(audit_share=0.3)["id"]
    boss.push(found, pets(12))
    for name, role in (("rita", "reviewer"), ("bea", "annotator")):
        assert boss.post(f"/projects/{found}/members", json={"user": name, "role": role}).status_code == 201
    return found


@pytest.fixture(autouse=True)
def people(api: Api) -> dict[str, Speaker]:
    return {name: api.as_(name) for name in ("rita", "bea")}


def test_items_come_with_their_answers_the_newest_version_of_each(boss: Speaker, project: int) -> None:
    answer(boss, project, 2)
    listed = boss.get(f"/projects/{project}/items?status=answered").json()["items"]
    assert [each["answers"][0]["label"]["class"] for each in listed] == [each["key"][:3] for each in listed]
    first = listed[0]["answers"][0]
    other = {"cat": "dog", "dog": "cat"}[first["label"]["class"]]

    body = {"label": {"class": other}}
    corrected = boss.put(f"/annotations/{first['id']}", json=body, headers={"If-Match": '"1"'})

    assert corrected.status_code == 200
    item = boss.get(f"/items/{listed[0]['id']}").json()
    assert [(each["version"], each["label"]["class"]) for each in item["answers"]] == [(2, other)]
    assert item["answers"][0]["annotator"] == "boss"
    assert boss.get(f"/projects/{project}/items?status=open&limit=1").json()["items"][0]["answers"] == []


def test_an_answer_taken_back_is_not_shown(boss: Speaker, project: int) -> None:
    lease = boss.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]
    body = {"lease": lease["id"], "label": {"class": "cat"}, "seconds_spent": 1.0}
    assert boss.post("/annotations", json=body).status_code == 201
    assert len(boss.get(f"/items/{lease['item']['id']}").json()["answers"]) == 1

    boss.delete(f"/leases/{lease['id']}/annotation")

    assert boss.get(f"/items/{lease['item']['id']}").json()["answers"] == []


def test_how_an_item_was_chosen_is_told_to_managers_alone(
    boss: Speaker, project: int, people: dict[str, Speaker]
) -> None:
    answer(boss, project, 12)
    path = f"/projects/{project}/items?status=answered"

    mine = [each["answers"][0]["kind"] for each in boss.get(path).json()["items"]]
    hers = [each["answers"][0]["kind"] for each in people["rita"].get(path).json()["items"]]

    assert {"audit"} <= set(mine)
    assert set(hers) == {None}
    item = boss.get(path).json()["items"][0]["id"]
    assert people["rita"].get(f"/items/{item}").json()["answers"][0]["kind"] is None
    assert people["bea"].get(path).status_code == 403


def test_a_note_is_found_read_and_closed(boss: Speaker, project: int, people: dict[str, Speaker]) -> None:
    bea, rita = people["bea"], people["rita"]
    lease = bea.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]
    item = lease["item"]["id"]
    made = bea.post(f"/items/{item}/flags", json={"note": "this is a 🐢"}).json()
    assert boss.get(f"/projects/{project}/status").json()["items"]["flagged"] == 1
    found = rita.get(f"/projects/{project}/items?status=flagged").json()["items"]
    assert [each["id"] for each in found] == [item]
    note = rita.get(f"/items/{item}").json()["flags"][0]
    assert (note["person"], note["note"], note["state"]) == ("bea", "this is a 🐢", "open")

    closed = rita.patch(f"/flags/{made['id']}", json={"state": "closed", "reply": "a cat it is"})

    assert closed.status_code == 200
    assert (closed.json()["state"], closed.json()["reply"]) == ("closed", "a cat it is")
    assert rita.get(f"/projects/{project}/items?status=flagged").json()["items"] == []
    assert boss.get(f"/projects/{project}/status").json()["items"]["flagged"] == 0
    assert len(boss.get(f"/items/{item}").json()["flags"]) == 1


def test_a_note_is_closed_by_those_who_review_only(boss: Speaker, project: int, people: dict[str, Speaker]) -> None:
    lease = people["bea"].post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]
    made = people["bea"].post(f"/items/{lease['item']['id']}/flags", json={"note": "look"}).json()["id"]

    assert people["bea"].patch(f"/flags/{made}", json={"state": "closed"}).status_code == 403
    assert boss.patch("/flags/999999", json={"state": "closed"}).status_code == 404
    assert boss.patch(f"/flags/{made}", json={"state": "gone"}).status_code == 422
    assert boss.patch(f"/flags/{made}", json={"state": "closed", "reply": ""}).status_code == 422
    assert boss.patch(f"/flags/{made}", json={"state": "open"}).json()["state"] == "open"
