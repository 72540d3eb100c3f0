"""d.G, second part: addresses, headers, lists, and what no client would send."""

import gzip
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.attacks.site import Site

case = pytest.mark.case

NUMBERS = [
    "0", "-1", "2147483648", "9223372036854775807", "9223372036854775808", "18446744073709551616", "9" * 400,
    "9" * 5_000,
    "1_0", "+1", "%201", "1%20", "1.0", "01x", "1e3", "0x1", "%D9%A1", "%EF%BC%91", "null", "true", "1;x",
    "1%2f2", "1%00",
]  # fmt: skip


def asked(site: Site, first_line: bytes, headers: bytes = b"", body: bytes = b"", seconds: float = 2.0) -> bytes:
    """What comes back for a request of the manager's, put together by hand."""
    head = b"Host: 127.0.0.1\r\nAuthorization: " + site.M.headers["Authorization"].encode() + b"\r\n"
    return site.wire(first_line + b"\r\n" + head + headers + b"\r\n" + body, seconds=seconds)


def statuses(got: bytes) -> list[int]:
    """The statuses of all answers that came over one connection."""
    return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)]


@case("G-01")
@pytest.mark.parametrize("path", [b"/api/v1/projects", b"/api/v1/session"])
def test_g01_a_body_that_is_too_large_is_refused_at_once(site: Site, path: bytes) -> None:
    kind = b"Content-Type: application/json\r\n"
    for length, sent in ((60_000_000, b"x" * 100_000), (10**12, b"0123456789"), (10**30, b"0123456789")):
        began = time.monotonic()
        got = asked(site, b"POST " + path + b" HTTP/1.1", kind + b"Content-Length: %d\r\n" % length, sent)
        assert statuses(got)[:1] in ([413], [400]), got[:300]
        assert time.monotonic() - began < 4

    endless = b"".join(b"%x\r\n%s\r\n" % (50_000, b"x" * 50_000) for _ in range(30))
    got = asked(site, b"POST " + path + b" HTTP/1.1", kind + b"Transfer-Encoding: chunked\r\n", endless)
    assert statuses(got)[:1] == [413]


@case("G-01")
def test_g01_an_import_may_not_say_that_it_has_no_end(site: Site) -> None:
    first = f"POST /api/v1/projects/{site.P1}/items HTTP/1.1".encode()
    kind = b"Content-Type: application/x-ndjson\r\n"

    got = asked(site, first, kind + b"Content-Length: 1000000000000\r\n", b'{"key": "g01", "text": "x"}\n')

    assert statuses(got) == [413]


@case("G-01", "G-18")
@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5, 6\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5 5\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: identity, chunked\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"X: y\r\n Transfer-Encoding: chunked\r\n",
        b"\r\nTransfer-Encoding: chunked\r\n",
    ],
    ids=range(16),
)
def test_g18_no_second_request_is_smuggled_in(site: Site, headers: bytes) -> None:
    project = site.new_project(site.M, 0)
    hidden = b"DELETE /api/v1/projects/%d HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: %s\r\n\r\n" % (
        project, site.M.headers["Authorization"].encode()
    )  # fmt: skip
    body = b"0\r\n\r\n" + hidden

    got = asked(site, b"POST /api/v1/tokens HTTP/1.1", b"Content-Type: application/json\r\n" + headers, body)

    assert 204 not in statuses(got), got[:500]
    assert site.M.get(f"/projects/{project}").status_code == 200


@case("G-18")
def test_g18_of_two_glued_requests_each_is_answered_for_itself(site: Site) -> None:
    line = b"GET /api/v1/session HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    mine = line + b"Authorization: " + site.M.headers["Authorization"].encode() + b"\r\n\r\n"

    both = site.wire(mine + line + b"Connection: close\r\n\r\n")
    broken = site.wire(mine + b"GET \x00 HTTP/9.9\r\n\r\n")

    assert statuses(both) == [200, 401]
    assert statuses(broken)[-1:] == [400]
    assert len(statuses(broken)) <= 2


@case("G-02")
@pytest.mark.parametrize(
    ("line", "headers"),
    [
        (b"GET /api/v1/session HTTP/1.1", b"X: " + b"x" * 100_000 + b"\r\n"),
        (b"GET /api/v1/session HTTP/1.1", b"".join(b"X-%d: y\r\n" % n for n in range(1_000))),
        (b"GET /api/v1/session HTTP/1.1", b"X" * 100_000 + b": y\r\n"),
        (b"GET /api/v1/session?" + b"x" * 100_000 + b" HTTP/1.1", b""),
        (b"GET /" + b"x/" * 50_000 + b" HTTP/1.1", b""),
        (b"GET /api/v1/session HTTP/1.1", b": no name\r\n"),
        (b"GET /api/v1/session HTTP/1.1", b"X: a\x00b\r\n"),
        (b"GET /api/v1/session HTTP/1.1", b"no colon\r\n"),
        (b"GET /api/v1/session HTTP/1.1", b"X\x00: y\r\n"),
        (b"GET /api/v1/session HTTP/1.1", b"X Y: z\r\n"),
        (b"GET /api/v1/\xff\xfe HTTP/1.1", b""),
        (b"GET http://evil.example/api/v1/session HTTP/1.1", b""),
        (b"GET api/v1/session HTTP/1.1", b""),
        (b"GET * HTTP/1.1", b""),
        (b"CONNECT evil.example:443 HTTP/1.1", b""),
        (b"GET /api/v1/session HTTP/1.1 x", b""),
        (b"GET /api/v1/session HTTP/0.9", b""),
        (b"\x16\x03\x01\x02\x00\x01\x00", b""),
    ],
    ids=range(18),
)
def test_g02_what_is_no_decent_request_is_refused(site: Site, line: bytes, headers: bytes) -> None:
    got = asked(site, line, headers)

    assert set(statuses(got)) <= {400, 404, 405, 414, 431, 505}, got[:300]
    assert b"evil" not in got
    assert b"Traceback" not in got


@case("G-02")
def test_g02_a_lone_line_feed_hides_no_header(site: Site) -> None:
    got = site.wire(b"GET /api/v1/session HTTP/1.1\nHost: 127.0.0.1\n\n")

    assert set(statuses(got)) <= {400, 401}


@case("G-06")
def test_g06_strange_numbers_are_no_ids(site: Site) -> None:
    paths = site.A.get("/openapi.json").json()["paths"]
    tried = 0
    for path in (each for each in paths if "{" in each):
        for number in NUMBERS if path.count("{") == 1 else NUMBERS[::4]:
            address = re.sub(
                r"\{\w+\}", number, path.replace("{project}", str(site.P1) if "{" in path[24:] else number)
            )
            answer = site.A.ask("GET", httpx.URL(site.address + address))
            tried += 1
            assert answer.status_code in (404, 405, 422, 414), (address[:200], answer.status_code)

    assert tried > 300


@case("G-06", "G-08")
@pytest.mark.parametrize(
    "limit", ["0", "-1", "201", "1000000000000000000", "all", "1.5", "1_0", "", "+5", "\u0661", "NaN"]
)
def test_g08_no_list_is_without_bounds(site: Site, limit: str) -> None:
    for path in _lists(site):
        answer = site.A.get(path, params={"limit": limit})
        assert answer.status_code == 422, (path, answer.status_code)


@case("G-08")
def test_g08_there_are_no_offsets(site: Site) -> None:
    for path in _lists(site):
        for query in ({"offset": "9223372036854775808"}, {"page": "-1"}, {"skip": "1"}, {"limit": ["1", "200"]}):
            answer = site.A.get(path, params=query)
            assert answer.status_code == 422 or (len(answer.json()["items"]) <= 200 and "limit" in query), (path, query)


@case("G-09")
@pytest.mark.parametrize("sort", ["created", "-created", "key", "updated"])
def test_g09_a_walk_shows_each_row_once_while_others_come_and_go(site: Site, sort: str) -> None:
    project = site.new_project(site.M, 100)
    old = {f"item-{n}" for n in range(60)}
    going = [row["id"] for row in _all(site, project, "created") if row["key"] not in old]

    def disturb() -> None:
        for item in going:
            site.M.post(f"/projects/{project}/items", json=[{"key": f"new-{item}", "text": f"new {item}"}])
            site.M.delete(f"/items/{item}")

    disturbing = Thread(target=disturb)
    disturbing.start()
    seen = [row["key"] for row in _all(site, project, sort, limit=7)]
    disturbing.join()

    assert sorted(key for key in seen if key in old) == sorted(old)


@case("G-10")
@pytest.mark.parametrize(
    "query",
    [
        "q=" + "x" * 100_000,
        "&".join(f"p{n}=1" for n in range(10_000)),
        "&".join("q=x" for _ in range(100)),
        "&".join("limit=5" for _ in range(100)),
        "a[]=1",
        "a[b]=1",
        "limit[]=1",
        "q[$ne]=1",
        "=1",
        "&" * 5_000,
        "q=" + "%20x" * 500,
        "metadata.a=" + "x" * 2_000,
        "%=1",
        "q",
    ],
    ids=range(14),
)
def test_g10_strange_questions_are_refused_quickly(site: Site, query: str) -> None:
    line = f"GET /api/v1/projects/{site.P1}/items?{query} HTTP/1.1".encode()

    got = asked(site, line, b"Connection: close\r\n")

    assert statuses(got) in ([422], [400], [414], [200]), got[:300]
    if statuses(got) == [200]:
        assert query.startswith(("&", "limit=5"))


@case("G-16")
def test_g16_methods_that_a_path_does_not_take(site: Site) -> None:
    description = site.A.get("/openapi.json").json()["paths"]
    methods = ("GET", "PUT", "PATCH", "DELETE", "POST", "FOO", "TRACE", "OPTIONS", "PROPFIND")
    for path, item in description.items():
        address = re.sub(r"\{\w+\}", "999999", path)
        for method in methods:
            if method.lower() not in item:
                answer = site.A.ask(method, address)
                # 422: another path takes it, and finds no number where its id stands
                assert answer.status_code in (404, 405, 400, 422), (method, path, answer.status_code)
                if answer.status_code == 405:
                    assert set(answer.headers["allow"].split(", ")) <= {each.upper() for each in item} | {"HEAD"}


@case("G-16")
@pytest.mark.parametrize(
    "path",
    ["//api/v1/projects", "/api//v1/projects", "/api/v1/projects/", "/api/v1/Projects", "/API/v1/projects",
     "/api/v1/projects;x",
     "/api/v1%2fprojects", "/api/v1/projects%2f", "/api/v1/./projects", "/api/v1/x/../projects", "/api/v1/projects%20",
     "/api/v1/projects%00", "/api/v1/projects?", "/api/v1/projects%3f", "/api\\v1\\projects", "/api/v2/projects"],
)  # fmt: skip
def test_g16_an_address_that_is_nearly_right_is_wrong(site: Site, path: str) -> None:
    before = site.rows("SELECT count(*) FROM projects")
    body = b'{"name": "nearly", "modality": "text", "task": {"classes": ["a", "b"]}}'
    headers = b"Content-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n" % len(body)

    got = asked(site, b"POST " + path.encode() + b" HTTP/1.1", headers, body)

    assert set(statuses(got)) <= ({201} if path.endswith("?") else {400, 404, 405}), got[:300]
    assert b"\r\nlocation:" not in got.lower()
    if not path.endswith("?"):
        assert site.rows("SELECT count(*) FROM projects") == before


@case("G-17")
def test_g17_strange_wishes_harm_nobody(site: Site) -> None:
    for headers in (
        {"Accept": "image/png"}, {"Accept": ";;;"}, {"Accept-Encoding": "gzip;q=NaN"}, {"Accept-Encoding": "x" * 5_000},
        {"Accept-Language": "x" * 5_000}, {"Range": "bytes=0-1,2-3,4-5"}, {"If-Match": "x" * 5_000},
        {"If-None-Match": "*"},
        {"Content-Encoding": "gzip"}, {"Upgrade": "websocket", "Connection": "Upgrade"}, {"Cookie": "=;;=;a=b;" * 400},
        {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"},
    ):  # fmt: skip
        answer = site.M.get(f"/projects/{site.P1}/items", headers=headers)
        assert answer.status_code in (200, 406, 400), headers
        assert answer.headers.get("content-encoding") in (None, "identity", "gzip")
    zipped = gzip.compress(b'{"name": "x"}')
    body = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert site.M.post("/projects", content=zipped, headers=body).status_code in (400, 415, 422)
    old = site.wire(b"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    assert statuses(old) == [200]
    assert site.wire(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 405", b"HTTP/1.1 505")
    expecting = b"Content-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n"
    got = asked(site, b"POST /api/v1/projects HTTP/1.1", expecting, seconds=0.5)
    assert statuses(got) in ([100], [])  # and then it is cut off, see tests/unit/cli/test_wire.py


@case("G-20")
def test_g20_a_cursor_of_anybody_elses_making_is_refused(site: Site) -> None:
    path = f"/projects/{site.P1}/items"
    cursor = site.M.get(path, params={"limit": 2}).json()["next"]
    raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))

    def tried(given: str, voice: Any = site.M, where: str = path, **more: str) -> int:
        return int(voice.get(where, params={"limit": 2, "cursor": given, **more}).status_code)

    assert tried(cursor) == 200
    for place in range(len(raw)):
        flipped = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        assert tried(urlsafe_b64encode(flipped).decode().rstrip("=")) == 422
    assert tried(cursor, site.A) == 422
    assert tried(cursor, sort="key") == 422
    assert tried(cursor, q="dog") == 422
    assert tried(cursor, where="/projects") == 422
    assert tried(cursor, where=f"/projects/{site.new_project(site.M)}/items") == 422
    for strange in ("", "x", "=", "====", "\u00e4", "x" * 2_000, "x" * 2_001, cursor[:-1], cursor + "A", cursor + "="):
        assert tried(strange) in (422, 200 if strange == cursor + "=" else 422), strange[:50]


def _lists(site: Site) -> list[str]:
    """Every route that takes `limit`."""
    found = []
    for path, item in site.A.get("/openapi.json").json()["paths"].items():
        names = {each["name"] for each in item.get("get", {}).get("parameters", ())}
        if "limit" in names and "{number}" not in path and "{webhook}" not in path:
            found.append(path.removeprefix("/api/v1").format(project=site.P1))
    assert len(found) >= 10
    return found


def _all(site: Site, project: int, sort: str, limit: int = 50) -> list[dict[str, Any]]:
    found, cursor = [], {}
    while True:
        page = site.M.get(f"/projects/{project}/items", params={"limit": limit, "sort": sort, **cursor}).json()
        found += page["items"]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}
