"""d.A, second part: sessions, tokens, forged requests of other sites."""

import hashlib
import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.attacks.running import running
from tests.attacks.site import Site
from tests.attacks.voices import PASSWORD, Voice

case = pytest.mark.case

NOT_HERE = {
    "A-16": "switched-off people are in A-10; no account is only invited, locked or waiting for a new password",
}


@pytest.fixture(autouse=True)
def afterwards(request: pytest.FixtureRequest) -> Iterator[None]:
    """Failures of one test slow no other one down."""
    yield
    if "site" in request.fixturenames:
        request.getfixturevalue("site").let_minutes_pass()


@pytest.fixture
def person(site: Site) -> Voice:
    """A further person with a token and no project."""
    return site.new_user(f"person-{uuid4()}")


@pytest.fixture(scope="module")
def behind_a_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that believes its proxy on loopback, with the account A."""
    data = tmp_path_factory.mktemp("proxied") / "data"
    with running(data, None, "--no-worker", LABELWISE_TRUSTED_PROXIES="127.0.0.1") as service:
        body = {"name": "A", "password": PASSWORD}
        httpx.post(f"{service.address}/api/v1/setup/{service.setup_code}", json=body).raise_for_status()
        yield service.address


@case("A-07")
def test_a07_the_cookie_is_random_and_not_for_scripts(site: Site) -> None:
    cookies = [_sign_in(site, "M").headers.get_list("set-cookie") for _ in range(2)]

    assert all(len(each) == 1 for each in cookies)
    parts = [dict(part.partition("=")[::2] for part in each[0].split("; ")) for each in cookies]
    assert parts[0]["labelwise"] != parts[1]["labelwise"]
    for each in parts:
        assert len(each["labelwise"]) >= 40
        assert {"HttpOnly", "SameSite", "Path"} <= each.keys()
        assert each["SameSite"] == "lax"
        assert "Domain" not in each


@case("A-07")
def test_a07_behind_https_it_is_secure_and_of_this_host_alone(behind_a_proxy: str) -> None:
    body = {"name": "A", "password": PASSWORD}
    proxied = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7", "Host": "label.example"}

    answer = httpx.post(f"{behind_a_proxy}/api/v1/session", json=body, headers=proxied)
    cookie = answer.headers["set-cookie"]

    assert answer.status_code == 201
    assert cookie.startswith("__Host-labelwise=")
    assert "; Secure" in cookie
    assert "Domain" not in cookie
    own = cookie.split(";")[0]
    for sent, status in ((own, 200), (own.removeprefix("__Host-"), 401)):  # a sister host may set the second one
        seen = httpx.get(f"{behind_a_proxy}/api/v1/session", headers={**proxied, "Cookie": sent})
        assert seen.status_code == status
    assert "max-age=" in answer.headers["strict-transport-security"]
    over_http = httpx.post(f"{behind_a_proxy}/api/v1/session", json=body, headers={"Host": "label.example"})
    assert over_http.status_code == 403


@case("A-07")
def test_a07_nobody_but_a_named_proxy_says_that_it_is_https(site: Site) -> None:
    answer = _sign_in(site, "M", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"})

    assert answer.headers["set-cookie"].startswith("labelwise=")


@case("A-08")
def test_a08_a_cookie_of_ones_own_choice_is_never_a_session(site: Site) -> None:
    chosen = {"Cookie": "labelwise=chosen-by-an-attacker-chosen-by-an-attacker"}

    answer = _sign_in(site, "M", headers=chosen)

    assert "chosen-by" not in answer.headers["set-cookie"]
    assert site.nobody.get("/session", headers=chosen).status_code == 401


@case("A-09")
def test_a09_signing_out_ends_the_session_for_every_tab(site: Site, person: Voice) -> None:
    one = person.browser()
    tab = Voice(site, person.name, dict(one.headers))
    assert tab.get("/session").status_code == 200

    assert one.delete("/session").status_code == 204

    assert one.get("/session").status_code == 401
    assert tab.get("/session").status_code == 401
    assert tab.post("/projects", json={}).status_code == 401


@case("A-10")
def test_a10_a_new_password_ends_other_sessions_and_tokens(site: Site, person: Voice) -> None:
    here, elsewhere = person.browser(), person.browser()
    body = {"old_password": PASSWORD, "new_password": "some other words"}

    assert here.post("/session/password", json=body).status_code == 204

    assert here.get("/session").status_code == 200
    assert elsewhere.get("/session").status_code == 401
    assert person.get("/session").status_code == 401


@case("A-10")
def test_a10_rights_that_were_taken_are_gone_at_the_next_request(site: Site, person: Voice) -> None:
    project = site.new_project(site.M)
    site.join(site.M, project, person, "manager")
    browser, role = person.browser(), f"/projects/{project}/members/{person.id}"
    voices = (browser, person)
    assert [each.get(f"/projects/{project}/members").status_code for each in voices] == [200, 200]

    site.M.patch(role, json={"role": "annotator"})
    assert [each.get(f"/projects/{project}/members").status_code for each in voices] == [401, 403]
    again = person.browser()
    assert again.get(f"/projects/{project}/members").status_code == 403
    site.M.delete(role)
    assert [each.get(f"/projects/{project}").status_code for each in (again, person)] == [401, 404]


@case("A-10")
def test_a10_whoever_becomes_an_admin_signs_in_again(site: Site, person: Voice) -> None:
    for admin in (True, False):
        browser = person.browser()
        assert site.A.patch(f"/users/{person.id}", json={"admin": admin}).status_code == 200
        assert browser.get("/session").status_code == 401


@case("A-10")
def test_a10_signing_out_everywhere_leaves_no_session_and_no_token(site: Site, person: Voice) -> None:
    here, elsewhere = person.browser(), person.browser()

    assert here.delete("/sessions?tokens=true").status_code == 204

    assert [each.get("/session").status_code for each in (here, elsewhere, person)] == [401, 401, 401]


@case("A-10")
def test_a10_who_is_switched_off_is_out_at_once(site: Site, person: Voice) -> None:
    browser, user = person.browser(), person.id

    assert site.A.patch(f"/users/{user}", json={"active": False}).status_code == 200

    assert [each.get("/session").status_code for each in (browser, person)] == [401, 401]
    assert _sign_in(site, person.name).status_code == 401
    site.A.patch(f"/users/{user}", json={"active": True})
    assert browser.get("/session").status_code == 401  # an ended session does not come back


@case("A-11")
def test_a11_nothing_is_signed_with_a_known_key(site: Site) -> None:
    place = b"1"
    for known in ("secret", "changeme", "", "labelwise", "test", "x" * 32):
        path = b"/api/v1/projects"
        bound = path + b"\n[]\n" + str(site.M.id).encode() + b"\n"
        signature = hmac.new(known.encode(), bound + place, hashlib.sha256).digest()[:16]
        cursor = urlsafe_b64encode(signature + place).decode().rstrip("=")
        assert site.M.get("/projects", params={"cursor": cursor}).status_code == 422
        forged = hmac.new(known.encode(), b"1", hashlib.sha256).hexdigest()
        assert site.nobody.get("/session", headers={"Cookie": f"labelwise=1.{forged}"}).status_code == 401


@case("A-13")
def test_a13_forged_tokens_are_nothing(site: Site, person: Voice) -> None:
    mine = person.headers["Authorization"].removeprefix("Bearer ")
    none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."
    own = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0." + "x" * 43
    flipped = mine[:-1] + ("A" if mine[-1] != "A" else "B")

    for token in (none, own, flipped, mine[:-1], mine + "x", mine.upper(), mine.lower(), "null", f"{mine}, x"):
        assert site.nobody.get("/session", headers={"Authorization": f"Bearer {token}"}).status_code == 401, token
    for header in (mine, f"Basic {mine}", f"Token {mine}", "Bearer", f"Bearer{mine}"):
        assert site.nobody.get("/session", headers={"Authorization": header}).status_code == 401, header
    for query in ("token", "access_token", "api_key", "authorization"):
        assert site.nobody.get("/session", params={query: mine}).status_code in (401, 422)
    assert site.A.delete(f"/users/{person.id}").status_code == 204
    assert person.get("/session").status_code == 401


@case("A-13")
def test_a13_a_token_of_a_megabyte_is_refused_before_it_is_looked_at(site: Site) -> None:
    asked = (
        b"GET /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + b"x" * 1_000_000 + b"\r\n\r\n"
    )

    got = site.wire(asked)

    assert got.split(b" ", 2)[1] in (b"400", b"431"), got[:200]


@case("A-14")
def test_a14_two_cookies_are_nobodys(site: Site) -> None:
    victim, attacker = (each.browser().headers["Cookie"] for each in (site.U1, site.X))
    two = [f"{attacker}; {victim}", f"{victim}; {attacker}", f"{attacker};{victim}", f"{attacker} ; {victim}"]

    for cookies in two:
        assert site.nobody.get("/session", headers={"Cookie": cookies}).status_code in (400, 401), cookies
    separate = [("Cookie", attacker), ("Cookie", victim)]
    assert site.nobody.client.get("/api/v1/session", headers=separate).status_code in (400, 401)
    both = {"Cookie": f"__Host-{attacker}; {victim}"}
    assert site.nobody.get("/session", headers=both).json()["user"]["name"] == "U1"  # over http the plain one counts


@case("A-14")
def test_a14_a_token_is_never_mixed_with_a_cookie(site: Site) -> None:
    both = {**site.U2.headers, "Cookie": site.U1.browser().headers["Cookie"]}

    assert site.nobody.get("/session", headers=both).json()["user"]["name"] == "U2"
    wrong = {**both, "Authorization": "Bearer lw_wrong"}
    assert site.nobody.get("/session", headers=wrong).status_code == 401


@case("A-15")
def test_a15_a_token_is_shown_once(site: Site, person: Voice) -> None:
    secret = person.headers["Authorization"].removeprefix("Bearer ")
    digest = hashlib.sha256(secret.encode()).hexdigest()

    for path in ("/tokens", "/session", f"/users/{person.id}/export"):
        told = person.get(path).text
        assert secret not in told
        assert secret[3:] not in told
        assert digest not in told
    for path in ("/users", "/audit-log?limit=200", f"/users/{person.id}/export"):
        told = site.A.get(path).text
        assert secret[3:] not in told
        assert digest not in told
        assert "argon2" not in told


@case("A-18")
def test_a18_a_token_does_what_its_scopes_say_and_no_more(site: Site) -> None:
    reader, bound = site.M.token("read"), site.M.token(project=site.P1)
    [other] = [site.new_project(site.M)]

    assert reader.get(f"/projects/{site.P1}").status_code == 200
    assert reader.post("/annotations", json={"lease": 1, "label": {"class": "cat"}}).status_code == 403
    assert reader.post(f"/projects/{site.P1}/items", json=[{"text": "x"}]).status_code == 403
    assert reader.post(f"/projects/{site.P1}/members", json={"user": "X"}).status_code == 403
    assert bound.get(f"/projects/{site.P1}").status_code == 200
    for path in ("", "/items", "/status", "/export", "/members"):
        assert bound.get(f"/projects/{other}{path}").status_code == 404
    assert (
        bound.post("/projects", json={"name": "n", "modality": "text", "task": {"classes": ["a"]}}).status_code == 403
    )


@case("A-18")
def test_a18_a_token_makes_no_token_that_may_more(site: Site) -> None:
    lesser, bound = site.M.token("manage", "read"), site.M.token(project=site.P1)
    brief = site.M.token(expires_in=60)

    assert lesser.post("/tokens", json={"name": "more"}).status_code == 403
    assert lesser.post("/tokens", json={"name": "same", "scopes": ["read"]}).status_code == 201
    assert bound.post("/tokens", json={"name": "x", "project": site.P2}).status_code in (201, 404)
    assert {each["project_id"] for each in bound.get("/tokens").json()["items"]} == {site.P1}
    unbound = [each["id"] for each in site.M.get("/tokens").json()["items"] if each["project_id"] is None]
    assert bound.delete(f"/tokens/{unbound[0]}").status_code == 404
    for given in ({"expires_in": 3_600}, {}):
        ends = brief.post("/tokens", json={"name": "for ever", **given}).json()["expires_at"]
        assert ends is not None
        assert ends <= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 90))
    assert bound.post("/session/password", json={"old_password": PASSWORD, "new_password": "x" * 20}).status_code == 403


@case("A-18")
def test_a18_an_ended_token_is_nothing(site: Site, person: Voice) -> None:
    brief = person.token(expires_in=0.3)

    time.sleep(0.4)

    assert brief.get("/session").status_code == 401


@case("A-20")
def test_a20_nobody_signs_up_without_an_invitation(site: Site, person: Voice) -> None:
    body = {"name": "Uninvited", "password": PASSWORD}
    for path in ("/users", "/signup", "/register", "/sign-up", "/accounts", "/session/new"):
        assert site.nobody.post(path, json=body).status_code in (401, 403, 404, 405), path
    url = site.M.post(f"/projects/{site.P1}/invitations", json={"uses": 1, "expires_in": 3600}).json()["url"]
    code = url.rsplit("/", 1)[-1]

    assert site.nobody.post(f"/invitations/{code}x/accept", json=body).status_code == 404
    assert site.nobody.post(f"/setup/{code}", json=body).status_code == 404  # a code of another kind
    assert site.nobody.ask("GET", f"/enter/{code}").status_code == 404
    assert site.nobody.post(
        f"/invitations/{code}/accept", json={"name": f"in {uuid4()}", "password": PASSWORD}
    ).is_success
    assert site.nobody.post(f"/invitations/{code}/accept", json=body).status_code == 404
    brief = site.M.post(f"/projects/{site.P1}/invitations", json={"expires_in": 0.2}).json()["url"].rsplit("/", 1)[-1]
    time.sleep(0.3)
    assert site.nobody.post(f"/invitations/{brief}/accept", json=body).status_code == 404
    bound = site.X.token(project=site.P2)
    open_ = site.M.post(f"/projects/{site.P1}/invitations", json={}).json()["url"].rsplit("/", 1)[-1]
    assert bound.post(f"/invitations/{open_}/accept", json={}).status_code == 403
    assert site.rows("SELECT count(*) FROM users WHERE name = 'Uninvited'")[0][0] == 0


@case("A-20")
def test_a20_guessed_codes_are_slowed_down(site: Site) -> None:
    voice = Voice(site, "nobody", address="127.0.0.4")
    body = {"name": "Uninvited", "password": PASSWORD}

    codes = [voice.post(f"/invitations/guess-{n}/accept", json=body).status_code for n in range(60)]

    assert codes[:50] == [404] * 50
    assert set(codes[50:]) == {429}


def _sign_in(site: Site, name: str, **options: Any) -> httpx.Response:
    return site.nobody.post("/session", json={"name": name, "password": PASSWORD}, **options)
