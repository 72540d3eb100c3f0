"""I20: each change of rights, keys, members, exports and deletions is one line of the log, which only grows."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from app.db import Event
from app.services import audit
from tests.conftest import PASSWORD, Api

Deed = Callable[[Api, int, int], Any]  # with a project and an item
PERSON = {"name": "eve", "password": PASSWORD}


def member(api: Api, project: int, _item: int) -> Any:
    api.user("eve")
    return api.as_("boss").post(f"/projects/{project}/members", json={"user": "eve", "role": "reviewer"})


def invited(api: Api, project: int, _item: int) -> Any:
    asked = api.as_("boss").post(f"/projects/{project}/invitations", json={"role": "annotator", "uses": 1})
    code = asked.json()["url"].rsplit("/", 1)[-1]
    return api.client.post(f"/api/v1/invitations/{code}/accept", json=PERSON)


def token_ended(api: Api, _project: int, _item: int) -> Any:
    made = api.as_("boss").post("/tokens", json={"name": "t"}).json()
    return api.as_("boss").delete(f"/tokens/{made['id']}")


def settings(api: Api, project: int, _item: int) -> Any:
    tag = api.as_("boss").get(f"/projects/{project}").headers["ETag"]
    return api.as_("boss").patch(f"/projects/{project}", json={"name": "Zoo"}, headers={"If-Match": tag})


DEEDS: dict[str, Deed] = {
    "user.created": lambda api, *_: api.as_("boss").post("/users", json=PERSON),
    "user.changed": lambda api, *_: api.as_("boss").patch(f"/users/{api.user('eve')}", json={"admin": True}),
    "user.erased": lambda api, *_: api.as_("boss").delete(f"/users/{api.user('eve')}"),
    "user.exported": lambda api, *_: api.as_("boss").get(f"/users/{api.user('eve')}/export"),
    "token.created": lambda api, *_: api.as_("boss").post("/tokens", json={"name": "t"}),
    "token.deleted": token_ended,
    "member.set": member,
    "member.invited": lambda api, project, _: api.as_("boss").post(
        f"/projects/{project}/invitations", json={"role": "annotator", "uses": 1}
    ),
    "member.joined": invited,
    "project.created": lambda api, *_: api.as_("boss").post(
        "/projects", json={"name": "Q", "modality": "text", "task": {"classes": ["a", "b"]}}
    ),
    "project.changed": settings,
    "project.deleted": lambda api, project, _: api.as_("boss").delete(f"/projects/{project}"),
    "item.deleted": lambda api, _, item: api.as_("boss").delete(f"/items/{item}"),
    "item.erased": lambda api, _, item: api.as_("boss").delete(f"/items/{item}", params={"erase": True}),
    "export.made": lambda api, project, _: api.as_("boss").get(f"/projects/{project}/export"),
}


def prepared(api: Api) -> tuple[int, int]:
    """A project and its item."""
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.push(project, [{"key": "a", "text": "x"}])
    return project, boss.get(f"/projects/{project}/items").json()["items"][0]["id"]


def lines(api: Api, action: str) -> list[Event]:
    with api.db.read() as session:
        return list(session.query(Event).filter_by(action=action).order_by(Event.id))


@pytest.mark.parametrize("action", DEEDS)
def test_a_deed_is_one_line_with_who_did_it_in_which_request(api: Api, action: str) -> None:
    project, item = prepared(api)
    before = len(lines(api, action))

    answer = DEEDS[action](api, project, item)

    assert answer.status_code < 300, answer.text
    found = lines(api, action)[before:]
    mine = [line for line in found if line.request_id == answer.headers["X-Request-Id"]]
    assert len(mine) == 1
    assert mine[0].user_id is not None
    assert PASSWORD not in str(mine[0].detail)


@pytest.mark.parametrize(
    "deed",
    [
        "DELETE FROM events",
        "UPDATE events SET action = 'nothing happened'",
        "UPDATE events SET detail = '{}'",
        "UPDATE events SET user_id = 2 WHERE user_id = 1",
        "UPDATE events SET at = '2026-01-01 00:00:00'",
        "UPDATE events SET request_id = 'x'",
    ],
)
def test_the_database_lets_no_line_change_or_go(api: Api, deed: str) -> None:
    prepared(api)
    api.user("eve")
    before = [(line.id, line.action, line.user_id, line.detail) for line in lines(api, "project.created")]

    with pytest.raises(DatabaseError, match="only grows"), api.db.write() as session:
        session.execute(text(deed))

    assert [(line.id, line.action, line.user_id, line.detail) for line in lines(api, "project.created")] == before


def test_a_project_that_is_gone_for_good_is_unlinked_from_its_lines(api: Api) -> None:
    project, _ = prepared(api)

    with api.db.write() as session:
        audit.unlink(session, project)

    assert [line.project_id for line in lines(api, "project.created")] == [None]


def test_lines_that_are_too_old_go_by_the_one_way_there_is(api: Api) -> None:
    prepared(api)
    old = [line.id for line in lines(api, "project.created")]

    with api.db.write() as session:
        audit.forget(session, old)

    assert lines(api, "project.created") == []
    with pytest.raises(DatabaseError, match="only grows"), api.db.write() as session:
        session.execute(text("DELETE FROM events"))  # the door is shut again


def test_the_log_names_the_request_of_each_line_for_admins_alone(api: Api) -> None:
    project, _ = prepared(api)
    made = api.as_("boss").get(f"/projects/{project}/export").headers["X-Request-Id"]
    api.as_("ann")

    seen = api.as_("boss").get("/audit-log").json()["items"]

    assert made in [line["request"] for line in seen if line["action"] == "export.made"]
    assert api.as_("ann").get("/audit-log").status_code == 403
