"""d.A, first part: the first admin, signing in, passwords, and who is told nothing."""

import re
import sqlite3
import statistics
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from app.core.settings import Settings
from app.main import create_app
from tests.api.test_access import PUBLIC, addresses
from tests.attacks.running import command, environment, running
from tests.attacks.site import WELL_KNOWN, Site
from tests.attacks.voices import PASSWORD, Voice

case = pytest.mark.case

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
NEXT = [
    "//evil.example", "///evil.example", "////evil.example", "/\\evil.example", "\\\\evil.example", "\\/evil.example",
    "/\t/evil.example", "\t//evil.example", "/\n/evil.example", "/\r/evil.example", " //evil.example",
    "/ /evil.example",
    "https:evil.example", "https://evil.example", "http:/evil.example", "HTTPS://evil.example", "ftp://evil.example",
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "vbscript:x",
    "@evil.example",
    "evil.example", "//\u2044evil.example", "/\uff0fevil.example", "\uff0f\uff0fevil.example", "//evil%00.example",
    "/\x00/evil.example", "/.//evil.example\\", "//user:word@evil.example", "/\u2028/evil.example", "", "?x", "#x",
]  # fmt: skip
WRONG_HOSTS = [
    b"Host: evil/health?x=\r\n",
    b"Host: a@b\r\n",
    b"Host: 127.0.0.1\r\nHost: evil.example\r\n",
    b"Host: \r\n",
    b"",
    b"Host: " + b"x" * 5_000 + b"\r\n",
    b"Host: evil.example:port\r\n",
    b"Host: evil example\r\n",
    b"Host: evil.example\\x\r\n",
    b"Host: [::1\r\n",
    b"Host: caf\xc3\xa9.example\r\n",
]


@pytest.fixture(autouse=True)
def afterwards(request: pytest.FixtureRequest) -> Iterator[None]:
    """Failures of one test slow no other one down."""
    yield
    if "site" in request.fixturenames:
        request.getfixturevalue("site").let_minutes_pass()


@case("A-01")
def test_a01_a_fresh_service_knows_no_well_known_password(site: Site) -> None:
    codes = {answer.status_code for answer in site.first_tries}

    assert len(WELL_KNOWN) >= 40
    assert codes == {401}
    assert site.users_before == 0


@case("A-02")
def test_a02_the_one_time_link_makes_one_admin(site: Site) -> None:
    body = {"name": "Second", "password": PASSWORD}
    at_once = sorted(each.status_code for each in site.set_ups)  # the link three times in the same moment
    first = "SELECT count(*) FROM users WHERE admin AND id <= (SELECT min(id) FROM users)"

    assert at_once[0] == 201
    assert set(at_once[1:]) <= {403, 404, 409}
    assert site.rows(first)[0][0] == 1
    assert site.rows("SELECT count(*) FROM users WHERE name = 'A'")[0][0] == 1
    for code in (site.setup_code, "guessed", "0", "x" * 5_000):
        assert site.nobody.post(f"/setup/{code}", json=body).status_code in (403, 404, 414)

    assert site.rows("SELECT count(*) FROM users WHERE name = 'Second'")[0][0] == 0


@case("A-02")
def test_a02_a_link_that_has_ended_makes_nobody_and_the_next_start_gives_another(tmp_path: Path) -> None:
    """On a service of its own, as there is only one first admin."""
    data, body = tmp_path / "data", {"name": "First", "password": PASSWORD}

    def try_code(address: str, code: str | None) -> int:
        return httpx.post(f"{address}/api/v1/setup/{code}", json=body, timeout=60).status_code

    with running(data, None, "--no-worker") as first:
        with sqlite3.connect(data / "labelwise.db", timeout=30) as rows:
            changed = rows.execute("UPDATE one_time_links SET expires_at = '2001-01-01 00:00:00.000000'").rowcount
        rows.close()
        assert changed == 1
        assert try_code(first.address, first.setup_code) == 404
        assert try_code(first.address, f"{first.setup_code}x") == 404
    with running(data, None, "--no-worker") as again:
        assert again.setup_code not in (None, first.setup_code)
        assert [try_code(again.address, each) for each in (first.setup_code, again.setup_code)] == [404, 201]
        assert try_code(again.address, again.setup_code) == 404
    with running(data, None, "--no-worker") as later:
        assert later.setup_code is None  # there is an admin, so no link is made any more


@case("A-03")
def test_a03_strangers_are_let_in_by_six_names_only(site: Site, tmp_path: Path) -> None:
    described = site.A.get("/openapi.json").json()["paths"]
    app = create_app(Settings(data=tmp_path, _env_file=None))
    pages = [path for method, path in addresses(app) if method == "GET"]
    open_doors = {path for _, path in PUBLIC}
    assert len(described) > 80
    assert {path.split("/{")[0].removeprefix("/api/v1") for path in open_doors} == {
        "/healthz", "/readyz", "/session", "/sign-in", "/setup", "/invitations", "/password", "/enter"
    }  # fmt: skip

    for path in {*described, *pages}:
        for method in METHODS:
            if (method, path) in PUBLIC:
                continue
            answer = site.nobody.ask(method, re.sub(r"\{\w+\}", "1", path), may_be_busy=path == "/readyz")
            # Of a method that an address has not, another route may be meant, and its number be refused first.
            other = method.lower() not in described.get(path, {})
            closed = answer.status_code in (401, 404, 405) or (other and answer.status_code == 422)
            asked_in = answer.status_code == 303 and answer.headers["location"].startswith("/sign-in?next=/")
            assert closed or asked_in, (method, path, answer.status_code)


@case("A-04")
@pytest.mark.parametrize("line", WRONG_HOSTS, ids=range(len(WRONG_HOSTS)))
def test_a04_a_wrong_host_header_gets_nowhere(site: Site, line: bytes) -> None:
    bearer = b"Authorization: " + site.A.headers["Authorization"].encode() + b"\r\n"
    for path in (b"/api/v1/projects", b"/projects", b"/healthz"):
        got = site.wire(b"GET " + path + b" HTTP/1.1\r\n" + line + bearer + b"Connection: close\r\n\r\n")

        assert got.split(b" ", 2)[1] in (b"400", b"421", b"431"), got[:300]
        assert b"evil" not in got


@case("A-04")
def test_a04_links_name_the_host_that_was_asked(site: Site) -> None:
    made = site.M.post(f"/projects/{site.P1}/invitations", json={})

    assert made.json()["url"].startswith(f"{site.address}/invitations/")


@case("A-05")
def test_a05_guessing_is_slowed_down_and_nobody_else_is_locked_out(site: Site) -> None:
    victim, other = (f"victim-{uuid4()}" for _ in range(2))
    for name in (victim, other):
        site.A.post("/users", json={"name": name, "password": PASSWORD})
    elsewhere = Voice(site, "nobody", address="127.0.0.2")

    guesses = [_try(site.nobody, victim, f"wrong guess {n}") for n in range(12)]

    assert [each.status_code for each in guesses] == [401] * 10 + [429] * 2
    assert 0 < int(guesses[-1].headers["retry-after"]) <= 60
    assert _try(site.nobody, victim, PASSWORD).status_code == 429
    assert _try(site.nobody, other, PASSWORD).status_code == 201
    assert _try(elsewhere, victim, PASSWORD).status_code == 201
    user = site.rows("SELECT id FROM users WHERE name = :name", name=victim)[0][0]
    refused = "SELECT count(*) FROM events WHERE action = 'session.refused' AND user_id = :user"
    assert site.rows(refused, user=user)[0][0] == 10
    site.let_minutes_pass()
    assert _try(site.nobody, victim, PASSWORD).status_code == 201


@case("A-05")
def test_a05_one_address_may_not_try_everybody(site: Site) -> None:
    sprayer = Voice(site, "nobody", address="127.0.0.3")

    codes = [_try(sprayer, f"name {n}", "a common password").status_code for n in range(52)]

    assert codes == [401] * 50 + [429] * 2
    assert _try(site.nobody, site.M.name, PASSWORD).status_code == 201
    site.let_minutes_pass()


@case("A-06")
def test_a06_easy_passwords_are_refused_and_every_character_counts(site: Site) -> None:
    name = f"a-long-name-{uuid4()}"
    site.A.post("/users", json={"name": name, "password": PASSWORD})
    browser = Voice(site, name).browser()

    def change(old: str, new: str) -> int:
        return browser.post("/session/password", json={"old_password": old, "new_password": new}).status_code

    for easy in ("x" * 11, name, name.upper(), "password1234", "Password1234!", "qwertyuiop12", "123456789012"):
        assert change(PASSWORD, easy) == 422, easy
    for easy in ("abcabcabcabc", "aaaaaaaaaaaaa", "labelwise1234", "x" * 257, "with a \x00 inside"):
        assert change(PASSWORD, easy) == 422, easy
    assert change(PASSWORD, "x" * 1_100_000) == 413
    long = "ä9 " * 24 + "the tail that counts"
    assert change(PASSWORD, long) == 204
    assert _try(site.nobody, name, long[:-6] + "differs").status_code == 401
    assert _try(site.nobody, name, long).status_code == 201
    assert change("another old one", PASSWORD) == 401


@case("A-06")
def test_a06_the_old_password_is_not_guessed_in_a_stolen_session(site: Site) -> None:
    name = f"robbed-{uuid4()}"
    site.A.post("/users", json={"name": name, "password": PASSWORD})
    browser = Voice(site, name).browser()

    codes = [
        browser.post(
            "/session/password", json={"old_password": f"wrong guess {n}", "new_password": "brand new words"}
        ).status_code
        for n in range(12)
    ]

    assert codes == [401] * 10 + [429] * 2
    site.let_minutes_pass()


@case("A-11", "A-12")
def test_a12_a_weak_key_stops_the_start(tmp_path: Path) -> None:
    weak = ["", "changeme", "secret", "8 bytes.", "x" * 40, "changeme" * 5, "0123456789" * 4, " " * 64]

    def start(number: int) -> subprocess.CompletedProcess[str]:
        settings = environment(tmp_path / f"{number}", LABELWISE_SECRET_KEY=weak[number])
        words = command("serve", "--port", "0", "--no-worker")
        return subprocess.run(
            words, env=settings, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(start, range(len(weak))))

    for each, tried in zip(ended, weak, strict=True):
        assert each.returncode == 1, (tried, each.stdout, each.stderr)
        assert "LABELWISE_SECRET_KEY" in each.stderr
        assert "Traceback" not in each.stderr
        assert len(each.stderr.splitlines()) == 1
        assert not tried.strip() or tried not in each.stderr


@case("A-17")
def test_a17_an_unknown_name_takes_as_long_as_a_wrong_password(site: Site) -> None:
    names = [f"timed-{uuid4()}" for _ in range(3)]
    for name in names:
        site.A.post("/users", json={"name": name, "password": PASSWORD})

    told, ratios = set(), []
    while not ratios or (len(ratios) < 4 and not 0.8 < ratios[-1] < 1.25):  # others work on this machine too
        known, unknown = [], []
        for n in range(50):
            if n % 8 == 0:
                site.let_minutes_pass()  # or the ninth guess would be slowed down
            known.append(_try(site.nobody, names[n % 3], "a wrong password"))
            unknown.append(_try(site.nobody, f"nobody-{n % 3}-{names[0]}", "a wrong password"))
        told |= {(each.status_code, each.json()["error"], each.json()["detail"]) for each in (*known, *unknown)}
        assert len({tuple(sorted(each.headers)) for each in (*known, *unknown)}) == 1
        one, other = (statistics.median(each.elapsed.total_seconds() for each in some) for some in (known, unknown))
        ratios.append(one / other)

    assert told == {(401, "NotSignedIn", "name or password is wrong")}
    assert 0.8 < ratios[-1] < 1.25, ratios  # without the hash of nobody's password it is twenty times
    site.let_minutes_pass()


@case("A-25")
@pytest.mark.parametrize("wanted", NEXT, ids=range(len(NEXT)))
def test_a25_signing_in_leads_to_pages_of_ours_only(site: Site, wanted: str) -> None:
    answer = site.nobody.ask("GET", "/sign-in", params={"next": wanted})

    assert answer.status_code == 200
    assert '"next": "/"' in answer.text.replace("&#34;", '"'), answer.text


@case("A-25")
def test_a25_and_back_to_the_page_that_was_asked_for(site: Site) -> None:
    sent = site.nobody.ask("GET", f"/projects/{site.P1}/annotate", headers={"Accept": "text/html"})
    page = site.nobody.ask("GET", sent.headers["location"])

    assert f'"next": "/projects/{site.P1}/annotate"' in page.text.replace("&#34;", '"')
    for path in ("//evil.example/projects", "/projects//evil.example/annotate", "/\\evil.example"):
        assert "evil.example" not in site.nobody.ask("GET", path).headers.get("location", "/")[:16]


def _try(voice: Voice, name: str, password: str) -> httpx.Response:
    return voice.post("/session", json={"name": name, "password": password})
