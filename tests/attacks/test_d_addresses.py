"""d.D: addresses that the server is told to call: of items, webhooks and scorers; buckets are the operator's."""

import os
import socket
import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.core import fetch
from app.core.addresses import AddressRefused, Allowed
from app.core.fetch import FetchFailed, safe_fetch
from tests.attacks.site import Site
from tests.attacks.trap import TRICKS, Trap, answer, png

case = pytest.mark.case

NOT_HERE = {
    "D-20": "no storage endpoint is taken from anybody: buckets are named by the operator's setting alone",
    "D-21": "storage servers are the operator's; the keys they list never become paths (tests/unit/buckets)",
}

OTHER_SCHEMES = [
    "file://{secret}", "file://localhost{secret}", "file:{secret}", "ftp://example.com/x", "gopher://example.com/x",
    "dict://example.com:11211/x", "data:text/html,x", "jar:https://example.com!/x", "s3://bucket/key",
    "//example.com/x",
    "javascript:alert(1)", "ws://example.com/", "HTTPS//example.com", "://", "http://", "https:///x",
    "http:example.com",
]  # fmt: skip
THIS_MACHINE = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0", "0.0.0.0",
    "localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1.", "１２７.0.0.1", "①②⑦.0.0.1", "127。0。0。1",
    "127.255.255.254",
]  # fmt: skip
PRIVATE = [
    "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "169.254.169.254", "192.0.0.8",
    "198.18.0.1",
    "198.19.255.255", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "203.0.113.9", "0xa9fea9fe",
    "2852039166",
    "metadata.google.internal", "printer.local",
]  # fmt: skip
IPV6 = [
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    "[2001:0:7f00:1::1]",
    "[fe80::1%25lo]", "[fd00:ec2::254]", "[fec0::1]", "[ff02::1]", "[::ffff:a9fe:a9fe]", "[0:0:0:0:0:ffff:7f00:1]",
    "[2001:db8::1]", "[100::1]",
]  # fmt: skip
MIXED_UP = [
    "http://ok.example\\@127.0.0.1/", "http://127.0.0.1\\@ok.example/", "http://ok.example@127.0.0.1/",
    "http://user:word@ok.example/", "http://ok.example%2f@127.0.0.1/", "http://ok.exam\tple/",
    "http://ok.example/\r\nx",
    "http://ok.example\x00/", "http://" + "x" * 70_000 + "/", " http://127.0.0.1/", "http://ok.example:80:80/",
    "http://ok.example /", "http://[::1/", "http://ok.example:99999/", "http://127.0.0.1#@ok.example/",
    "http://127.0.0.1?@ok.example/",
]  # fmt: skip
PORTS = [22, 25, 110, 3306, 5432, 6379, 8000, 8080, 11211, 1, 0]


def refused(site: Site, addresses: Sequence[str]) -> None:
    """Nobody lets the service call these: neither an item nor a webhook nor a scorer, new or changed."""
    for start in range(0, len(addresses), 50):
        rows = [{"key": f"{time.time_ns()}-{n}", "image": each} for n, each in enumerate(addresses[start : start + 50])]
        pushed = site.M.post(f"/projects/{site.pictures}/items", json=rows, patient=True).json()
        assert (pushed["created"], pushed["rejected_count"]) == (0, len(rows)), pushed
    etag = {"If-Match": site.M.get(f"/projects/{site.P1}").headers["etag"]}
    for address in addresses:
        for where in {address, address.replace("http:", "https:", 1)}:
            body = {"url": where, "events": ["job.finished"]}
            learner = {"learner": {"name": "http", "url": where}}
            for answered in (
                site.M.post(f"/projects/{site.P1}/webhooks", json=body),
                site.M.patch(f"/projects/{site.P1}/webhooks/{site.hook}", json={"url": where}),
                site.M.post(f"/projects/{site.P1}/scorer/test", json=learner),
                site.M.patch(f"/projects/{site.P1}", json=learner, headers=etag),
            ):
                assert answered.status_code == 422, (where[:100], answered.text)


@case("D-01")
def test_d01_other_schemes_are_none(aimed: Site) -> None:
    refused(aimed, [each.format(secret=aimed.secret_file) for each in OTHER_SCHEMES])


@case("D-02", "D-22", "D-24")
def test_d02_this_machine_is_refused_in_every_spelling(aimed: Site) -> None:
    refused(aimed, [f"http://{host}{port}/x" for host in THIS_MACHINE for port in ("", f":{aimed.canary.port}")])


@case("D-03")
def test_d03_private_networks_are_refused(aimed: Site) -> None:
    refused(aimed, [f"http://{host}/x" for host in PRIVATE])


@case("D-04")
def test_d04_and_in_ipv6_with_whatever_inside(aimed: Site) -> None:
    refused(aimed, [f"http://{host}/x" for host in IPV6])


@case("D-05")
def test_d05_addresses_that_two_libraries_read_differently_are_refused(aimed: Site) -> None:
    refused(aimed, [each for each in MIXED_UP if "\x00" not in each])
    body = {"url": "https://ok.example\x00/", "events": ["job.finished"]}
    assert aimed.M.post(f"/projects/{aimed.P1}/webhooks", json=body).status_code == 422


@case("D-17")
def test_d17_only_the_ports_of_the_web_are_called(aimed: Site) -> None:
    refused(aimed, [f"http://example.com:{port}/x" for port in PORTS])


@case("D-22")
def test_d22_a_webhook_has_no_headers_of_its_own(aimed: Site) -> None:
    for extra in ({"headers": {"Host": "x"}}, {"header": "a\r\nb"}, {"method": "DELETE"}, {"authorization": "x"}):
        body = {"url": "https://example.com/x", "events": ["job.finished"], **extra}
        assert aimed.M.post(f"/projects/{aimed.P1}/webhooks", json=body).status_code == 422


@case("D-10", "D-14")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_d10_a_redirect_is_judged_like_a_first_address(aimed: Site, trap: Trap, status: int) -> None:
    targets = [
        aimed.canary.url,
        f"file://{aimed.secret_file}",
        "//127.1/x",
        "http://[::1]/",
        "ftp://example.com/",
    ]
    urls = [trap.url(f"/redirect?status={status}&to={quote(each)}&n={n}") for n, each in enumerate(targets)]

    reasons = fetched(aimed, urls)

    assert len(reasons) == len(urls)
    assert all(each["state"] == "failed" for each in reasons)
    assert all(aimed.secret not in each["reason"] for each in reasons)


@case("D-10", "D-14", "D-15")
def test_d15_servers_without_end_cost_neither_time_nor_memory_nor_disk(aimed: Site, trap: Trap) -> None:
    before = disk(aimed)
    tricks = [name for name in TRICKS if name not in ("/redirect", "/hang", "/drip")]

    found = fetched(aimed, [trap.url(name) for name in tricks], seconds=22, waiting=len(tricks) - 5)

    assert {each["state"] for each in found} == {"failed"} or {each["state"] for each in found} == {
        "failed",
        "fetching",
    }
    assert sum(each["state"] == "failed" for each in found) >= 5  # others may go well later, and are tried again
    assert max(len(trap.at("/loop")), 1) <= 4 * 3
    assert disk(aimed) <= before + 1_000_000


@case("D-15")
def test_d15_a_byte_a_second_ends_at_the_time_limit_and_every_failure_says_why(aimed: Site, trap: Trap) -> None:
    before, memory = disk(aimed), aimed.running.memory()
    earlier = len(trap.at("/drip"))  # as the service on the other database asked
    names = ["/drip", "/endless", "/promise", "/bomb", "/brotli"]
    project = aimed.new_project(aimed.M, 0, modality="image")
    rows = [{"key": name, "image": trap.url(name)} for name in names]
    assert aimed.M.post(f"/projects/{project}/items", json=rows).json()["created"] == len(rows)
    tried = "SELECT key, state, reason, payload FROM items WHERE project_id = :p ORDER BY key"
    began = time.monotonic()
    while time.monotonic() - began < 60:
        found = {row[0]: row for row in aimed.rows(tried, p=project)}
        if all(row[1] == "failed" or "attempts" in str(row[3]) or row[2] for row in found.values()):
            break
        assert aimed.M.get(f"/projects/{aimed.P1}").status_code == 200
        time.sleep(0.3)

    for name, (_, state, reason, _payload) in found.items():
        assert state in ("failed", "fetching"), (name, state)
        assert state == "fetching" or len(reason) > 10, (name, reason)
    assert {found[name][1] for name in ("/endless", "/bomb", "/brotli")} == {"failed"}, found
    drips = len(trap.at("/drip")) - earlier
    assert 1 <= drips <= 4  # it is tried again a few times, and held for ten seconds each time
    assert disk(aimed) <= before + 1_000_000
    assert aimed.running.memory() - memory < 64 * 2**20


@case("D-14")
def test_d14_no_credential_goes_along(aimed: Site, trap: Trap) -> None:
    trap.say["/picture.png"] = lambda _: answer(png())
    [item] = fetched(aimed, [trap.url(f"/redirect?to={quote(trap.url('/picture.png'))}")])

    assert item["state"] == "open", item
    for asked in (*trap.at("/redirect"), *trap.at("/picture.png")):
        assert not {"authorization", "cookie", "proxy-authorization", "referer", "x-csrf-token"} & asked.headers.keys()


@case("D-18")
def test_d18_the_environments_proxy_is_asked_by_nobody(aimed: Site, trap: Trap) -> None:
    """The whole service runs with the canary as its proxy, see `conftest.proxies`; rule zero looks there."""
    for pid in aimed.running.children:
        told = Path(f"/proc/{pid}/environ").read_bytes()
        assert all(f"{name}={aimed.canary.url}".encode() in told for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"))
    with httpx.Client(proxy=aimed.canary.url) as believer:  # who believes it is seen
        believer.get("http://example.invalid/x")
    assert aimed.canary.hits == ["GET http://example.invalid/x"]
    aimed.canary.hits.clear()
    trap.say["/direct.png"] = lambda _: answer(png(color="green"))
    trap.say["/hook"] = trap.say["/score"] = lambda _: answer(b"{}")
    [item] = fetched(aimed, [trap.url("/direct.png")])
    hook = {"url": trap.url("/hook"), "events": ["job.finished"]}
    made = aimed.M.post(f"/projects/{aimed.P1}/webhooks", json=hook)
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    aimed.M.post(f"/projects/{aimed.P1}/webhooks/{number}/test")
    learner = {"learner": {"name": "http", "url": trap.url("/score")}}
    aimed.M.post(f"/projects/{aimed.P1}/scorer/test", json=learner, patient=True)
    end = time.monotonic() + 15
    while not trap.at("/hook") and time.monotonic() < end:
        time.sleep(0.1)
    aimed.M.delete(f"/projects/{aimed.P1}/webhooks/{number}")

    assert item["state"] == "open", item
    for path in ("/direct.png", "/hook", "/score"):
        assert trap.at(path), path
        for asked in trap.at(path):
            assert asked.target.startswith("/")  # a proxy would be asked for the whole address
            assert not {"proxy-authorization", "proxy-connection", "via"} & asked.headers.keys()
    assert aimed.canary.hits == []


@case("D-16")
def test_d16_what_a_file_says_of_itself_is_not_believed(aimed: Site, trap: Trap) -> None:
    page = b"<html><script>alert(1)</script></html>"
    name = 'Content-Disposition: attachment; filename="../../../../tmp/x"'
    trap.say["/lie.png"] = lambda _: answer(page, "200 OK", "Content-Type: image/png", name)
    trap.say["/..%2f..%2fevil.png"] = lambda _: answer(png(color="blue"), "200 OK", "Content-Type: text/html", name)

    lie, true = fetched(aimed, [trap.url("/lie.png"), trap.url("/..%2f..%2fevil.png")])

    assert lie["state"] == "failed", lie
    assert true["state"] == "open"
    given = aimed.M.get(f"/media/{true['image']['media']}")
    assert given.headers["content-type"] == "image/png"
    assert "/" not in true["image"].get("name", "")


@case("D-11", "D-12", "D-13", "D-23")
def test_d11_a_name_is_looked_up_once_and_one_private_address_closes_it(
    monkeypatch: pytest.MonkeyPatch, trap: Trap
) -> None:
    """In this process, as a resolver that lies would need a network of its own."""
    looked: list[str] = []
    found: dict[str, Any] = {
        "both.example": ["93.184.216.34", "127.0.0.1"],
        "six.example": ["93.184.216.34", "::1"],
        "alias.example": ["10.0.0.1"],
        "none.example": socket.gaierror(),
    }

    def look_up(host: str, port: int, *_: Any, **__: Any) -> Any:
        looked.append(host)
        if host == "turns.example":  # public at first, this machine from then on
            numbers = ["127.0.0.1"] if looked.count(host) > 1 else ["93.184.216.34"]
        elif isinstance(found[host], Exception):
            raise found[host]
        else:
            numbers = found[host]
        return [(socket.AF_INET6 if ":" in each else socket.AF_INET, 1, 6, "", (each, port)) for each in numbers]

    tried: list[str] = []

    def connect(_: Any, host: str, *rest: Any, **more: Any) -> Any:
        tried.append(host)
        raise fetch.httpcore.ConnectError("nobody")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(fetch.httpcore.SyncBackend, "connect_tcp", connect)

    def why(name: str) -> str:
        try:
            safe_fetch(f"http://{name}/x", BytesIO(), most_bytes=1_000, seconds=2, allowed=Allowed())
        except (AddressRefused, FetchFailed) as error:
            return str(error)
        raise AssertionError(name)

    assert "not allowed" in why("both.example")
    assert "not allowed" in why("six.example")
    assert "not allowed" in why("alias.example")
    assert "not known" in why("none.example")
    assert tried == []
    why("turns.example")
    assert tried == ["93.184.216.34"]
    assert looked.count("turns.example") == 1


@case("D-23")
def test_d23_a_webhook_is_checked_again_at_each_delivery(aimed: Site) -> None:
    made = aimed.M.post(
        f"/projects/{aimed.P1}/webhooks", json={"url": "https://example.com/x", "events": ["job.finished"]}
    )
    number = made.json()["id"]
    aimed.rows("UPDATE webhooks SET url = :url WHERE id = :id", url="https://127.0.0.1/hook", id=number)
    try:
        assert aimed.M.post(f"/projects/{aimed.P1}/webhooks/{number}/test").status_code == 202
        end = time.monotonic() + 15
        while time.monotonic() < end:
            [sent] = aimed.M.get(f"/projects/{aimed.P1}/webhooks/{number}/deliveries").json()["items"]
            if sent["attempts"]:
                break
            time.sleep(0.2)
        assert sent["state"] == "waiting"
        assert "not allowed" in sent["reason"]
    finally:
        aimed.M.delete(f"/projects/{aimed.P1}/webhooks/{number}")


def fetched(site: Site, urls: list[str], seconds: float = 25, waiting: int = 0) -> list[dict[str, Any]]:
    """What became of items with these addresses, once no more than that many wait or the time is over."""
    project = site.new_project(site.M, 0, modality="image")  # one that waits to try again would keep these waiting
    rows = [{"key": f"{time.time_ns()}-{n}", "image": url} for n, url in enumerate(urls)]
    pushed = site.M.post(f"/projects/{project}/items", json=rows)
    refused_here = {each["key"]: each["error"] for each in pushed.json()["rejected"]}
    end = time.monotonic() + seconds
    while True:
        found = []
        for row in rows:
            if row["key"] in refused_here:
                found.append({"state": "failed", "reason": refused_here[row["key"]]})
                continue
            listed = site.M.get(f"/projects/{project}/items", params={"key": row["key"]}).json()["items"]
            found.append(site.M.get(f"/items/{listed[0]['id']}").json())
        left = sum(each["state"] == "fetching" for each in found)
        if left <= waiting or time.monotonic() > end:
            return found
        time.sleep(0.3)


def disk(site: Site) -> int:
    """Bytes in the folders of files and of temporary ones."""
    folders = [site.data / "tmp", site.data / "media"]
    return sum(each.stat().st_size for folder in folders for each in folder.rglob("*") if os.path.isfile(each))
