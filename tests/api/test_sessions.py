"""Browser sessions end without use, at the latest after some days, and whenever a person's rights change."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from app.db import BrowserSession, Database, Event
from app.db.session import now
from app.services import sessions
from tests.conftest import PASSWORD, Api

Signed = dict[str, str]
OPENED: list[Signed] = []  # by a change on its way


def browser(api: Api, name: str = "ann") -> Signed:
    """The headers of a fresh browser of that person."""
    api.client.cookies.clear()
    answer = api.client.post("/api/v1/session", json={"name": name, "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    cookie = "; ".join(f"{key}={value}" for key, value in api.client.cookies.items())
    api.client.cookies.clear()
    return {"Cookie": cookie, "X-CSRF-Token": answer.json()["csrf_token"]}


def lives(client: TestClient, signed: Signed) -> bool:
    """Whether a session lives; asking does not use it."""
    return client.get("/api/v1/session", headers=signed).status_code == 200


def use(client: TestClient, signed: Signed) -> int:
    """Open a page."""
    return client.get("/projects", headers=signed, follow_redirects=False).status_code


def let_pass(db: Database, **time: float) -> None:
    """Every session began and was used that much earlier: the same as a clock that went on, on either database."""
    with db.write() as session:
        for each in session.execute(select(BrowserSession)).scalars():
            each.created_at -= timedelta(**time)
            each.expires_at -= timedelta(**time)


def test_a_session_ends_twelve_hours_after_its_last_use(api: Api) -> None:
    api.user("ann")
    signed = browser(api)

    for _ in range(3):
        let_pass(api.db, hours=11)
        assert use(api.client, signed) == 200
    let_pass(api.db, hours=11.9)
    assert lives(api.client, signed)
    let_pass(api.db, hours=0.2)  # the question before was no use

    assert not lives(api.client, signed)
    assert use(api.client, signed) == 401  # the door
    assert not lives(api.client, signed)


def test_a_session_that_is_used_all_the_time_ends_after_seven_days(api: Api) -> None:
    api.user("ann")
    signed = browser(api)

    for _ in range(16):
        let_pass(api.db, hours=10)
        assert use(api.client, signed) == 200
    let_pass(api.db, hours=7.9)
    assert use(api.client, signed) == 200
    let_pass(api.db, hours=0.2)

    assert not lives(api.client, signed)


def test_what_changes_something_is_a_use_and_one_that_is_refused_is_none(api: Api) -> None:
    api.user("ann", admin=True)
    signed = browser(api)
    let_pass(api.db, hours=11)

    refused = api.client.post("/api/v1/tokens", json={"name": "x"}, headers=signed | {"X-CSRF-Token": "another"})
    let_pass(api.db, hours=0.5)
    made = api.client.post("/api/v1/tokens", json={"name": "x"}, headers=signed)
    let_pass(api.db, hours=11.9)

    assert (refused.status_code, made.status_code) == (403, 201)
    assert lives(api.client, signed)


def test_the_use_of_a_session_is_written_once_a_minute(api: Api) -> None:
    api.user("ann")
    signed = browser(api)

    def ends() -> object:
        with api.db.read() as session:
            return session.execute(select(BrowserSession.expires_at)).scalar_one()

    first = ends()
    use(api.client, signed)
    at_once = ends()
    let_pass(api.db, minutes=2)
    later = ends()
    use(api.client, signed)

    assert at_once == first
    assert ends() > later  # type: ignore[operator]


def test_a_setting_that_is_made_smaller_ends_older_sessions(api: Api) -> None:
    api.user("ann")
    signed = browser(api)
    let_pass(api.db, hours=6)
    used = [use(api.client, signed)]
    api.client.app.state.settings = api.settings.model_copy(update={"session_days": 0.2})
    used.append(use(api.client, signed))
    api.client.app.state.settings = api.settings.model_copy(update={"session_idle_hours": 1.0})
    used.append(use(api.client, signed))
    let_pass(api.db, hours=1.1)

    assert used == [200, 401, 200]
    assert not lives(api.client, signed)


def _admin(api: Api, ann: int, project: int) -> None:
    api.as_("boss").patch(f"/users/{ann}", json={"admin": True}).raise_for_status()


def _admin_no_more(api: Api, ann: int, project: int) -> None:
    _admin(api, ann, project)
    OPENED.append(browser(api))
    api.as_("boss").patch(f"/users/{ann}", json={"admin": False}).raise_for_status()


def _other_role(api: Api, ann: int, project: int) -> None:
    api.as_("boss").patch(f"/projects/{project}/members/{ann}", json={"role": "reviewer"}).raise_for_status()


def _other_role_by_name(api: Api, ann: int, project: int) -> None:
    body = {"user": "ann", "role": "manager"}
    api.as_("boss").post(f"/projects/{project}/members", json=body).raise_for_status()


def _taken_out(api: Api, ann: int, project: int) -> None:
    api.as_("boss").delete(f"/projects/{project}/members/{ann}").raise_for_status()


def _off_and_on(api: Api, ann: int, project: int) -> None:
    for active in (False, True):
        api.as_("boss").patch(f"/users/{ann}", json={"active": active}).raise_for_status()


def _everywhere(api: Api, ann: int, project: int) -> None:
    api.client.delete("/api/v1/sessions", headers=browser(api)).raise_for_status()


def _everywhere_by_token(api: Api, ann: int, project: int) -> None:
    api.as_("ann").delete("/sessions").raise_for_status()


@pytest.mark.parametrize(
    "change",
    [
        _admin, _admin_no_more, _other_role, _other_role_by_name, _taken_out, _off_and_on, _everywhere,
        _everywhere_by_token,
    ],
)  # fmt: skip
def test_sessions_end_on_every_change_of_rights(api: Api, change: Callable[[Api, int, int], None]) -> None:
    boss, ann = api.as_("boss"), api.user("ann")
    api.user("bea")
    project = boss.project()["id"]
    for name in ("ann", "bea"):
        boss.post(f"/projects/{project}/members", json={"user": name}).raise_for_status()
    mine, other, hers = browser(api), browser(api), browser(api, "bea")
    OPENED.clear()

    change(api, ann, project)

    assert not any(lives(api.client, each) for each in (mine, other, *OPENED))
    assert lives(api.client, hers)
    assert lives(api.client, browser(api))


def test_what_changes_no_right_ends_no_session(api: Api) -> None:
    boss, ann = api.as_("boss"), api.user("ann")
    project = boss.project()["id"]
    boss.post(f"/projects/{project}/members", json={"user": "ann"}).raise_for_status()
    signed = browser(api)

    boss.patch(f"/users/{ann}", json={"active": True, "admin": False}).raise_for_status()
    boss.patch(f"/projects/{project}/members/{ann}", json={"role": "annotator"}).raise_for_status()
    boss.patch(f"/projects/{project}/members/{ann}", json={"slice": None}).raise_for_status()

    assert lives(api.client, signed)


def test_signing_out_everywhere_spares_tokens_unless_they_shall_go_too(api: Api) -> None:
    ann, boss = api.as_("ann"), api.as_("boss")
    project = boss.project()["id"]
    boss.post(f"/projects/{project}/members", json={"user": "ann"}).raise_for_status()
    bound = ann.post("/tokens", json={"name": "bound", "scopes": ["manage"], "project": project}).json()["token"]
    signed = browser(api)

    refused = api.client.delete("/api/v1/sessions", headers={"Authorization": f"Bearer {bound}"})
    spared = ann.delete("/sessions")
    alive = ann.get("/session")
    gone = ann.delete("/sessions", params={"tokens": True})

    assert (refused.status_code, spared.status_code, alive.status_code, gone.status_code) == (403, 204, 200, 204)
    assert ann.get("/session").status_code == 401
    assert boss.get("/session").status_code == 200
    assert not lives(api.client, signed)
    with api.db.read() as session:
        lines = session.execute(select(Event.detail).where(Event.action == "sessions.ended").order_by(Event.id))
        assert list(lines.scalars()) == [{"tokens": False}, {"tokens": True}]


def test_a_session_that_ended_while_it_was_used_stays_ended(api: Api) -> None:
    api.user("ann")
    browser(api)
    with api.db.write() as session:
        row = session.execute(select(BrowserSession)).scalar_one()
        row.expires_at = now(session) - timedelta(seconds=1)
        held = sessions.Held(None, "", row.id, row.created_at, row.expires_at)  # type: ignore[arg-type]
    with api.db.write() as session:
        sessions.note_use(session, api.settings, held)

    with api.db.read() as session:
        assert session.execute(select(BrowserSession.expires_at)).scalar_one() < api.db.now()
