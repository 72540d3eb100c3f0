"""d.A, third part: requests that another site's page sends in somebody's name, and sessions without number."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.attacks.site import Site
from tests.attacks.voices import Voice

case = pytest.mark.case


@pytest.fixture
def person(site: Site) -> Iterator[Voice]:
    """A further person with a token and no project."""
    yield site.new_user(f"person-{uuid4()}")
    site.let_minutes_pass()


@case("A-30")
@pytest.mark.parametrize(
    "from_elsewhere",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1.evil.example"},
        {"Origin": "http://localhost:1"},
    ],
    ids=range(6),
)
def test_a30_another_sites_page_changes_nothing(site: Site, from_elsewhere: dict[str, str]) -> None:
    browser = site.M.browser()
    browser.headers |= from_elsewhere
    before = _counts(site)

    for method, path, body in _changes(site):
        assert browser.ask(method, f"/api/v1{path}", json=body).status_code == 403, (method, path)

    assert _counts(site) == before


@case("A-31")
@pytest.mark.parametrize(
    "kind",
    ["text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json;x="],
)
def test_a31_a_form_of_another_site_changes_nothing(site: Site, kind: str) -> None:
    browser = site.M.browser()
    cookie = {"Cookie": browser.headers["Cookie"], "Content-Type": kind}
    before = _counts(site)

    for method, path, _ in _changes(site):
        without = site.nobody.ask(method, f"/api/v1{path}", content=b'{"name": "x"}', headers=cookie)
        assert without.status_code in (403, 415), (method, path, without.status_code)

    assert _counts(site) == before


@case("A-31")
@pytest.mark.parametrize(
    "kind", ["text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json"]
)
def test_a31_nor_is_its_body_read_where_the_token_was_right(site: Site, kind: str) -> None:
    """With the page's own CSRF token the type of the body is what refuses it: no form is ever read as JSON."""
    browser = site.M.browser()
    before = _counts(site)

    for method, path, body in _changes(site):
        if body is not None:
            content, headers = json.dumps(body).encode(), {"Content-Type": kind}
            refused = browser.ask(method, f"/api/v1{path}", content=content, headers=headers)
            assert refused.status_code in (415, 422), (method, path, refused.status_code)
            for origin in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
                foreign = browser.ask(method, f"/api/v1{path}", content=content, headers=headers | origin)
                assert foreign.status_code in (403, 415), (method, path, foreign.status_code)

    assert _counts(site) == before


@case("A-32")
def test_a32_reading_changes_nothing(site: Site) -> None:
    before = _counts(site)
    overrides = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")

    for method, path, _ in _changes(site):
        for safe in ("GET", "HEAD"):
            site.M.ask(safe, f"/api/v1{path}")
        for name in overrides:
            site.M.ask("POST", f"/api/v1{path}", headers={name: method}, json={})
        assert site.M.ask("POST", f"/api/v1{path}", params={"_method": method}, json={}).status_code in (405, 422, 404)

    assert _counts(site) == before


@case("A-33")
def test_a33_only_the_sessions_own_csrf_token_counts(site: Site, person: Voice) -> None:
    browser, other, old = person.browser(), person.browser(), person.browser()
    old.delete("/session")
    tokens = [other.headers["X-CSRF-Token"], old.headers["X-CSRF-Token"], "", "null", "undefined", "[]"]
    body = {"name": "x", "scopes": ["read"]}
    before = _counts(site)

    for token in tokens:
        assert browser.post("/tokens", json=body, headers={"X-CSRF-Token": token}).status_code == 403, token
    twice = [(name, value) for name, value in browser.headers.items()] + [("X-CSRF-Token", "other")]
    assert browser.client.post("/api/v1/tokens", json=body, headers=twice).status_code == 400
    cookie_alone = {"Cookie": browser.headers["Cookie"]}
    assert site.nobody.post("/tokens", json=body, headers=cookie_alone).status_code == 403

    assert _counts(site) == before
    assert browser.post("/tokens", json=body).status_code == 201


@case("A-34")
def test_a34_no_other_origin_may_read(site: Site) -> None:
    evil = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    for method in ("OPTIONS", "GET", "HEAD"):
        for path in ("/api/v1/projects", "/api/v1/session", "/healthz", "/sign-in"):
            answer = site.A.ask(method, path, headers=evil)
            assert not [name for name in answer.headers if name.lower().startswith("access-control-")], (method, path)


@case("A-35")
def test_a35_one_person_has_so_many_sessions_and_the_oldest_ends(site: Site, person: Voice) -> None:
    first = person.browser()
    own = "FROM sessions WHERE user_id = :user"
    copied = (
        "INSERT INTO sessions (secret_hash, user_id, csrf_token, created_at, expires_at) "
        f"SELECT :secret, user_id, csrf_token, created_at, expires_at {own} ORDER BY id LIMIT 1"
    )
    for _ in range(60):
        site.rows(copied, user=person.id, secret=uuid4().hex * 2)

    newest = person.browser()

    assert site.rows(f"SELECT count(*) {own}", user=person.id)[0][0] <= 50
    assert newest.get("/session").status_code == 200
    assert first.get("/session").status_code == 401


def _changes(site: Site) -> list[tuple[str, str, Any]]:
    """Changes that somebody would like to have made in a manager's name."""
    return [
        ("DELETE", f"/projects/{site.P1}", None),
        ("POST", f"/projects/{site.P1}/snapshots", {"name": "stolen"}),
        ("POST", f"/projects/{site.P1}/members", {"user": "X", "role": "manager"}),
        ("POST", "/tokens", {"name": "stolen"}),
        ("POST", f"/projects/{site.P1}/rounds", None),
    ]


def _counts(site: Site) -> dict[str, int]:
    tables = ("projects", "snapshots", "members", "tokens", "users", "annotations")
    counts = {name: site.rows(f"SELECT count(*) FROM {name}")[0][0] for name in tables}
    return counts | {"deleted": site.rows("SELECT count(*) FROM projects WHERE deleted_at IS NOT NULL")[0][0]}
