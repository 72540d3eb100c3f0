"""The feed under SIGKILL: `python -m benchmarks.feed [--clients 8] [--rate 100] [--seconds 40] [--kills 10]`.

A real server process and 8 clients that together answer 100 times a second; each tenth answer is corrected at once and
each twentieth is taken back. A reader follows the feed with the Python client and writes each `seq` to a file; it is
killed with SIGKILL again and again and goes on behind the last `seq` in the file. At the end the file is compared with
the table of answers: every row once and in order. Runs on SQLite and, with two web processes, on PostgreSQL; exits
with 1 when a row is missing, doubled or out of order.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import httpx
from sqlalchemy import select

from app.core.settings import Settings
from app.db import Annotation, Database, User
from app.db.migrate import migrate
from app.services import accounts
from benchmarks.imports import free_port, wait_for
from benchmarks.serving import ROOT, Line, prepare

READER = """
import os, sys, time
from labelwise import Client
url, token, project, path = sys.argv[1:]
with open(path, "ab+") as file:
    file.seek(0)
    lines = file.read().split(b"\\n")
    file.truncate(file.tell() - len(lines[-1]))  # a line that was cut off in the middle
    after = int(lines[-2].split()[0]) if len(lines) > 1 else 0
    for change in Client(url, token).project(project).changes(after=after, follow=True):
        os.write(file.fileno(), f"{change['seq']} {time.time():.4f} {change['created_at']}\\n".encode())
"""


async def annotate(port: int, project: int, token: str, pause: float, end: float) -> int:
    """One client at its pace; how many requests were refused."""
    line = await Line(port, token).open()
    refused, due = 0, time.monotonic()
    while time.monotonic() < end:
        _, served = await line.post(f"/projects/{project}/leases", {"count": 5})
        for lease in served["leases"]:
            due += pause
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            body = {"lease": lease["id"], "label": {"class_id": 1}, "seconds_spent": 1}
            status, stored = await line.post("/annotations", body, Idempotency_Key=str(uuid4()))
            refused += status != 201
            if stored.get("id", 0) % 10 == 0:
                better = {"label": {"class_id": 2}}
                status, _ = await line.post(f"/annotations/{stored['id']}", better, method="PUT", If_Match='"1"')
                refused += status != 200
            if stored.get("id", 0) % 20 == 0:
                status, _ = await line.post(f"/leases/{lease['id']}/annotation", {}, method="DELETE")
                refused += status != 200
    return refused


async def everybody(port: int, project: int, tokens: list[str], given: argparse.Namespace) -> int:
    """All clients at once; how many requests were refused."""
    end = time.monotonic() + given.seconds
    pause = given.clients / given.rate
    return sum(await asyncio.gather(*(annotate(port, project, token, pause, end) for token in tokens)))


def read_and_die(reader: list[str], given: argparse.Namespace, ended: threading.Event) -> None:
    """Kill the reader at even distances; the last one reads on until some seconds after the last answer."""
    for number in range(given.kills + 1):
        with subprocess.Popen(reader, cwd=ROOT) as process:
            if number < given.kills:
                time.sleep(given.seconds / (given.kills + 1))
            else:
                ended.wait()
                time.sleep(3)
            process.kill()


def measure(name: str, database_url: str | None, folder: Path, processes: int, given: argparse.Namespace) -> bool:
    """Start a server, load it, kill the reader, print one row; whether everything came once and in order."""
    folder.mkdir(parents=True)
    url = database_url or Settings(data=folder, _env_file=None).url
    migrate(url)
    db = Database(url)
    project, tokens = prepare(db, int(given.rate * given.seconds * 1.2), given.clients)
    with db.write() as session:
        boss = session.execute(select(User.id).where(User.admin)).scalar_one()
        token = accounts.create_token(session, boss, "reader", ("read",))[1]
    port, seen = free_port(), folder / "seen.txt"
    command = [sys.executable, "-m", "labelwise", "serve", "--no-worker", "--port", str(port)]
    command += ["--data", str(folder), "--web-processes", str(processes)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} | ({"LABELWISE_DATABASE_URL": url} if database_url else {})
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            with httpx.Client(base_url=f"{address}/api/v1", headers={"Authorization": f"Bearer {token}"}) as client:
                wait_for(client)
            reader = [sys.executable, "-c", READER, address, token, str(project), str(seen)]
            ended = threading.Event()
            killer = threading.Thread(target=read_and_die, args=(reader, given, ended))
            killer.start()
            refused = asyncio.run(everybody(port, project, tokens, given))
            ended.set()
            killer.join()
        finally:
            server.terminate()
    with db.read() as session:
        stored = list(session.execute(select(Annotation.id).order_by(Annotation.id)).scalars())
    db.dispose()
    rows = [line.split() for line in seen.read_text().splitlines()]
    got = [int(row[0]) for row in rows]
    late = sorted(float(row[1]) - datetime.fromisoformat(row[2]).timestamp() for row in rows)
    twice, missing = len(got) - len(set(got)), len(set(stored) - set(got))
    print(
        f"| {name} | {len(stored) / given.seconds:.0f} | {len(stored):,} | {given.kills} | {missing} | {twice} "
        f"| {'yes' if got == sorted(got) else 'no'} | {1000 * statistics.median(late):.0f} | {refused} |",
        flush=True,
    )
    return got == stored and refused == 0


def main() -> None:
    """SQLite, then PostgreSQL."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--clients", type=int, default=8)
    given.add_argument("--rate", type=float, default=100, help="answers a second of all clients together")
    given.add_argument("--seconds", type=float, default=40)
    given.add_argument("--kills", type=int, default=10)
    options = given.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="labelwise-bench-"))
    try:
        print(
            "| database | changes a second | changes | kills | missing | twice | in order | p50 ms behind | refused |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        whole = measure("SQLite", None, folder / "sqlite", 1, options)
        from tests import databases

        databases.SERVER_OPTIONS = "-c max_connections=80"  # synced, as in production
        url = databases.postgres_url()
        whole &= measure("PostgreSQL, two web processes", url, folder / "pg", 2, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if whole else 1)


if __name__ == "__main__":
    main()
