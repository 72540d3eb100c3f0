"""Many people and slow rounds: `python -m benchmarks.annotators [--people 30] [--round-seconds 10] [--seconds 120]`.

A server and a worker, each a process of its own on SQLite; every round is made to last at least so many seconds.
People lease five items at a time and take a second for each. Prints what they were served, and whether anybody was
told to wait after the first round was published.
"""

import argparse
import asyncio
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy import func, select

from app.core.settings import Settings
from app.db import Database, Lease, Round
from app.db.migrate import migrate
from app.services import accounts

ROOT = Path(__file__).resolve().parents[1]
PORT = 8198
CLASSES = [f"topic {number}" for number in range(6)]
WORKER = """
import sys, time
from app.services import turn
quick, least = turn.propose, float(sys.argv.pop(1))
def slow(*given):
    time.sleep(least)
    return quick(*given)
turn.propose = slow
sys.argv = ["labelwise", "worker"]
from labelwise.__main__ import main
main()
"""


def texts(count: int) -> list[dict[str, str]]:
    """Short made texts whose topic shows in two of ten words."""
    rng = random.Random(0)
    rows = []
    for number in range(count):
        topic = rng.randrange(len(CLASSES))
        words = [f"t{topic}w{rng.randrange(30)}" for _ in range(2)] + [f"c{rng.randrange(400)}" for _ in range(8)]
        rows.append({"key": f"{topic}-{number}", "text": " ".join(words)})
    return rows


async def person(http: httpx.AsyncClient, project: int, token: str, end: float, seen: dict[str, Any]) -> None:
    """Lease five, take a second for each, answer rightly."""
    headers = {"Authorization": f"Bearer {token}"}
    await asyncio.sleep(random.random())
    while time.monotonic() < end:
        begun = time.monotonic()
        served = (await http.post(f"/projects/{project}/leases", json={"count": 5}, headers=headers)).json()
        seen["waits"].append(time.monotonic() - begun)
        seen["states"][served["state"]] += 1
        for lease in served["leases"]:
            await asyncio.sleep(1)
            label = {"class": CLASSES[int(lease["item"]["key"][0])]}
            begun = time.monotonic()
            answer = await http.post(
                "/annotations",
                json={"lease": lease["id"], "label": label, "seconds_spent": 1},
                headers={**headers, "Idempotency-Key": str(uuid4())},
            )
            seen["waits"].append(time.monotonic() - begun)
            seen["answers"][answer.status_code] += 1
        if not served["leases"]:
            await asyncio.sleep(1)


async def work(address: str, project: int, tokens: list[str], seconds: float) -> dict[str, Any]:
    """Everybody at once."""
    seen: dict[str, Any] = {"waits": [], "states": Counter(), "answers": Counter()}
    end = time.monotonic() + seconds
    async with httpx.AsyncClient(base_url=address, timeout=60) as http:
        await asyncio.gather(*(person(http, project, token, end, seen) for token in tokens))
    return seen


def main() -> None:
    """Start both processes, let people work, print one row."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--people", type=int, default=30)
    given.add_argument("--round-seconds", type=float, default=10)
    given.add_argument("--seconds", type=float, default=120)
    given.add_argument("--items", type=int, default=20_000)
    options = given.parse_args()
    data = Path(tempfile.mkdtemp(prefix="labelwise-bench-"))
    environment = {**os.environ, "LABELWISE_DATA": str(data), "PYTHONPATH": str(ROOT)}
    migrate(Settings(data=data, _env_file=None).url)
    db = Database(Settings(data=data, _env_file=None).url)
    names = [f"person {number}" for number in range(options.people)]
    with db.write() as session:
        people = [accounts.create_user(session, name, "correct horse battery") for name in names]
        tokens = [accounts.create_token(session, user.id, "bench", ("label", "read"))[1] for user in people]
        boss = accounts.create_user(session, "boss", "correct horse battery", admin=True)
        token = accounts.create_token(session, boss.id, "bench", accounts.SCOPES)[1]
    serve = [sys.executable, "-m", "labelwise", "serve", "--no-worker", "--port", str(PORT)]
    slow = [sys.executable, "-c", WORKER, str(options.round_seconds)]
    server = subprocess.Popen(serve, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    worker = subprocess.Popen(slow, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        address = f"http://127.0.0.1:{PORT}/api/v1"
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=120) as client:
            project = _project(client, names, options.items)
        seen = asyncio.run(work(address, project, tokens, options.seconds))
    finally:
        for process in (worker, server):
            process.terminate()
            process.wait()
    with db.read() as session:
        kinds = dict(session.execute(select(Lease.kind, func.count()).group_by(Lease.kind)).all())
        done = session.execute(select(func.count()).where(Round.published_at.is_not(None))).scalar_one()
    db.dispose()
    shutil.rmtree(data, ignore_errors=True)
    waits = sorted(seen["waits"])
    print("| people | round, s | rounds | answers | states of leases | served as | p50 / p99 ms | told to wait |")
    print("|---|---|---|---|---|---|---|---|")
    median, slowest = 1000 * waits[len(waits) // 2], 1000 * waits[int(0.99 * len(waits))]
    print(
        f"| {options.people} | {options.round_seconds:.0f} | {done} | {dict(seen['answers'])} "
        f"| {dict(seen['states'])} | {kinds} | {median:.0f} / {slowest:.0f} | {seen['states']['preparing']} |"
    )


def _project(client: httpx.Client, people: list[str], items: int) -> int:
    """A project with items whose first round is published."""
    while True:
        try:
            client.get("/projects").raise_for_status()
            break
        except httpx.TransportError:
            time.sleep(0.1)
    body = {"name": "Load", "modality": "text", "task": {"type": "classification", "classes": CLASSES}}
    project: int = client.post("/projects", json=body).raise_for_status().json()["id"]
    for name in people:
        client.post(f"/projects/{project}/members", json={"user": name, "role": "annotator"}).raise_for_status()
    rows = texts(items)
    for start in range(0, items, 2_000):
        client.post(f"/projects/{project}/items", json=rows[start : start + 2_000]).raise_for_status()
    while client.get(f"/projects/{project}/status").json()["queue"]["round"] is None:
        time.sleep(0.5)
    return project


if __name__ == "__main__":
    main()
