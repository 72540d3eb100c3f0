"""The client against the real application, over real HTTP."""

import hashlib
import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pandas
import pytest
import uvicorn
from PIL import Image

from app.cli.parser import main
from app.core.settings import Settings
from app.db import Database
from app.main import create_app
from app.services import accounts
from app.worker import WorkerProcess
from labelwise import Client, LabelwiseError, Project, client
from tests import databases

PETS = {"modality": "text", "task": {"type": "classification", "classes": ["cat", "dog"]}}


@dataclass
class Site:
    """A running service and a client with every right on it."""

    url: str
    client: Client
    worker: WorkerProcess
    token: str


@pytest.fixture
def site(settings: Settings) -> Iterator[Site]:
    settings.data.mkdir()
    shutil.copy(databases.sqlite_template(), settings.data / "labelwise.db")
    db = Database(settings.url)
    with db.write() as session:
        ada = accounts.create_user(session, "ada", "correct horse battery", admin=True)
        _, token = accounts.create_token(session, ada.id, "test", accounts.SCOPES)
    server = uvicorn.Server(uvicorn.Config(create_app(settings, db), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    with closing(Client(url, token)) as made:
        yield Site(url, made, WorkerProcess(settings, db), token)
    server.should_exit = True
    thread.join(timeout=20)
    db.dispose()


@pytest.fixture
def pets(site: Site) -> Project:
    return site.client.project("pets", create=PETS)


def test_a_project_is_made_once_and_found_again(site: Site, pets: Project) -> None:
    again = site.client.project("pets", create=PETS)

    assert again.id == pets.id
    assert [each.id for each in site.client.projects()] == [pets.id]
    with pytest.raises(LabelwiseError, match="404"):
        site.client.project("birds")


def test_items_are_selected_held_answered_elsewhere_and_let_go(
    site: Site, pets: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    pets.push([{"key": str(number), "text": f"pet {number}"} for number in range(30)])
    site.worker.run_waiting()
    monkeypatch.setattr(client, "PAGE_ROWS", 7)

    order = pets.queue(20)
    chosen = pets.select(10, hold_hours=2)
    report = pets.push_answers({"key": each["key"], "label": "cat", "origin": "human"} for each in chosen[:6])
    left = [lease.item["key"] for lease in pets.lease(20)]
    pets.release()

    assert len({each["key"] for each in order}) == 20
    assert report.created == 6
    assert left[:4] == [each["key"] for each in chosen[6:]]
    assert len(pets.select(30)) == 24


def test_a_selection_by_another_strategy_is_waited_for(site: Site, pets: Project) -> None:
    pets.push([{"key": str(number), "text": f"pet {number}"} for number in range(30)])
    site.worker.run_waiting()
    thread = threading.Thread(target=site.worker.run)
    thread.start()
    try:
        chosen = pets.select(5, strategy="coverage")
        with pytest.raises(LabelwiseError, match="margin cannot run"):
            pets.select(5, strategy={"name": "margin"})
    finally:
        site.worker.stop()
        thread.join()

    assert len(chosen) == 5


def test_rows_are_pushed_in_several_requests_and_rejected_ones_keep_their_place(
    pets: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ROWS_AT_ONCE", 10)
    rows: list[dict[str, Any]] = [{"key": str(number), "text": f"pet {number}"} for number in range(25)]
    rows[17] = {"key": "bad", "text": ""}

    report = pets.push(rows)

    assert (report.created, report.rejected_count) == (24, 1)
    assert [(row["line"], row["key"]) for row in report.rejected] == [(18, "bad")]
    assert pets.push(iter(rows)).unchanged == 24


def test_with_abort_one_bad_row_stores_none(pets: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ROWS_AT_ONCE", 1)

    with pytest.raises(LabelwiseError):
        pets.push([{"text": "good"}, {"text": ""}], on_error="abort")

    assert pets.status()["items"]["total"] == 0


def test_a_frame_is_pushed_and_comes_back_as_one(pets: Project) -> None:
    frame = pandas.DataFrame({"body": ["meow", "woof", "purr"], "tag": ["cat", "dog", None], "n": [1.0, 2.0, None]})

    report = pets.push(frame, text="body", label="tag", map="metadata:*")

    assert (report.created, report.rejected) == (3, [])
    back = pets.labels(view="items").to_pandas()
    assert set(back["text"]) == {"meow", "woof", "purr"}


def test_a_large_file_is_applied_by_the_worker_while_the_client_waits(
    site: Site, pets: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LARGE_BYTES", 100)
    file = tmp_path / "pets.csv"
    file.write_text("text\n" + "\n".join(f"pet {number}" for number in range(50)))
    sent: list[int] = []
    working = threading.Event()

    def work() -> None:
        while not working.is_set():
            site.worker.run_one()
            time.sleep(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        report = pets.push(file, progress=sent.append)
    finally:
        working.set()
        thread.join()

    assert report.created == 50
    assert sum(sent) == file.stat().st_size


def test_items_are_leased_answered_skipped_and_exported(pets: Project) -> None:
    pets.push([{"key": str(number), "text": f"pet {number}"} for number in range(10)])
    first, second = pets.lease(2)

    stored = first.submit("cat", seconds_spent=1.5)
    second.skip("blurred")

    assert stored["label"] == {"class": "cat"}
    assert stored["key"] == first.item["key"]
    assert [row["label"] for row in pets.labels(view="annotations")] == [{"class": "cat"}]
    assert pets.status()["annotations"] == 1
    with pytest.raises(LabelwiseError, match="409"):
        first.submit("dog")


def test_images_become_items_and_a_file_that_is_none_is_named(site: Site, tmp_path: Path) -> None:
    task = {"type": "classification", "classes": ["red"]}
    project = site.client.project("colours", create={"modality": "image", "task": task})
    (tmp_path / "red").mkdir()
    for number in range(2):
        Image.new("RGB", (8, 8), (255, number, 0)).save(tmp_path / "red" / f"{number}.png")
    (tmp_path / "red" / "2.png").write_text("no picture")

    report = project.push_files(f"{tmp_path}/red/*.png", key=lambda path: f"my-{path.stem}", labels=True)

    assert report.created == 2
    assert [(row["line"], row["key"]) for row in report.rejected] == [(3, "my-2")]
    assert {row["key"] for row in project.labels(view="items")} == {"my-0", "my-1"}


def test_a_started_round_can_be_waited_for(site: Site, pets: Project) -> None:
    pets.push([{"text": f"{word} {n}", "label": word} for word in ("cat", "dog") for n in range(30)])
    pets.push([{"text": f"{word} {n} more"} for word in ("cat", "dog") for n in range(30)])
    site.worker.run_waiting()

    job = pets.start_round()
    site.worker.run_waiting()

    assert job.wait(30)["state"] == "done"
    shown = pets.round(pets.rounds()[0]["number"])
    assert (shown["state"] in ("published", "done"), shown["seed"] >= 0) == (True, True)
    for asked, said in ((pets.compare_rounds, "99"), (pets.slices, "drew")):  # no item was drawn to judge it
        with pytest.raises(LabelwiseError, match=said):
            asked(shown["number"], "99")


def test_changes_come_in_order_end_and_go_on_behind_the_last_one(pets: Project) -> None:
    pets.push([{"key": key, "text": f"pet {key}"} for key in "abcdef"])
    rows = [{"key": key, "label": "cat", "origin": "import", "annotator": "paper"} for key in "abc"]
    assert pets.push_answers(rows).created == 3
    assert pets.push_answers(rows).unchanged == 3

    first = list(pets.changes())
    pets.push_answers([{**rows[0], "label": "dog"}, {"key": "nobody", "label": "cat", "origin": "import"}])
    second = list(pets.changes(after=first[-1]["seq"]))

    assert [(each["key"], each["action"]) for each in first] == [("a", "created"), ("b", "created"), ("c", "created")]
    assert [(each["key"], each["action"], each["label"]) for each in second] == [("a", "replaced", {"class": "dog"})]
    assert [each["key"] for each in pets.changes(annotator="paper", class_name="dog")] == ["a"]


def test_a_follower_waits_for_the_next_change(pets: Project) -> None:
    pets.push([{"key": key, "text": f"pet {key}"} for key in "ab"])
    follower = pets.changes(follow=True)
    later = threading.Timer(0.5, pets.push_answers, [[{"key": "b", "label": "dog", "origin": "import"}]])
    later.start()

    assert next(follower)["key"] == "b"
    later.join()


def test_exports_and_leases_take_a_filter(pets: Project) -> None:
    rows = [
        {"key": f"{source} {n}", "text": f"{source} {n}", "metadata": {"source": source}}
        for source in ("a&b", "c")
        for n in range(3)
    ]
    pets.push(rows)

    assert [each["key"] for each in pets.labels(filter="metadata.source=a%26b")] == ["a&b 0", "a&b 1", "a&b 2"]
    assert [each["key"] for each in pets.labels(filter="key=c 1&metadata.source=c")] == ["c 1"]
    assert {lease.item["key"][0] for lease in pets.lease(6, filter="metadata.source=c")} == {"c"}
    with pytest.raises(LabelwiseError, match="unknown field"):
        list(pets.labels(filter="sauce=c"))


def test_a_snapshot_is_made_read_compared_and_deleted(site: Site, pets: Project) -> None:
    pets.push([{"key": f"k{n}", "text": f"pet number {n}", "label": "cat" if n % 2 else "dog"} for n in range(40)])
    with working(site):
        first = pets.make_snapshot("v1", splits={"train": 0.5, "test": 0.5}, filter="status=answered")
        pets.push([{"key": "late", "text": "one more"}])
        second = pets.make_snapshot("v2")

    rows = list(first.rows())
    assert hashlib.sha256(b"".join(first.export())).hexdigest() == first.sha256
    assert sorted(row["key"] for row in first.rows("train")) == sorted(r["key"] for r in rows if r["split"] == "train")
    assert "late" in second.compare("v1")["added"]
    assert [each.name for each in pets.snapshots()] == ["v2", "v1"]
    assert pets.snapshot("v1").card["report"]["labelled"] == len(rows)
    with pytest.raises(LabelwiseError, match="choose another name"):
        pets.make_snapshot("v1")
    second.delete()
    assert [each.name for each in pets.snapshots()] == ["v1"]


def test_strategies_are_compared_on_the_labels_that_are_there(site: Site, pets: Project) -> None:
    pets.push([{"key": f"k{n}", "text": f"pet {n % 17}", "label": "cat" if n % 2 else "dog"} for n in range(120)])
    heard: list[dict[str, Any]] = []
    with pytest.raises(LabelwiseError, match="no features yet"):
        pets.simulate(["margin"])
    with working(site):
        while pets._client.call("GET", f"/projects/{pets.id}/simulations/ready")["reason"]:
            time.sleep(0.05)
        simulation = pets.simulate(["margin"], seeds=1, labels=20).wait(progress=heard.append)

    assert [each["strategy"] for each in simulation.card["found"]["strategies"]] == ["margin", "random"]
    assert heard[-1]["fraction"] == 1
    assert (simulation.winner, "1 of the 5 seeds" in simulation.verdict) == (None, True)
    assert b"".join(simulation.curves()).startswith(b"dataset,strategy,seed,labels,accuracy")
    with pytest.raises(LabelwiseError, match="nobody won"):
        simulation.apply()
    pets.simulation(simulation.id).delete()


def test_the_command_makes_a_snapshot_and_says_what_leaks(
    site: Site, pets: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pets.push([{"key": f"k{n}", "text": "Twins!", "metadata": {"owner": n}} for n in range(40)])
    monkeypatch.setenv("LABELWISE_TOKEN", site.client._http.headers["Authorization"].removeprefix("Bearer "))
    asked = ["snapshot", "pets", "--url", site.url, "--name", "v1", "--group-by", "owner"]

    with working(site):
        done = main([*asked, "--splits", "train=0.5,test=0.5"])
    said = capsys.readouterr()
    again = main([*asked, "--splits", "train:0.5"])

    assert (done, again) == (0, 1)
    assert said.out.splitlines()[0].startswith("v1: 40 items, 0 labelled (train ")
    assert said.out.splitlines()[1] == f"sha256 {pets.snapshot('v1').sha256}"
    assert "40 near-identical items stand in several splits" in said.err
    assert "train=0.8,test=0.2" in capsys.readouterr().err


@contextmanager
def working(site: Site) -> Iterator[None]:
    """A worker beside the service."""
    ends = threading.Event()

    def work() -> None:
        while not ends.is_set():
            site.worker.run_one()
            time.sleep(0.02)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def test_busy_answers_are_repeated_with_the_same_idempotency_key(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str | None] = []

    class Busy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(self.headers["Idempotency-Key"])
            self.send_response(503 if len(seen) < 3 else 201)
            body = json.dumps({"id": 1}).encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    monkeypatch.setattr(client, "FIRST_WAIT_SECONDS", 0.001)
    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with closing(Client(f"http://127.0.0.1:{server.server_port}", "token")) as made:
            answer = made.call("POST", "/projects", json={})
        server.shutdown()
        thread.join()

    assert answer == {"id": 1}
    assert len(seen) == 3
    assert len(set(seen)) == 1
    assert re.fullmatch(r"[0-9a-f-]{36}", seen[0] or "")


def test_errors_name_what_to_do(monkeypatch: pytest.MonkeyPatch, pets: Project, site: Site, tmp_path: Path) -> None:
    monkeypatch.setattr(client, "FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.delenv("LABELWISE_TOKEN", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = taken.getsockname()[1]

    with pytest.raises(LabelwiseError, match="labelwise token create"):
        Client(site.url)
    with closing(Client(f"http://127.0.0.1:{nobody}", "token")) as lost, pytest.raises(LabelwiseError, match="running"):
        lost.projects()
    with closing(Client(site.url, "wrong")) as wrong, pytest.raises(LabelwiseError) as refused:
        wrong.projects()
    assert refused.value.status == 401
    with pytest.raises(LabelwiseError, match="push files"):
        pets.push(tmp_path / "pets.docx")
    with pytest.raises(LabelwiseError, match="no file matches"):
        pets.push_files(f"{tmp_path}/*.gif")


def test_the_trained_learner_is_asked_in_requests_and_taken_away(
    site: Site, pets: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PREDICTED_AT_ONCE", 2)
    pairs = [(name, number) for number in range(20) for name in ("cat", "dog")]
    pets.push([{"key": f"{name}-{number}", "text": f"{name} {number}", "label": name} for name, number in pairs])
    site.worker.run_waiting()

    said = pets.predict({"key": str(number), "text": f"{('cat', 'dog')[number % 2]} {number}"} for number in range(5))
    taken = b"".join(pets.learner(1, format="sklearn"))

    assert [row["label"]["class"] for row in said] == ["cat", "dog", "cat", "dog", "cat"]
    assert [row["key"] for row in said] == ["0", "1", "2", "3", "4"]
    assert taken.startswith(b"PK")
    with pytest.raises(LabelwiseError, match="format is one of"):
        list(pets.learner(1, format="pickle"))
