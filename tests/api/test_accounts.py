"""Accounts, the audit log, keyed requests and the service's own description."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import update

from app.db import Token
from app.db.session import now
from tests.api.test_access import sign_in, walked
from tests.conftest import PASSWORD, Api

NEW = {"name": "Pets", "modality": "text", "task": {"classes": ["cat", "dog"]}}


def test_a_keyed_request_creates_once_and_repeats_its_answer(api: Api) -> None:
    boss, key = api.as_("boss"), {"Idempotency-Key": str(uuid4())}

    first = boss.post("/projects", json=NEW, headers=key)
    again = boss.post("/projects", json=NEW, headers=key)
    other = boss.post("/projects", json={**NEW, "name": "Cars"}, headers=key)

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.json() == first.json()
    assert len(boss.get("/projects").json()["items"]) == 1
    assert api.as_("ann").post("/projects", json=NEW, headers=key).json()["id"] != first.json()["id"]
    assert boss.post("/projects", json=NEW, headers={"Idempotency-Key": "7"}).status_code == 422


def test_a_refused_request_gives_its_key_back(api: Api) -> None:
    boss, key = api.as_("boss"), {"Idempotency-Key": str(uuid4())}
    refused = boss.post("/projects", json={**NEW, "modality": "smell"}, headers=key)

    mended = boss.post("/projects", json=NEW, headers=key)

    assert (refused.status_code, mended.status_code) == (422, 201)


def test_an_erased_person_leaves_answers_and_no_name(api: Api) -> None:
    boss, ann = api.as_("boss"), api.as_("Ann Example")
    project = boss.project()["id"]
    boss.post(f"/projects/{project}/members", json={"user": "Ann Example"})
    boss.push(project, [{"key": "a", "text": "x"}])
    lease = ann.post(f"/projects/{project}/leases", json={"count": 1}).json()["leases"][0]["id"]
    ann.post("/annotations", json={"lease": lease, "label": {"class": "cat"}})
    own = ann.get("/session").json()["user"]["id"]
    everything = ann.get(f"/users/{own}/export").json()

    assert boss.delete(f"/users/{own}").status_code == 204

    assert [answer["item_id"] for answer in everything["answers"]] == [1]
    assert ann.get("/session").status_code == 401
    assert sign_in(api.client, "Ann Example").status_code == 401
    exported = boss.get(f"/projects/{project}/export", params={"view": "annotations"}).text
    assert '"cat"' in exported
    for path in ("/users", "/audit-log", f"/projects/{project}/members"):
        answer = boss.get(path)
        assert answer.status_code == 200
        assert "Ann Example" not in answer.text
    assert "Ann Example" not in exported
    assert boss.delete(f"/users/{own}").status_code == 404


def test_personal_data_is_for_the_person_and_admins_only(api: Api) -> None:
    boss, ann = api.as_("boss"), api.as_("ann")
    other = boss.get("/session").json()["user"]["id"]

    assert ann.get(f"/users/{other}/export").status_code == 404
    assert ann.delete(f"/users/{other}").status_code == 403
    assert ann.get("/audit-log").status_code == 403
    assert boss.delete(f"/users/{other}").status_code == 409


def test_the_audit_log_is_paged_by_cursors_of_one_person_and_list(api: Api) -> None:
    boss, second = api.as_("boss"), api.as_("ann")
    boss.patch(f"/users/{second.get('/session').json()['user']['id']}", json={"admin": True})
    boss.project()

    page = boss.get("/audit-log", params={"limit": 1}).json()
    rest = boss.get("/audit-log", params={"limit": 200, "cursor": page["next"]}).json()
    whole = boss.get("/audit-log").json()

    assert page["items"][0]["action"] == "project.created"
    assert page["items"] + rest["items"] == whole["items"]
    assert second.get("/audit-log", params={"cursor": page["next"]}).status_code == 422
    for forged in ("x", "AAAA", page["next"][:-2] + "zz", "é", "=" * 9):
        assert boss.get("/audit-log", params={"cursor": forged}).status_code == 422, forged


def test_figures_and_description_are_closed_to_strangers(api: Api) -> None:
    headers = api.as_("boss").headers

    for path in ("/metrics", "/api/v1/openapi.json"):
        assert api.client.get(path).status_code == 401
        assert api.client.get(path, headers=headers).status_code == 200
    assert "labelwise_requests_total{" in api.client.get("/metrics", headers=headers).text
    paths = api.client.get("/api/v1/openapi.json", headers=headers).json()["paths"]
    assert "/api/v1/projects/{project}/leases" in paths


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"color": "red; background: url(x)"}, 422),
        ({"color": None}, 422),
        ({"retired": None}, 422),
        ({"name": " "}, 422),
        ({"name": "DOG"}, 409),
        ({"hotkey": "2"}, 409),
        ({"hotkey": None}, 200),
        ({"color": "#123456", "description": "with fur"}, 200),
    ],
)
def test_a_class_takes_only_what_can_be_shown(api: Api, change: dict[str, object], status: int) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]

    answer = boss.patch(f"/projects/{project}/classes/1", json=change)

    assert answer.status_code == status, answer.text


def test_settings_that_are_needed_cannot_be_emptied(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()
    where, match = f"/projects/{project['id']}", {"If-Match": f'"{project["version"]}"'}

    for change in ({"name": None}, {"name": "  "}, {"audit_share": None}, {"state": None}, {"strategy": None}):
        assert boss.patch(where, json=change, headers=match).status_code == 422, change
    assert boss.patch(where, json={"name": "New"}).status_code == 428
    assert boss.patch(where, json={"name": "New"}, headers={"If-Match": "*"}).status_code == 412
    assert boss.patch(where, json={"name": "New", "goal": None}, headers=match).status_code == 200
    assert boss.patch(where, json={"name": "Old"}, headers=match).status_code == 412


def test_a_stranger_with_an_account_gets_nothing_from_any_route_of_a_project(api: Api) -> None:
    boss, stranger = api.as_("boss"), api.as_("stranger")
    project = boss.project()["id"]
    boss.push(project, [{"key": "a", "text": "x"}])
    before = boss.get(f"/projects/{project}").json(), boss.get("/items/1").json()
    seen = [(method, path) for method, path in walked(api) if "{project}" in path or "{item}" in path]
    assert len(seen) > 25

    for method, path in seen:
        address = path.removeprefix("/api/v1")
        for name in ("project", "item", "number", "user"):
            address = address.replace("{" + name + "}", "1")
        answer = api.client.request(
            method, path[: len(path) - len(path.removeprefix("/api/v1"))] + address, headers=stranger.headers, json={}
        )
        assert answer.status_code in (403, 404, 415, 422, 428), (method, path, answer.status_code)

    assert before == (boss.get(f"/projects/{project}").json(), boss.get("/items/1").json())


def test_an_invitation_to_a_deleted_project_makes_no_account(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    code = boss.post(f"/projects/{project}/invitations", json={}).json()["url"].rsplit("/", 1)[-1]
    boss.delete(f"/projects/{project}")

    refused = api.client.post(f"/api/v1/invitations/{code}/accept", json={"name": "New", "password": PASSWORD})

    assert refused.status_code == 404
    assert [user["name"] for user in boss.get("/users").json()["items"]] == ["boss"]


def test_a_new_password_ends_other_browsers_and_a_right_one_forgets_failures(api: Api) -> None:
    api.user("ann")
    for _ in range(9):
        sign_in(api.client, password="wrong guess number one")
    old = sign_in(api.client)
    first_cookie = dict(api.client.cookies)
    api.client.cookies.clear()
    csrf = sign_in(api.client).json()["csrf_token"]
    body = {"old_password": PASSWORD, "new_password": "an entirely new one"}

    changed = api.client.post("/api/v1/session/password", json=body, headers={"X-CSRF-Token": csrf})

    assert (old.status_code, changed.status_code) == (201, 204)
    assert api.client.get("/api/v1/session").status_code == 200
    api.client.cookies.clear()
    stolen = "; ".join(f"{name}={value}" for name, value in first_cookie.items())
    assert api.client.get("/api/v1/session", headers={"Cookie": stolen}).status_code == 401
    assert sign_in(api.client).status_code == 401


def test_a_token_says_when_it_was_last_used_to_the_minute(api: Api) -> None:
    boss = api.as_("boss")
    made = boss.post("/tokens", json={"name": "nightly", "scopes": ["read"]}).json()
    script = {"Authorization": f"Bearer {made['token']}"}

    def used() -> datetime | None:
        [found] = [each for each in boss.get("/tokens").json()["items"] if each["id"] == made["id"]]
        return found["last_used_at"] and datetime.fromisoformat(found["last_used_at"])

    before = used()
    assert api.client.get("/api/v1/projects", headers=script).status_code == 200
    first = used()
    assert api.client.get("/api/v1/projects", headers=script).status_code == 200
    again = used()
    with api.db.write() as session:
        earlier = now(session) - timedelta(minutes=2)
        session.execute(update(Token).where(Token.id == made["id"]).values(last_used_at=earlier))
    assert api.client.get("/api/v1/projects", headers=script).status_code == 200

    assert (made["last_used_at"], before) == (None, None)
    assert first is not None
    assert again == first
    assert (used() or earlier) >= first
