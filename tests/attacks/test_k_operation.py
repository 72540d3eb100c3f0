"""d.K: what the operator sees, and what nobody else should."""

import re
import socket
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy.engine import make_url

from tests.attacks import world
from tests.attacks.rules import LEAKS
from tests.attacks.running import command, environment, running
from tests.attacks.site import Site
from tests.attacks.voices import PASSWORD, Voice, key

case = pytest.mark.case

NOT_HERE = {
    "K-13": "full disks are made by benchmarks/faults (disk_full), at every write",
}
CLOSED = ("/openapi.json", "/docs", "/redoc", "/metrics", "/debug", "/.env", "/.git/config", "/admin")
OUTSIDE = (
    "/static/../pyproject.toml", "/static/..%2fpyproject.toml", "/static/%2e%2e/pyproject.toml", "/static/.git/config",
    "/static/..\\app\\main.py", "/static/dist/../../app/main.py", "/static//etc/passwd", "/static/%00", "/static",
    "/static/dist/manifest.json%00.js", "/static/", "/static/dist/", "/server-status", "/wp-login.php", "/console",
    "/labelwise.db", "/secret.key", "/status",
)  # fmt: skip


def text_of_database(site: Site) -> str:
    """Every row of every table as text."""
    if site.url.startswith("sqlite"):
        listed = site.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'")
        names = [row[0] for row in listed]
        return "\n".join(str(tuple(row)) for name in names for row in site.rows(f'SELECT * FROM "{name}"'))
    names = site.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return "\n".join(str(row[0]) for (name,) in names for row in site.rows(f"SELECT t::text FROM {name} AS t"))


@case("K-01")
def test_k01_no_secret_is_written_anywhere(site: Site) -> None:
    person = site.new_user(f"keeper-{uuid4()}")
    password, project = "a password of long words", site.new_project(person)
    browser = person.browser()
    browser.post("/session/password", json={"old_password": PASSWORD, "new_password": password})
    again = Voice(site, person.name).browser(password)
    token = again.token()
    invited = again.post(f"/projects/{project}/invitations", json={}, headers=key()).json()["url"].rsplit("/", 1)[-1]
    hook = {"url": "https://1.1.1.1/hook", "events": ["goal.reached"]}
    signing = again.post(f"/projects/{project}/webhooks", json=hook, headers=key()).json()["secret"]
    made = again.post("/tokens", json={"name": "keyed"}, headers=key()).json()["token"]
    cookie, bearer = again.headers["Cookie"].split("=")[1], token.headers["Authorization"].split()[1]
    secrets = [password, cookie, bearer, invited, made, site.secret]
    for secret in [*secrets, signing]:  # each stands where it does not belong, in something that fails
        site.nobody.post("/session", json={"name": secret[:100], "password": secret, "more": secret})
        site.nobody.get("/session", headers={"Authorization": f"Bearer {secret}x", "Cookie": f"labelwise={secret}x"})
        site.nobody.post(f"/setup/{secret}", json={"name": "x", "password": secret})
        again.post(f"/projects/{project}/webhooks", json={"url": "ftp://x", "events": ["none"], "secret": secret})
        again.post("/tokens", content=f'{{"name": "{secret}'.encode(), headers={"Content-Type": "application/json"})
        again.get(f"/projects/{secret}", headers={"User-Agent": secret})
    site.let_minutes_pass()

    rows, told = text_of_database(site), site.log()
    answers = "".join(again.get(path).text for path in ("/tokens", f"/projects/{project}/webhooks", "/session"))
    audit = site.A.get("/audit-log", params={"limit": 200}).text
    for secret in secrets:
        assert secret not in told, "in the log"
        assert secret not in rows, "in the database"
        assert secret not in answers
        assert secret not in audit
    assert signing not in told
    assert signing not in answers
    assert rows.count(signing) <= 1  # it signs, so the webhook's own row holds it


@case("K-02")
def test_k02_what_was_saved_as_a_secret_is_never_shown(site: Site) -> None:
    project = site.new_project(site.M, 0)
    given = "a secret that signs requests"
    hook = {"url": "https://1.1.1.1/hook", "events": ["goal.reached"], "secret": given}
    made = site.M.post(f"/projects/{project}/webhooks", json=hook).json()
    version = {"If-Match": site.M.get(f"/projects/{project}").headers["etag"]}
    scorer = {"learner": {"name": "http", "url": "https://1.1.1.1/score", "secret": given}}
    assert site.M.patch(f"/projects/{project}", json=scorer, headers=version).status_code == 200

    for path in ("", "/webhooks", f"/webhooks/{made['id']}/deliveries", "/status", "/overview", "/export"):
        assert given not in site.M.get(f"/projects/{project}{path}").text
    changed = site.M.patch(f"/projects/{project}/webhooks/{made['id']}", json={"active": False})
    assert given not in changed.text
    for masked in ("***", "*" * 8):  # what a page shows in the place of a secret is none, and is not stored as one
        hook = {"secret": masked}
        assert site.M.patch(f"/projects/{project}/webhooks/{made['id']}", json=hook).status_code == 422, masked
        version = {"If-Match": site.M.get(f"/projects/{project}").headers["etag"]}
        again = {"learner": {"name": "http", "url": "https://1.1.1.1/score", "secret": masked}}
        assert site.M.patch(f"/projects/{project}", json=again, headers=version).status_code == 422, masked
    for without in ({}, {"secret": ""}, {"secret": None}):
        version = {"If-Match": site.M.get(f"/projects/{project}").headers["etag"]}
        moved = {"learner": {"name": "http", "url": f"https://1.1.1.1/{len(str(without))}", **without}}
        assert site.M.patch(f"/projects/{project}", json=moved, headers=version).status_code == 200, without
    assert site.rows("SELECT secret FROM webhooks WHERE id = :id", id=made["id"])[0][0] == given
    kept = site.rows("SELECT secret FROM scorer_secrets WHERE project_id = :p", p=project)
    assert [row[0] for row in kept] == [given]
    listed = site.M.get(f"/projects/{project}/webhooks").json()["items"][0]
    assert not {"secret", "token", "password"} & listed.keys()
    page = site.M.browser()
    for path in ("settings", "webhooks"):
        assert given not in page.ask("GET", f"/projects/{project}/{path}", headers={"Accept": "text/html"}).text
    assert given not in site.A.get("/audit-log", params={"limit": 200}).text


@case("K-03")
def test_k03_what_a_request_says_makes_no_line_of_the_log(site: Site) -> None:
    before = len(site.log())
    for nasty in ("%1b%5b31m", "%0d%0aFORGED%20line", "%22%7d", "%e2%80%ae", "x" * 15_000):
        site.wire(
            f"GET /api/v1/projects/{nasty} HTTP/1.1\r\nHost: x\r\nUser-Agent: {nasty}\r\n\r\n".encode(), seconds=0.2
        )
        site.wire(f"BAD {nasty} HTTP/1.1\r\n{nasty}\r\n\r\n".encode(), seconds=0.2)
    site.A.post(
        "/users",
        json={"name": "\x1b[31mFORGED\r\nline", "password": "x"},
        headers={"User-Agent": "\x1b[31m".replace("\x1b", "^")},
    )
    said = site.log()[before:]

    assert "\x1b" not in said
    assert not any(line.startswith("FORGED") for line in said.splitlines())
    assert all(len(line) < 8_192 for line in said.splitlines())


@case("K-04")
def test_k04_it_listens_on_one_port_of_loopback(site: Site) -> None:
    inodes = set()
    for pid in (site.running.process.pid, *site.running.children):
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(handle.readlink())
            except OSError:
                continue
            inodes |= set(re.findall(r"socket:\[(\d+)\]", target))
    listening = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            cells = line.split()
            if cells[9] in inodes and (cells[3] == "0A" or table.startswith("udp")):
                listening.add((table, cells[1]))

    port = int(site.address.rsplit(":", 1)[1])
    assert listening == {("tcp", f"0100007F:{port:04X}")}


@case("K-05")
def test_k05_the_data_is_of_one_user_alone(site: Site) -> None:
    site.M.post(f"/projects/{world.picture(site)}/items", json=[])
    seen = 0
    for path in (site.data, *site.data.rglob("*")):
        try:
            mode = path.lstat().st_mode & 0o777
        except FileNotFoundError:
            continue  # a temporary file
        assert mode & 0o077 == 0, f"{path.relative_to(site.data.parent)} has mode {mode:o}"
        seen += 1
    assert seen > 5


@case("K-06")
def test_k06_health_tells_strangers_nothing(site: Site) -> None:
    assert site.nobody.get("/healthz").json() == {"status": "ok"}
    ready = site.nobody.get("/readyz", may_be_busy=True)
    assert set(ready.json()) == {"status", "reasons"}
    assert not re.search(r"\d\.\d|sqlite|postgres|/", ready.text.lower().replace("application/json", ""))


@case("K-07")
def test_k07_the_audit_log_is_read_by_admins_and_changed_by_nobody(site: Site) -> None:
    count = site.rows("SELECT count(*) FROM events")[0][0]

    for voice in (site.U1, site.M, site.X):
        assert voice.get("/audit-log").status_code == 403
    assert site.nobody.get("/audit-log").status_code == 401
    for method in ("DELETE", "PATCH", "PUT", "POST"):
        assert site.A.ask(method, "/api/v1/audit-log", json={}).status_code == 405
        assert site.A.ask(method, "/api/v1/audit-log/1", json={}).status_code in (404, 405)
    assert site.rows("SELECT count(*) FROM events")[0][0] >= count
    walked, more = [], {}
    while True:
        page = site.A.get("/audit-log", params={"limit": 200, **more}).json()
        walked += [line["id"] for line in page["items"]]
        if page["next"] is None:
            break
        more = {"cursor": page["next"]}
    assert walked == sorted(walked, reverse=True)
    assert len(walked) >= count


@case("K-08", "K-09")
@pytest.mark.parametrize("path", [*CLOSED, *OUTSIDE])
def test_k08_nothing_lies_about(site: Site, path: str) -> None:
    for voice in (b"", b"Authorization: " + site.U1.headers["Authorization"].encode() + b"\r\n"):
        if voice and path in ("/metrics", "/docs"):
            continue  # for everybody who is signed in
        got = site.wire(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + voice + b"\r\n")
        status = int(got.split(b" ", 2)[1])
        assert status in (400, 401, 403, 404, 405) or b"location: /sign-in" in got.lower(), got[:300]
        assert LEAKS.search(got.decode(errors="replace").split("\r\n\r\n", 1)[1]) is None
        assert b"[tool." not in got
        assert b"root:" not in got


@case("K-09", "K-12")
def test_k12_the_database_goes_away_while_people_work(site: Site) -> None:
    project = site.new_project(site.M, 12)
    leases = site.lease(site.M, project, 10)
    refused = 0
    stored = []
    for number, lease in enumerate(leases):
        with _away(site) if number == 4 else _here():
            answer = site.answer_any(site.M, lease)
        if answer.status_code == 503:
            refused += 1
            assert answer.headers["retry-after"]
            assert answer.json()["error"] == "Unavailable"
            again = site.M.post(
                "/annotations", json={"lease": lease["id"], "label": {"class": "cat"}}, may_be_busy=True, patient=True
            )
            for _ in range(50):
                if again.status_code == 201:
                    break
                time.sleep(0.1)
                again = site.answer_any(site.M, lease)
            answer = again
        assert answer.status_code == 201, answer.text
        stored.append(answer.json()["id"])

    assert len(set(stored)) == 10
    assert refused == (0 if site.url.startswith("sqlite") else 1)  # a file that somebody else locks is waited for
    assert site.rows("SELECT count(*) FROM annotations WHERE project_id = :p", p=project)[0][0] == 10
    site.unread_log()  # the database's own words stand there


@case("K-14")
def test_k14_two_services_on_one_data_folder_are_harmless(site: Site) -> None:
    url = None if site.url.startswith("sqlite") else site.url
    project = site.new_project(site.M, 12)
    headers, body = key(), {"name": "over two", "modality": "text", "task": {"classes": ["a", "b"]}}
    first = site.M.post("/projects", json=body, headers=headers).json()["id"]
    with (
        running(site.data, url) as second,
        httpx.Client(base_url=f"{second.address}/api/v1", headers=site.M.headers) as other,
    ):
        assert second.setup_code is None
        assert other.post("/projects", json=body, headers=headers).json()["id"] == first
        mine = {lease["item"]["id"] for lease in site.lease(site.M, project, 3)}
        theirs = other.post(f"/projects/{project}/leases", json={"count": 3}, timeout=30).json()["leases"]
        assert {lease["item"]["id"] for lease in theirs} == mine  # the same person, the same items
        stored = other.post("/annotations", json={"lease": theirs[0]["id"], "label": {"class": "cat"}}, timeout=30)
        assert stored.status_code == 201
        assert site.M.get(f"/projects/{project}/status").json()["annotations"] == 1
        cursor = site.M.get(f"/projects/{project}/items", params={"limit": 2}).json()["next"]
        assert other.get(f"/projects/{project}/items", params={"limit": 2, "cursor": cursor}).status_code == 200
    assert site.M.post(f"/projects/{project}/rounds").status_code in (202, 409)


@case("K-14")
def test_k14_a_newer_schema_and_a_place_that_cannot_be_written_stop_the_start(tmp_path: Path) -> None:
    data = tmp_path / "newer"
    subprocess.run(command("migrate"), env=environment(data), cwd=tmp_path, check=True, capture_output=True)
    with sqlite3.connect(data / "labelwise.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '20991231_from_the_future'")
    connection.close()
    (tmp_path / "file").write_text("not a folder")
    before = (data / "labelwise.db").read_bytes()

    for place in (data, tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere")):
        ended = subprocess.run(
            command("serve", "--port", "0"), env=environment(place), cwd=tmp_path, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert ended.returncode == 1, (place, ended)
        assert ended.stderr.startswith("labelwise: "), ended.stderr
        assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert (data / "labelwise.db").read_bytes() == before


@case("K-15")
def test_k15_idle_and_slow_connections_hold_nobody_up(site: Site) -> None:
    where = (site.address.rsplit("/", 1)[1].split(":")[0], int(site.address.rsplit(":", 1)[1]))
    lines = [socket.create_connection(where, timeout=5) for _ in range(400)]
    try:
        for line in lines[200:]:
            line.sendall(b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nX-Slow: ")
        began = time.monotonic()
        for _ in range(5):
            assert site.nobody.get("/healthz").status_code == 200
            assert site.M.get(f"/projects/{site.P1}/items").status_code == 200
        assert time.monotonic() - began < 5
        waiting = [site.M.token("read") for _ in range(3)]
        assert all(each.get("/session").status_code == 200 for each in waiting)
    finally:
        for line in lines:
            line.close()


class _here:
    """Nothing happens."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: Any) -> None: ...


class _away:
    """The database answers nobody: PostgreSQL lets nobody in, a SQLite file is locked by somebody else for a second."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __enter__(self) -> None:
        if self._site.url.startswith("sqlite"):
            self._locker = sqlite3.connect(
                self._site.data / "labelwise.db", isolation_level=None, check_same_thread=False
            )
            self._locker.execute("BEGIN IMMEDIATE")
            import threading

            self._timer = threading.Timer(1.0, lambda: self._locker.execute("ROLLBACK"))
            self._timer.start()
            return
        self._admin(allow=False)

    def __exit__(self, *_: Any) -> None:
        if self._site.url.startswith("sqlite"):
            self._timer.join()
            self._locker.close()
        else:
            self._admin(allow=True)

    def _admin(self, *, allow: bool) -> None:
        import psycopg

        url = make_url(self._site.url)
        self._site.forget_connections()
        address = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS {str(allow).lower()}")
            if not allow:
                ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
                connection.execute(ended, (url.database,))
