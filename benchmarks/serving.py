"""Submit and next under load: `python -m benchmarks.serving [--clients 32] [--seconds 15] [--items 20000]`.

A real server process on SQLite, synced on every commit (and on PostgreSQL where LABELWISE_TEST_DATABASE_URL or the
machine's own programs give one), 32 clients that lease five items at a time and answer each. Beside it the machine's
own synced commits a second, measured in the same run.
"""

import argparse
import asyncio
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
from sqlalchemy import func, insert, select

from app.core.settings import Settings
from app.db import Annotation, Database, Item, Member
from app.db.migrate import migrate
from app.loop.serving import audit_reserved, draw
from app.services import accounts, projects
from app.services.access import Person

ROOT = Path(__file__).resolve().parents[1]
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def synced_commits(folder: Path, seconds: float = 2.0) -> float:
    """Commits a second of one connection with synchronous=FULL: what the machine's disk allows."""
    connection = sqlite3.connect(folder / "probe.db", isolation_level=None)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=full")
    connection.execute("create table t (x)")
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        connection.execute("insert into t values (1)")
        count += 1
    return count / seconds


def prepare(db: Database, count: int, people: int) -> tuple[int, list[str]]:
    """A project with items, and a token for each client."""
    with db.write() as session:
        boss = accounts.create_user(session, "boss", "correct horse battery", admin=True)
        body = {"name": "Load", "modality": "text", "task": {"classes": ["a", "b", "c"]}}
        project = projects.create(session, Person(boss.id, "boss", True), body)
        moment = project.created_at
        rows = [
            {
                "project_id": project.id,
                "key": f"k{n}",
                "payload": {"text": f"a short text about thing {n}"},
                "content_hash": f"{n:032x}",
                "fingerprint": f"{n:032x}",
                "meta": {},
                "reserved": audit_reserved(project.seed, f"k{n}", 0.1),
                "draw": draw(project.seed, f"k{n}"),
                "created_at": moment,
                "updated_at": moment,
            }
            for n in range(count)
        ]
        for start in range(0, count, 5000):
            session.execute(insert(Item), rows[start : start + 5000])
        tokens = []
        for number in range(people):
            user = accounts.create_user(session, f"annotator {number}", "correct horse battery")
            session.add(Member(project_id=project.id, user_id=user.id, role="annotator", created_at=moment))
            tokens.append(accounts.create_token(session, user.id, "load", ("label", "read"))[1])
        return project.id, tokens


class Line:
    """One kept-alive connection that speaks just enough HTTP: a whole client would take the server's processor time."""

    def __init__(self, port: int, token: str) -> None:
        self._port, self._token = port, token

    async def open(self) -> "Line":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def post(self, path: str, body: dict[str, Any], *, method: str = "POST", **headers: str) -> tuple[int, Any]:
        """The status and the JSON of the answer."""
        content = orjson.dumps(body)
        lines = [f"{method} /api/v1{path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {self._token}"]
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(LENGTH.search(head).group(1))  # type: ignore[union-attr]  # our server always says it
        return int(head[9:12]), orjson.loads(await self._reader.readexactly(length))


async def client(port: int, project: int, token: str, end: float, tally: dict[str, Any]) -> None:
    """One annotator who never rests."""
    line = await Line(port, token).open()
    while time.monotonic() < end:
        begun = time.monotonic()
        status, served = await line.post(f"/projects/{project}/leases", {"count": 5})
        tally["lease"].append(time.monotonic() - begun)
        if status != 200:
            tally["errors"] += 1
            continue
        for lease in served["leases"]:
            begun = time.monotonic()
            body = {"lease": lease["id"], "label": {"class_id": 1 + lease["id"] % 3}, "seconds_spent": 1}
            status, stored = await line.post("/annotations", body, Idempotency_Key=str(uuid4()))
            tally["submit"].append(time.monotonic() - begun)
            if status == 201:
                tally["items"].append(stored["item"])
            else:
                tally["errors"] += 1


async def load(port: int, project: int, tokens: list[str], seconds: float) -> dict[str, Any]:
    """Everybody at once."""
    tally: dict[str, Any] = {"lease": [], "submit": [], "items": [], "errors": 0}
    end = time.monotonic() + seconds
    await asyncio.gather(*(client(port, project, token, end, tally) for token in tokens))
    return tally


def measure(name: str, database_url: str | None, folder: Path, options: argparse.Namespace, items: int) -> None:
    """Start a server, load it, print one row."""
    folder.mkdir(parents=True)
    settings = Settings(data=folder, _env_file=None)
    url = database_url or settings.url
    migrate(url)
    db = Database(url)
    project, tokens = prepare(db, items, options.clients)
    command = [sys.executable, "-m", "labelwise", "serve", "--no-worker", "--port", str(options.port)]
    command += ["--data", str(folder), "--web-processes", str(options.web_processes)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if database_url:
        environment["LABELWISE_DATABASE_URL"] = database_url
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{options.port}"
    try:
        for _ in range(200):
            try:
                httpx.get(f"{address}/healthz")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        begun = time.monotonic()
        tally = asyncio.run(load(options.port, project, tokens, options.seconds))
        took = time.monotonic() - begun
    finally:
        process.terminate()
        process.wait()
    with db.read() as session:
        stored = session.execute(select(func.count()).select_from(Annotation)).scalar_one()
    db.dispose()
    submit, lease = sorted(tally["submit"]), sorted(tally["lease"])
    print(
        f"| {name} | {items:,} | {len(submit) / took:.0f} | {1000 * statistics.median(submit):.0f} / "
        f"{1000 * submit[int(0.99 * len(submit))]:.0f} | {1000 * lease[len(lease) // 2]:.0f} / "
        f"{1000 * lease[int(0.95 * len(lease))]:.0f} / {1000 * lease[int(0.99 * len(lease))]:.0f} "
        f"| {len(tally['items']) - len(set(tally['items']))} | {tally['errors']} | {stored - len(tally['items'])} |",
        flush=True,
    )


def main() -> None:
    """SQLite with a small and a large pool, PostgreSQL."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--clients", type=int, default=32)
    given.add_argument("--seconds", type=float, default=15)
    given.add_argument("--items", default="10000,1000000")
    given.add_argument("--port", type=int, default=8199)
    given.add_argument("--web-processes", type=int, default=1)
    given.add_argument("--no-postgresql", action="store_true")
    options = given.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="labelwise-bench-"))
    try:
        print(f"synced commits a second of this machine: {synced_commits(folder):.0f}\n")
        print(
            "| database | items | answers a second | submit p50 / p99 ms | lease p50 / p95 / p99 ms "
            "| given twice | errors | lost |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for count in map(int, filter(None, options.items.split(","))):
            measure("SQLite", None, folder / f"sqlite-{count}", options, count)
        if not options.no_postgresql:
            from tests import databases

            databases.SERVER_OPTIONS = "-c max_connections=80"  # synced, as in production
            measure("PostgreSQL", databases.postgres_url(), folder / "pg", options, 10_000)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
