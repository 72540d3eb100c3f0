"""Changing many items at once, and taking it back item by item."""

from typing import Any

import pytest

from app.db import Edit, Item
from app.services import edits
from tests.conftest import Api, Speaker


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


@pytest.fixture
def project(api: Api, boss: Speaker) -> int:
    """Six items, four of them from the web."""
    found: int = boss.project(audit_share=0.5)["id"]
    rows = [{"key": f"w{n}", "text": f"web {n}", "metadata": {"source": "web", "n": n, "null": None}} for n in range(4)]
    rows += [{"key": f"m{n}", "text": f"mail {n}", "metadata": {"source": "mail"}} for n in range(2)]
    boss.push(found, rows)
    api.run_jobs()
    return found


def stored(api: Api) -> dict[str, Any]:
    with api.db.read() as session:
        return {
            row.key: (row.state, row.split, row.priority, row.reserved, dict(row.meta))
            for row in session.query(Item).order_by(Item.id)
        }


def change(api: Api, speaker: Speaker, project: int, which: dict[str, Any], **values: Any) -> tuple[str, Any]:
    """Make a change; its token and what the job says of it."""
    answer = speaker.post(f"/projects/{project}/items/bulk", json=which | {"set": values})
    assert answer.status_code == 202, answer.text
    api.run_jobs()
    job = speaker.get(f"/jobs/{answer.json()['job']['id']}").json()
    assert job["state"] == "done", job
    return answer.json()["undo_token"], job["result"]


def take_back(api: Api, speaker: Speaker, project: int, token: str) -> Any:
    answer = speaker.post(f"/projects/{project}/items/bulk/undo", json={"undo_token": token})
    assert answer.status_code == 202, answer.text
    api.run_jobs()
    return speaker.get(f"/jobs/{answer.json()['job']['id']}").json()["result"]


@pytest.mark.parametrize(
    "values",
    [
        {"state": "excluded"},
        {"priority": 1},
        {"split": "audit"},
        {"metadata": {"source": "phone", "n": None, "new": ["x"], "null": None, "never": None}},
        {"state": "excluded", "split": "audit", "priority": 2, "metadata": {"n": 7}},
    ],
)
def test_a_change_by_filter_is_taken_back_item_by_item(
    api: Api, boss: Speaker, project: int, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "CHUNK", 2)
    before = stored(api)

    token, result = change(api, boss, project, {"filter": "metadata.source=web"}, **values)

    after = stored(api)
    assert result["changed"] == 4
    assert [key for key in before if before[key] != after[key]] == ["w0", "w1", "w2", "w3"]
    assert take_back(api, boss, project, token) == {"restored": 4, "left": 0, "left_keys": []}
    assert stored(api) == before
    again = boss.post(f"/projects/{project}/items/bulk/undo", json={"undo_token": token})
    assert again.status_code == 409


def test_a_change_that_is_being_taken_back_is_not_taken_back_twice(api: Api, boss: Speaker, project: int) -> None:
    """Both were accepted, and the second one restored nothing."""
    token, _ = change(api, boss, project, {"keys": ["w0", "w1"]}, priority=1)
    other, _ = change(api, boss, project, {"keys": ["w2"]}, priority=1)
    first, second, beside = (
        boss.post(f"/projects/{project}/items/bulk/undo", json={"undo_token": each}) for each in (token, token, other)
    )

    assert (first.status_code, second.status_code, beside.status_code) == (202, 409, 202)
    assert "taken back already" in second.json()["detail"]
    api.run_jobs()
    assert boss.get(f"/jobs/{first.json()['job']['id']}").json()["result"]["restored"] == 2
    assert boss.get(f"/projects/{project}/items?metadata.source=web").json()["items"][0]["priority"] == 0


def test_the_index_follows_a_change_of_metadata(api: Api, boss: Speaker, project: int) -> None:
    token, _ = change(api, boss, project, {"keys": ["w1", "m0"]}, metadata={"source": "phone"})

    def found(source: str) -> list[str]:
        page = boss.get(f"/projects/{project}/items?metadata.source={source}").json()
        return [row["key"] for row in page["items"]]

    assert found("phone") == ["w1", "m0"]
    take_back(api, boss, project, token)
    assert found("phone") == []
    assert found("mail") == ["m0", "m1"]


def test_what_others_changed_meanwhile_is_left_and_named(api: Api, boss: Speaker, project: int) -> None:
    token, result = change(api, boss, project, {"keys": ["w0", "w1", "m0"]}, priority=1, metadata={"source": "x"})
    assert result == {"changed": 3, "unchanged": 0}
    boss.push(project, [{"key": "w0", "metadata": {"source": "corrected"}, "label": "cat"}])
    shown = boss.get(f"/projects/{project}/items?key=w1").json()["items"][0]
    boss.delete(f"/items/{shown['id']}")

    assert take_back(api, boss, project, token) == {"restored": 1, "left": 2, "left_keys": ["w0", "w1"]}
    after = stored(api)
    assert after["w0"][4]["source"] == "corrected"
    assert after["m0"][2] == 0
    assert after["m0"][4] == {"source": "mail"}


def test_what_is_so_already_is_not_changed(api: Api, boss: Speaker, project: int) -> None:
    change(api, boss, project, {"keys": ["w0"]}, state="excluded")

    _, result = change(api, boss, project, {"filter": "metadata.source=web"}, state="excluded")

    assert result == {"changed": 3, "unchanged": 1}
    assert boss.get(f"/projects/{project}/items/count?status=excluded").json() == {"count": 4, "more": False}


def test_more_than_may_be_changed_is_refused_with_the_way_on(
    api: Api, boss: Speaker, project: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edits, "MOST", 3)
    body = {"filter": "metadata.source=web", "set": {"state": "excluded"}}

    refused = boss.post(f"/projects/{project}/items/bulk", json=body)

    assert refused.status_code == 422
    assert "narrow the filter" in refused.json()["detail"]
    assert boss.get(f"/projects/{project}/items/count?metadata.source=web").json() == {"count": 3, "more": True}


NOT_MEANT = [
    {"set": {"state": "excluded"}},
    {"filter": "q=web", "keys": ["w0"], "set": {"state": "excluded"}},
    {"filter": "q=web", "set": {}},
    {"filter": "q=web", "set": {"metadata": {}}},
    {"filter": "q=web", "set": {"state": "deleted"}},
    {"filter": "q=web", "set": {"key": "x"}},
    {"filter": "colour=red", "set": {"state": "excluded"}},
    {"filter": "q=nowhere", "set": {"state": "excluded"}},
]


def test_of_named_keys_all_items_are_changed_or_none(api: Api, boss: Speaker, project: int) -> None:
    """A key that named nothing was passed over in silence, and the others were changed."""
    elsewhere = boss.project()["id"]
    boss.push(elsewhere, [{"key": "of another", "text": "x"}])
    before = stored(api)

    for keys, named in ((["w0", "of another", "w1"], '"of another"'), (["nobody"], '"nobody"')):
        refused = boss.post(f"/projects/{project}/items/bulk", json={"keys": keys, "set": {"priority": 1}})
        assert refused.status_code == 404
        assert refused.json()["detail"].endswith(f"with the key {named}"), refused.text
    many = {"keys": ["w0", *(f"not here {n}" for n in range(25))], "set": {"priority": 1}}
    assert boss.post(f"/projects/{project}/items/bulk", json=many).json()["detail"].endswith(" and 5 more")

    api.run_jobs()
    assert stored(api) == before
    _, result = change(api, boss, project, {"keys": ["w0", "w1", "w0"]}, priority=7)
    assert result == {"changed": 2, "unchanged": 0}


def test_what_cannot_be_meant_is_refused(api: Api, boss: Speaker, project: int) -> None:
    before = stored(api)

    for body in NOT_MEANT:
        refused = boss.post(f"/projects/{project}/items/bulk", json=body)
        assert refused.status_code == 422, (body, refused.text)

    api.run_jobs()
    assert stored(api) == before


def test_only_managers_change_and_a_token_opens_its_own_project_only(api: Api, boss: Speaker, project: int) -> None:
    token, _ = change(api, boss, project, {"keys": ["w0"]}, priority=1)
    other = boss.project(name="Other", slug="other")["id"]
    reviewer = api.as_("rita")
    boss.post(f"/projects/{project}/members", json={"user": "rita", "role": "reviewer"})
    body = {"keys": ["w1"], "set": {"priority": 1}}

    assert reviewer.post(f"/projects/{project}/items/bulk", json=body).status_code == 403
    assert reviewer.post(f"/projects/{project}/items/bulk/undo", json={"undo_token": token}).status_code == 403
    assert reviewer.get(f"/projects/{project}/items/count?q=web").json()["count"] == 4
    assert api.as_("eve").post(f"/projects/{project}/items/bulk", json=body).status_code == 404
    for wrong in (token + "x", "1-", "9" * 30, "-", "²-x"):
        refused = boss.post(f"/projects/{project}/items/bulk/undo", json={"undo_token": wrong})
        assert refused.status_code == 404, wrong
    assert boss.post(f"/projects/{other}/items/bulk/undo", json={"undo_token": token}).status_code == 404


def test_a_change_that_still_waits_is_not_taken_back_and_can_be_cancelled(
    api: Api, boss: Speaker, project: int
) -> None:
    before = stored(api)
    body = {"filter": "q=web", "set": {"state": "excluded"}}
    started = boss.post(f"/projects/{project}/items/bulk", json=body).json()

    early = boss.post(f"/projects/{project}/items/bulk/undo", json={"undo_token": started["undo_token"]})
    boss.delete(f"/jobs/{started['job']['id']}")
    api.run_jobs()

    assert early.status_code == 409
    assert stored(api) == before


def test_an_erased_item_leaves_nothing_with_its_changes(api: Api, boss: Speaker, project: int) -> None:
    change(api, boss, project, {"keys": ["w0"]}, metadata={"source": "secret"})
    shown = boss.get(f"/projects/{project}/items?key=w0").json()["items"][0]

    boss.delete(f"/items/{shown['id']}", params={"erase": True})

    with api.db.read() as session:
        assert session.query(Edit).count() == 0
