"""A forgotten password: an admin's link lets its person choose another one, and what was open before is closed."""

import io
from typing import Any

import pytest
from sqlalchemy import update

from app.cli import main
from app.db import OneTimeLink
from tests.api.test_access import sign_in
from tests.conftest import PASSWORD, Api

NEW = "quite another sentence"


def link(api: Api, user: int) -> str:
    """The code of a fresh link for a person."""
    made = api.as_("boss").post(f"/users/{user}/password-link")
    assert made.status_code == 201, made.text
    return str(made.json()["url"]).rsplit("/password/", 1)[1]


def choose(api: Api, code: str, password: str = NEW) -> Any:
    api.client.cookies.clear()
    return api.client.post(f"/api/v1/password/{code}", json={"password": password})


def test_a_link_lets_a_password_be_chosen_once_and_signs_in(api: Api) -> None:
    ann = api.user("ann")
    before = api.as_("ann")  # by a token
    code = link(api, ann)
    assert before.get("/session").status_code == 200  # a link that nobody uses changes nothing

    chosen = choose(api, code)

    assert chosen.status_code == 201
    assert chosen.json()["user"] == {"id": ann, "name": "ann", "admin": False}
    assert api.client.get("/api/v1/session").json()["user"]["id"] == ann
    assert before.get("/session").status_code == 401
    assert sign_in(api.client, "ann", NEW).status_code == 201
    assert sign_in(api.client, "ann", PASSWORD).status_code == 401
    assert choose(api, code, "and a third sentence").status_code == 404
    assert sign_in(api.client, "ann", NEW).status_code == 201


def test_an_easy_password_is_refused_and_the_link_stays(api: Api) -> None:
    code = link(api, api.user("annabel smith"))

    for easy in ("short", "annabel smith", "password1234", "x" * 257):
        assert choose(api, code, easy).status_code == 422, easy

    assert choose(api, code).status_code == 201


@pytest.mark.parametrize(
    "how", ["another link", "an own change", "switched off", "erased", "a day", "demoted", "removed"]
)
def test_a_link_ends_with_what_it_was_made_for(api: Api, how: str) -> None:
    boss, ann = api.as_("boss"), api.user("ann")
    code = link(api, ann)
    if how == "another link":
        link(api, ann)
    elif how == "an own change":
        csrf = sign_in(api.client).json()["csrf_token"]
        body = {"old_password": PASSWORD, "new_password": "her own new sentence"}
        api.client.post("/api/v1/session/password", json=body, headers={"X-CSRF-Token": csrf}).raise_for_status()
    elif how == "switched off":  # and on again
        for active in (False, True):
            boss.patch(f"/users/{ann}", json={"active": active}).raise_for_status()
    elif how == "erased":
        boss.delete(f"/users/{ann}").raise_for_status()
    elif how == "a day":
        with api.db.write() as session:
            session.execute(update(OneTimeLink).values(expires_at=OneTimeLink.created_at))
    else:
        api.user("second", admin=True)
        maker, gone = (
            boss.get("/session").json()["user"]["id"],
            {"admin": False} if how == "demoted" else {"active": False},
        )
        api.as_("second").patch(f"/users/{maker}", json=gone).raise_for_status()

    assert choose(api, code).status_code == 404
    assert api.client.get(f"/password/{code}", headers={"Accept": "text/html"}).status_code == 404


def test_who_is_switched_off_or_erased_gets_no_link(api: Api) -> None:
    boss, off, gone = api.as_("boss"), api.user("off"), api.user("gone")
    boss.patch(f"/users/{off}", json={"active": False}).raise_for_status()
    boss.delete(f"/users/{gone}").raise_for_status()

    codes = [boss.post(f"/users/{each}/password-link").status_code for each in (off, gone, 10_000)]

    assert codes == [409, 404, 404]
    assert boss.patch(f"/users/{gone}", json={"active": True}).status_code == 404
    assert {each["id"]: bool(each["erased_at"]) for each in boss.get("/users").json()["items"]}[gone]


def test_guesses_at_links_are_slowed_down(api: Api) -> None:
    tried = [choose(api, f"guess-{number}").status_code for number in range(120)]

    assert tried[0] == 404
    assert tried[-1] == 429
    assert set(tried) == {404, 429}


def test_the_operator_sets_a_password_at_the_machine(api: Api, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    api.user("ann")
    before = api.as_("ann")
    given = ["--data", str(api.settings.data), "--database-url", api.db.url.render_as_string(hide_password=False)]

    def set_to(name: str, password: str) -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        return main(["user", "password", name, "--password-stdin", *given])

    assert set_to("nobody at all", NEW) == 1
    assert set_to("ann", "short") == 1
    assert before.get("/session").status_code == 200
    assert set_to("Ann", NEW) == 0

    assert before.get("/session").status_code == 401
    assert sign_in(api.client, "ann", NEW).status_code == 201
    assert NEW not in capsys.readouterr().out
