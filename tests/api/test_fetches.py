"""Items whose file is named by an address: fetched by the worker, or failed with the reason."""

import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select, update

from app.core import addresses
from app.db import Job
from app.services import fetches, underway
from tests.conftest import Api, Speaker
from tests.unit.core.test_fetch import Server, serving


def png(color: str, side: int = 12) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), color).save(out, "PNG")
    return out.getvalue()


FILES = {
    "/red.png": png("red"),
    "/blue.png": png("blue"),
    "/also%20red.png": png("red"),
    "/page.png": b"<p>hello</p>",
}


def site(connection: socket.socket) -> None:
    """Answers by the path; the server fills `asked` before."""
    path = server_of(connection).asked[-1].split(b" ")[1].decode()
    body = FILES.get(path)
    status = b"200 OK" if body else b"404 Not Found"
    connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body or b""), body or b""))


def server_of(connection: socket.socket) -> Server:
    return SERVERS[connection.getsockname()[1]]


SERVERS: dict[int, Server] = {}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(site) as made:
        SERVERS[made.port] = made
        yield made


@pytest.fixture
def boss(api: Api, server: Server, monkeypatch: pytest.MonkeyPatch) -> Speaker:
    monkeypatch.setattr(underway, "AT_ONCE", 1)  # so that the server knows which request is which
    allowed = api.settings.model_copy(update={"allow_fetch_from": f"127.0.0.1:{server.port}"})
    api.client.app.state.settings = api.settings = allowed
    return api.as_("boss")


def rows_of(boss: Speaker, project: int, **query: Any) -> dict[str, dict[str, Any]]:
    answer = boss.get(f"/projects/{project}/items", params={"limit": 200, **query})
    return {row["key"]: row for row in answer.json()["items"]}


def images(boss: Speaker) -> int:
    found: int = boss.project(["red", "blue"], modality="image", audit_share=0)["id"]
    return found


def test_addresses_are_fetched_by_the_worker_and_then_served(api: Api, boss: Speaker, server: Server) -> None:
    project, base = images(boss), f"http://127.0.0.1:{server.port}"
    rows = [
        {"key": "a", "image": f"{base}/red.png", "label": "red"},
        {"key": "b", "image": f"{base}/blue.png"},
        {"key": "c", "image": f"{base}/also%20red.png"},
    ]

    report = boss.push(project, rows)
    before = boss.get(f"/projects/{project}/status").json()
    served = boss.post(f"/projects/{project}/leases", json={"count": 5}).json()["leases"]
    again = boss.push(project, rows)
    api.worker().run_waiting()
    after = rows_of(boss, project)

    assert (report["created"], again["unchanged"]) == (3, 3)
    assert (before["items"]["fetching"], before["items"]["open"]) == (3, 0)
    assert before["advice"]["text"].startswith(("The items' files", "No worker"))
    assert served == []
    assert {row["state"] for row in after.values()} == {"open"}
    assert after["a"]["answered"] is True
    assert after["c"]["image"]["name"] == "also red.png"
    shown = boss.get(after["b"]["image"]["url"].removeprefix("/api/v1"))
    assert (shown.content, shown.headers["content-type"]) == (FILES["/blue.png"], "image/png")
    assert len(server.asked) == 3
    leases = boss.post(f"/projects/{project}/leases", json={"count": 5}).json()["leases"]
    assert {lease["item"]["key"] for lease in leases} == {"b", "c"}
    features = boss.get(f"/projects/{project}/status").json()["features"]
    assert features["featurizer"] == "descriptors"
    assert boss.push(project, rows)["unchanged"] == 3


def test_what_is_not_there_or_no_image_fails_with_the_reason(api: Api, boss: Speaker, server: Server) -> None:
    project, base = images(boss), f"http://127.0.0.1:{server.port}"
    boss.push(project, [{"key": "gone", "image": f"{base}/gone.png"}, {"key": "page", "image": f"{base}/page.png"}])

    api.worker().run_waiting()

    found = rows_of(boss, project, status="failed")
    assert found["gone"]["reason"] == "the server answered with status 404"
    assert "no PNG" in found["page"]["reason"]
    assert "hello" not in json.dumps(found)
    assert found["gone"]["image"] == {"address": f"{base}/gone.png"}
    assert boss.get(f"/projects/{project}/status").json()["items"]["failed"] == 2
    assert not list((api.settings.data / "tmp").iterdir())


def test_fetched_files_are_held_to_the_quota(
    api: Api, boss: Speaker, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are asked for while there is room for either; the second is counted again where its row is written."""
    monkeypatch.setattr(underway, "AT_ONCE", 2)
    monkeypatch.setattr(fetches.quota, "check", lambda settings, left, size: None)
    take = fetches.Room.take

    def counted(room: fetches.Room, size: int) -> None:
        if room.left is not None and size > room.left:
            raise fetches.quota.NoRoom("no room by now")
        take(room, size)

    monkeypatch.setattr(fetches.Room, "take", counted)
    small = api.settings.model_copy(update={"media_bytes": len(FILES["/red.png"]) + 1})
    api.client.app.state.settings = api.settings = small
    project, base = images(boss), f"http://127.0.0.1:{server.port}"
    boss.push(project, [{"key": "a", "image": f"{base}/red.png"}, {"key": "b", "image": f"{base}/blue.png"}])

    api.run_jobs_until(lambda: not rows_of(boss, project, status="fetching"))

    states = sorted((row["state"], row.get("reason")) for row in rows_of(boss, project).values())
    assert states == [("failed", "no room by now"), ("open", None)]
    assert len([each for each in (api.settings.data / "media").rglob("*") if each.is_file()]) == 1
    assert not list((api.settings.data / "tmp").iterdir())


def test_a_closed_address_is_refused_at_the_door_and_behind_a_name_by_the_worker(
    api: Api, boss: Speaker, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = images(boss)
    closed = ["http://127.0.0.1/x.png", "http://169.254.169.254/latest", "http://[::1]/x", "http://u:p@a.example/x"]
    closed += ["file:///etc/passwd", "ftp://a.example/x", "http://a.example:22/x", "http://a.example/\r\nx"]

    report = boss.push(project, [{"key": str(n), "image": address} for n, address in enumerate(closed)])
    boss.push(project, [{"key": "name", "image": "http://inside.example/x.png"}])
    here = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]
    with monkeypatch.context() as patched:
        patched.setattr(addresses.socket, "getaddrinfo", lambda *_, **__: here)
        api.worker().run_waiting()

    assert (report["created"], report["rejected_count"]) == (0, len(closed))
    found = rows_of(boss, project)
    assert list(found) == ["name"]
    assert (found["name"]["state"], found["name"]["reason"]) == (
        "failed",
        "address not allowed: it is not of the public internet",
    )
    assert server.asked == []


def test_a_failed_file_is_tried_again_by_hand_and_by_another_push(api: Api, boss: Speaker, server: Server) -> None:
    project, base = images(boss), f"http://127.0.0.1:{server.port}"
    rows = [{"key": key, "image": f"{base}/{key}.png"} for key in ("one", "two")]
    boss.push(project, rows)
    api.worker().run_waiting()
    failed = rows_of(boss, project, status="failed")["one"]["id"]
    FILES.update({"/one.png": png("red"), "/two.png": png("blue")})

    version = boss.get(f"/items/{failed}").headers["ETag"]
    opened = boss.patch(f"/items/{failed}", json={"state": "open"}, headers={"If-Match": version}).json()
    pushed = boss.push(project, rows)
    api.worker().run_waiting()

    assert (opened["state"], opened["reason"]) == ("fetching", None)
    assert (pushed["updated"], pushed["unchanged"]) == (1, 1)
    assert {row["state"] for row in rows_of(boss, project).values()} == {"open"}
    del FILES["/one.png"], FILES["/two.png"]


def test_what_may_go_well_later_is_tried_three_times(api: Api, boss: Speaker, server: Server) -> None:
    project = images(boss)
    with serving(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n") as busy:
        hosts = f"127.0.0.1:{server.port},127.0.0.1:{busy.port}"
        api.client.app.state.settings = api.settings = api.settings.model_copy(update={"allow_fetch_from": hosts})
        boss.push(project, [{"key": "a", "image": f"http://127.0.0.1:{busy.port}/a.png"}])
        states = []
        for _ in range(4):
            api.worker().run_waiting()
            states.append(rows_of(boss, project)["a"]["state"])
            with api.db.write() as session:
                session.execute(update(Job).values(due_at=datetime.now(UTC) - timedelta(hours=1)))

    assert states == ["fetching", "fetching", "failed", "failed"]
    assert len(busy.asked) == 3
    assert rows_of(boss, project)["a"]["image"] == {"address": f"http://127.0.0.1:{busy.port}/a.png"}


def test_an_address_gives_way_to_an_uploaded_file_and_the_other_way_round(
    api: Api, boss: Speaker, server: Server
) -> None:
    project, base = images(boss), f"http://127.0.0.1:{server.port}"
    files = [("files", ("mine.png", png("green")))]
    media = boss.post(f"/projects/{project}/media", files=files).json()["media"][0]["id"]
    boss.push(project, [{"key": "a", "image": f"{base}/gone.png"}, {"key": "b", "image": media}])
    api.worker().run_waiting()

    boss.push(project, [{"key": "a", "image": media}, {"key": "b", "image": f"{base}/red.png"}], on_change="replace")
    between = rows_of(boss, project)
    api.worker().run_waiting()
    after = rows_of(boss, project)

    assert (between["a"]["state"], between["a"]["reason"], between["b"]["state"]) == ("open", None, "fetching")
    assert (after["a"]["image"]["name"], after["b"]["image"]["name"]) == ("mine.png", "red.png")


def test_an_export_names_the_address_of_what_is_not_here(api: Api, boss: Speaker, server: Server) -> None:
    project, base = images(boss), f"http://127.0.0.1:{server.port}"
    boss.push(project, [{"key": "a", "image": f"{base}/gone.png"}, {"key": "b", "image": f"{base}/red.png"}])
    api.worker().run_waiting()

    lines = boss.get(f"/projects/{project}/export", params={"view": "items"}).text.splitlines()

    assert [json.loads(line)["image"] for line in lines] == [f"{base}/gone.png", {"name": "red.png"}]


def test_a_slow_server_holds_the_worker_two_seconds_and_its_file_comes_all_the_same(
    api: Api, boss: Speaker, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetches, "SLICE_SECONDS", 0.2)
    monkeypatch.setattr(underway, "AT_ONCE", 2)
    free = threading.Event()

    def slow(connection: socket.socket) -> None:
        free.wait(8)
        body = FILES["/blue.png"]
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    project, base = images(boss), f"http://127.0.0.1:{server.port}"
    with serving(slow) as late:
        hosts = f"127.0.0.1:{server.port},127.0.0.1:{late.port}"
        api.client.app.state.settings = api.settings = api.settings.model_copy(update={"allow_fetch_from": hosts})
        rows = [{"key": "slow", "image": f"http://127.0.0.1:{late.port}/s.png"}]
        boss.push(project, rows + [{"key": str(n), "image": f"{base}/red.png"} for n in range(5)])
        worker = api.worker()

        began = time.monotonic()
        for _ in range(4):
            worker.run_one()
        took = time.monotonic() - began
        between = {key: row["state"] for key, row in rows_of(boss, project).items()}
        free.set()
        api.run_jobs()

        assert len(late.asked) == 1
    assert took < 4
    assert between == {"slow": "fetching", **{str(n): "open" for n in range(5)}}
    after = rows_of(boss, project)
    assert {row["state"] for row in after.values()} == {"open"}
    assert len(server.asked) == 5


def test_a_cancelled_fetch_leaves_no_item_waiting(api: Api, boss: Speaker, server: Server) -> None:
    project, base = images(boss), f"http://127.0.0.1:{server.port}"
    boss.push(project, [{"key": str(n), "image": f"{base}/red.png"} for n in range(3)])
    with api.db.read() as session:
        job = session.execute(select(Job.id).where(Job.kind == "fetch")).scalar_one()

    assert boss.delete(f"/jobs/{job}").status_code == 204
    boss.push(project, [{"key": "later", "image": f"{base}/blue.png"}])
    api.run_jobs()

    found = rows_of(boss, project)
    assert [found[str(n)]["state"] for n in range(3)] == ["failed"] * 3
    assert found["0"]["reason"].startswith("fetching was cancelled: open the item")
    assert found["later"]["state"] == "open"
    boss.push(project, [{"key": "0", "image": f"{base}/red.png"}])
    api.run_jobs()
    assert rows_of(boss, project)["0"]["state"] == "open"
