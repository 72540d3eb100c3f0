"""A scorer asked about the whole pool: `python -m benchmarks.scorer [--rows 1000000] [--batch 2000] [--most 50000]`.

A project on SQLite with a scorer over HTTP, which answers at once in a process of its own, and server and worker in
others. Three rounds: the first asks about every item, the second about the `most` of which it was least sure, the third
one about nothing new, as the scorer says that it has not changed. Prints the seconds from due to published, the items a
second, and how far the memory of the worker grew.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select

from app.core.settings import Settings
from app.db import Database, Job
from app.db.migrate import migrate
from app.services import accounts, projects, scorers
from app.services.access import Person
from benchmarks.imports import SERVER, _resident, _Watcher, free_port, make_token, wait_for
from benchmarks.round import CLASSES, fill

ROOT = Path(__file__).resolve().parents[1]
SCORER = """
import sys, zlib
from http.server import BaseHTTPRequestHandler, HTTPServer
import orjson
names = [f"class {number}" for number in range(int(sys.argv[2]))]
rounds = set()
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def say(self, value):
        body = orjson.dumps(value)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.say({"version": f"v{min(len(rounds), 1)}"})
    def do_POST(self):
        given = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rounds.add(given["round"])
        rows = []
        for item in given["items"]:
            mark = zlib.crc32(item["key"].encode())
            best, second = names[mark % len(names)], names[(mark + 1) % len(names)]
            share = 0.5 + (mark % 1000) / 2001
            rows.append({"key": item["key"], "probabilities": {best: share, second: 1 - share}})
        self.say({"items": rows})
    def log_message(self, *_):
        pass
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def main() -> None:
    """Fill a project, run three rounds, print a table."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rows", type=int, default=1_000_000)
    given.add_argument("--batch", type=int, default=2_000)
    given.add_argument("--most", type=int, default=50_000)
    options = given.parse_args()
    data = Path(tempfile.mkdtemp(prefix="labelwise-scorer-"))
    try:
        _measure(data, options)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _measure(data: Path, options: argparse.Namespace) -> None:
    port, own = free_port(), free_port()
    learner = {"name": "http", "url": f"http://127.0.0.1:{own}/", "batch": options.batch, "most": options.most}
    settings = Settings(data=data, _env_file=None)
    migrate(settings.url)
    db = Database(settings.url)
    with db.write() as session:
        boss = accounts.create_user(session, "boss", "correct horse battery", admin=True)
        body: dict[str, Any] = {"name": "Round", "modality": "text", "seed": 1, "learner": learner}
        body["task"] = {"classes": [f"class {number}" for number in range(CLASSES)]}
        made = projects.create(session, Person(boss.id, "boss", True), body)
        scorers.keep(session, made, None)
        project = made.id
    fill(db, settings, project, options.rows)
    token = make_token(settings)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LABELWISE_ALLOW_FETCH_FROM": f"127.0.0.1:{own}"}
    commands = (
        [sys.executable, "-c", SERVER, str(data), "", str(port)],
        [sys.executable, "-m", "labelwise", "worker", "--data", str(data)],
        [sys.executable, "-c", SCORER, str(own), str(CLASSES)],
    )
    processes = [subprocess.Popen(each, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) for each in commands]
    try:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers, timeout=3600) as client:
            wait_for(client)
            client.post(f"/projects/{project}/rounds")
            while not _order(client, project):  # the first one asks no model
                time.sleep(0.05)
            print("| round | asked | s to published | asked a second | worker MB |\n|---|---|---|---|---|")
            for name in ("whole pool", "new version", "the same version"):
                print(f"| {name} | {_round(client, db, project, processes[1].pid)} |", flush=True)
    finally:
        for each in processes:
            each.terminate()
            each.wait()
        db.dispose()


def _round(client: httpx.Client, db: Database, project: int, worker: int) -> str:
    """One round from when it is asked for: the cells of its line."""
    number = _order(client, project) + 1
    before, watcher = _resident(worker), _Watcher(worker)
    begun = time.monotonic()
    client.post(f"/projects/{project}/rounds")  # 409: it was due by itself
    while _order(client, project) != number:
        time.sleep(0.05)
    took = time.monotonic() - begun
    while client.get(f"/projects/{project}/rounds/{number}").json()["state"] != "done":
        time.sleep(0.05)
    with db.read() as session:
        jobs = session.execute(select(Job).where(Job.kind == "score", Job.state == "done")).scalars().all()
    asked = next((job.result or {}).get("asked", 0) for job in jobs if job.payload["round"] == number)
    return f"{asked:,} | {took:.1f} | {asked / took:,.0f} | {(watcher.stop() - before) / 1e6:.0f}"


def _order(client: httpx.Client, project: int) -> int:
    """The number of the round whose order is served; 0 before the first."""
    status = client.get(f"/projects/{project}/status").raise_for_status().json()
    return int(status["queue"]["round"] or 0)


if __name__ == "__main__":
    main()
