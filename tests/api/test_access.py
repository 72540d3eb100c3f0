"""Who gets in, and who does not."""

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.services import accounts
from tests.conftest import PASSWORD, Api

PUBLIC = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/api/v1/session"),
    ("POST", "/api/v1/setup/{code}"),
    ("POST", "/api/v1/invitations/{code}/accept"),
    ("POST", "/api/v1/password/{code}"),
    ("GET", "/sign-in"),
    ("GET", "/setup/{code}"),
    ("GET", "/invitations/{code}"),
    ("GET", "/password/{code}"),
    ("GET", "/enter/{code}"),
}


def walked(api: Api) -> list[tuple[str, str]]:
    """Every method and address that the program answers, whoever added it."""
    return addresses(api.client.app)


def addresses(app: Any) -> list[tuple[str, str]]:
    """Every method and address of an application."""
    return [each for route in app.routes for each in _of(route)]


def _of(route: Any) -> list[tuple[str, str]]:
    if hasattr(route, "effective_candidates"):
        return [each for inner in route.effective_candidates() for each in _of(inner)]
    return [(method, route.path) for method in sorted(getattr(route, "methods", None) or ())]


def test_the_walk_finds_pages_and_interfaces_and_only_files_are_mounted(api: Api) -> None:
    found = {path for _, path in walked(api)}
    assert {"/api/v1/projects", "/projects/{ref}/rounds/{number}", "/projects/{project}/simulate"} <= found
    mounted = [route for route in api.client.app.routes if not _of(route)]
    assert [route.path for route in mounted] == ["/static"]


def test_every_route_is_closed_to_strangers_but_for_a_short_list(api: Api) -> None:
    seen = walked(api)
    assert len(seen) > 50
    for method, path in seen:
        if (method, path) in PUBLIC:
            continue
        answer = api.client.request(method, _address(path), follow_redirects=False)
        closed = answer.status_code in (401, 404) or answer.headers.get("location", "").startswith("/sign-in")
        assert closed, (method, path, answer.status_code)


def test_a_token_without_the_scope_reads_nothing_anywhere(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.push(project, [{"key": "a", "text": "x"}])
    blind = api.as_("boss", scopes=("label", "import", "manage")).headers
    reading = [path for method, path in walked(api) if method == "GET" and (method, path) not in PUBLIC]

    assert len(reading) > 30
    for path in reading:
        answer = api.client.get(_address(path), headers=blind, follow_redirects=False)
        assert answer.status_code == 403, (path, answer.status_code)
        assert "read" in answer.text, path


def test_a_token_that_only_reads_changes_nothing_anywhere(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.push(project, [{"key": "a", "text": "x"}])
    boss.post(f"/projects/{project}/leases", json={"count": 1})
    reader = api.as_("boss", scopes=("read",)).headers
    changing = [(method, path) for method, path in walked(api) if method != "GET" and (method, path) not in PUBLIC]

    assert len(changing) > 30
    for method, path in changing:
        answer = api.client.request(method, _address(path), headers=reader, follow_redirects=False)
        assert answer.status_code == 403, (method, path, answer.status_code)


def _address(path: str) -> str:
    return re.sub(r"\{\w+\}", "1", path)


def sign_in(client: TestClient, name: str = "ann", password: str = PASSWORD):
    return client.post("/api/v1/session", json={"name": name, "password": password})


def test_the_first_admin_is_made_by_a_link_that_works_once(api: Api) -> None:
    with api.db.write() as session:
        code = accounts.setup_link(session)
    body = {"name": "Ann", "password": PASSWORD}

    first = api.client.post(f"/api/v1/setup/{code}", json=body)
    again = api.client.post(f"/api/v1/setup/{code}", json=body)

    assert first.status_code == 201
    assert first.json()["user"]["admin"] is True
    assert again.status_code == 404
    with api.db.write() as session:
        assert accounts.setup_link(session) is None


def test_a_browser_needs_its_csrf_token_and_our_own_origin(api: Api) -> None:
    api.user("ann", admin=True)
    csrf = sign_in(api.client).json()["csrf_token"]
    body = {"name": "P", "modality": "text", "task": {"classes": ["a", "b"]}}

    without = api.client.post("/api/v1/projects", json=body)
    foreign = api.client.post(
        "/api/v1/projects", json=body, headers={"X-CSRF-Token": csrf, "Origin": "https://evil.example"}
    )
    right = api.client.post("/api/v1/projects", json=body, headers={"X-CSRF-Token": csrf})

    assert (without.status_code, foreign.status_code, right.status_code) == (403, 403, 201)


def test_wrong_passwords_are_slowed_down_and_never_echoed(api: Api) -> None:
    api.user("ann")
    codes = [sign_in(api.client, password=f"wrong guess {n}").status_code for n in range(12)]
    echoed = api.client.post("/api/v1/session", json={"password": "my secret password", "nam": "x"})

    assert codes[:10] == [401] * 10
    assert codes[10:] == [429, 429]
    assert echoed.status_code == 422
    assert "my secret" not in echoed.text


def test_signing_out_and_switching_off_end_the_session_on_the_server(api: Api) -> None:
    boss = api.as_("boss")
    ann = api.user("ann")
    sign_in(api.client)
    assert api.client.get("/api/v1/session").status_code == 200

    assert boss.patch(f"/users/{ann}", json={"active": False}).status_code == 200

    assert api.client.get("/api/v1/session").status_code == 401
    assert sign_in(api.client).status_code == 401


def test_the_last_admin_and_the_last_manager_stay(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    own = boss.get("/session").json()["user"]["id"]

    assert boss.patch(f"/users/{own}", json={"admin": False}).status_code == 409
    assert boss.delete(f"/projects/{project}/members/{own}").status_code == 409


def test_projects_of_others_do_not_exist_and_roles_are_kept(api: Api) -> None:
    boss, stranger = api.as_("boss"), api.as_("stranger")
    project = boss.project()["id"]
    annotator = api.as_("annotator")
    boss.post(f"/projects/{project}/members", json={"user": "annotator"})

    for path in ("", "/status", "/items", "/rounds", "/export", "/members", "/overview", "/wall"):
        assert stranger.get(f"/projects/{project}{path}").status_code == 404, path
    for path in ("/items", "/rounds", "/export", "/members", "/overview", "/wall"):
        assert annotator.get(f"/projects/{project}{path}").status_code == 403, path
    for path in ("", "/status", "/progress"):
        assert annotator.get(f"/projects/{project}{path}").status_code == 200, path


@pytest.mark.parametrize("how", ["removed", "demoted", "switched off", "erased"])
def test_who_may_invite_no_more_lets_nobody_in_by_an_old_link(api: Api, how: str) -> None:
    """The links of a manager who was gone went on letting people in, as managers too."""
    boss = api.as_("boss")
    project = boss.project()["id"]
    former = api.user("former")
    boss.post(f"/projects/{project}/members", json={"user": "former", "role": "manager"}).raise_for_status()
    link = {"uses": 5, "role": "manager"}
    url = api.as_("former").post(f"/projects/{project}/invitations", json=link).json()["url"]
    kept = boss.post(f"/projects/{project}/invitations", json={"uses": 1}).json()["url"]
    end = {
        "removed": lambda: boss.delete(f"/projects/{project}/members/{former}"),
        "demoted": lambda: boss.patch(f"/projects/{project}/members/{former}", json={"role": "annotator"}),
        "switched off": lambda: boss.patch(f"/users/{former}", json={"active": False}),
        "erased": lambda: boss.delete(f"/users/{former}"),
    }
    assert end[how]().status_code in (200, 204)

    codes = [each.rsplit("/", 1)[1] for each in (url, kept)]
    tried = [
        api.client.post(f"/api/v1/invitations/{code}/accept", json={"name": f"new {code[:5]}", "password": PASSWORD})
        for code in codes
    ]
    assert [each.status_code for each in tried] == [404, 201]


def test_an_invitation_lets_so_many_people_in(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    url = boss.post(f"/projects/{project}/invitations", json={"uses": 1}).json()["url"]
    code = url.rsplit("/", 1)[-1]

    joined = api.client.post(f"/api/v1/invitations/{code}/accept", json={"name": "New", "password": PASSWORD})
    api.client.cookies.clear()
    late = api.client.post(f"/api/v1/invitations/{code}/accept", json={"name": "Late", "password": PASSWORD})

    assert joined.json()["project"] == project
    assert late.status_code == 404


@pytest.mark.parametrize("scopes", [[], ["read", "fly"]])
def test_a_token_without_a_scope_or_with_a_strange_one_is_refused(api: Api, scopes: list[str]) -> None:
    """The empty list was answered with 500."""
    refused = api.as_("boss").post("/tokens", json={"name": "t", "scopes": scopes})

    assert refused.status_code == 422, refused.text
    assert refused.json()["fields"] == {"scopes": ["fly"] if scopes else "one or more"}


def test_a_token_does_only_what_its_scopes_say(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    reader = api.as_("boss", scopes=("read",))

    assert reader.get(f"/projects/{project}/status").status_code == 200
    assert reader.post(f"/projects/{project}/leases", json={}).status_code == 403
    assert reader.post(f"/projects/{project}/items", json=[]).status_code == 403
    assert reader.delete(f"/projects/{project}").status_code == 403


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"name": NaN}', "application/json", 400),
        (b'{"name": "\\ud800"}', "application/json", 400),
        (b'{"name": "a\\u0000b", "modality": "text", "task": {}}', "application/json", 422),
        (b'{"name": "x"', "application/json", 400),
        (b'{"name": "x"}', "text/plain", 415),
        (b'{"name": "x", "modality": "text", "task": {}, "extra": 1}', "application/json", 422),
        (b'{"name": "x", "modality": "text", "task": {"classes": ["a", "A"]}}', "application/json", 422),
        (b'{"name": "x", "modality": "smell", "task": {"classes": ["a"]}}', "application/json", 422),
        (b'{"name": "' + b"x" * 1_100_000 + b'"}', "application/json", 413),
        (b"[" * 3000, "application/json", 400),
        (b'{"name": "x", "modality": "text", "task": {}, "seed": 1' + b"0" * 40 + b"}", "application/json", 422),
    ],
)
def test_bad_bodies_get_a_clear_refusal(api: Api, body: bytes, kind: str, status: int) -> None:
    boss = api.as_("boss")

    refused = boss.post("/projects", content=body, headers={"Content-Type": kind})

    assert refused.status_code == status, refused.text
    assert set(refused.json()) >= {"error", "detail", "request_id"}


def test_strange_addresses_are_not_found_or_refused(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    for path in (
        "/projects/99999999999999999999999",
        "/projects/1_0",
        "/projects/%00",
        "/jobs/7",
        "/items/1e3",
        "/media/x",
    ):
        assert boss.get(path).status_code in (404, 422), path
    assert boss.get(f"/projects/{project}/items", params={"limit": 201}).status_code == 422
    assert boss.get(f"/projects/{project}/items", params={"colour": "red"}).status_code == 422
    for path in ("items", "annotations", "media"):
        assert boss.post(f"/projects/{project}/{path}", params={"colour": "red"}, json=[]).status_code == 422, path
    for path in ("items?limit=1&limit=2", "status?seen=a&seen=b", "rounds?limit=5&limit=5"):
        assert "more than once" in boss.get(f"/projects/{project}/{path}").json()["detail"], path
    assert boss.post(f"/projects/{project}/items?dry_run=true&dry_run=false", json=[]).status_code == 422
    assert boss.get(f"/projects/{project}/items?key=a&key=b").status_code == 200  # any of a filter's values will do
    assert boss.get("/nothing").json()["error"] == "NotFound"


def test_a_deleted_project_is_gone_and_comes_back(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    assert boss.delete(f"/projects/{project}").status_code == 204
    assert boss.get(f"/projects/{project}").status_code == 404

    assert boss.post(f"/projects/{project}/restore").status_code == 200
    assert boss.get(f"/projects/{project}").status_code == 200


def test_a_renamed_class_keeps_its_old_name_for_scripts(api: Api) -> None:
    boss = api.as_("boss")
    project = boss.project()["id"]
    boss.push(project, [{"key": "a", "text": "x", "label": "cat"}])

    renamed = boss.patch(f"/projects/{project}/classes/1", json={"name": "feline"})
    used = boss.delete(f"/projects/{project}/classes/1")
    report = boss.push(project, [{"key": "b", "text": "y", "label": "CAT"}])

    assert renamed.json()["id"] == 1
    assert used.status_code == 409
    assert report["created"] == 1
    lines = boss.get(f"/projects/{project}/export").text.splitlines()
    assert all('"feline"' in line for line in lines)
