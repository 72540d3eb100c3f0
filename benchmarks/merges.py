"""Merging classes while people label: `python -m benchmarks.merges [--answers 100000] [--people 20] [--seconds 45]`.

A server and its worker, processes of their own, on SQLite and on PostgreSQL (where LABELWISE_TEST_DATABASE_URL or the
machine's own programs give one). People take a second for each item and answer by the id of a class; meanwhile one of
five classes is merged into another, taken out, and merged again. At the end every answer, stored or given, is compared
with the export: it has to bear the name of the class that it was given under, or of the one that took that in.
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
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
from sqlalchemy import insert, text, update

from app.core.settings import Settings
from app.db import Annotation, Database, Item, Member, Project, ProjectClass
from app.db.migrate import migrate
from app.services import accounts, jobs
from benchmarks.serving import ROOT, Line, prepare

NAMES = {1: "a", 2: "b", 3: "c", 4: "d", 5: "e"}
FROM, INTO = 5, 4
OPEN_ITEMS = 30_000
PORT = 8196


def fill(db: Database, project: int, answers: int) -> dict[int, int]:
    """Stored answers of many people, as many for each class; what was said of each item."""
    said = {}
    with db.write() as session:
        moment = session.get_one(Project, project).created_at - timedelta(days=1)
        for number in (4, 5):
            looks = {"name": NAMES[number], "folded_name": NAMES[number], "color": "#0072B2", "aliases": []}
            session.add(ProjectClass(project_id=project, number=number, position=number, **looks))
        session.execute(update(Project).where(Project.id == project).values(version=Project.version + 1))
        rows = []
        for item in range(1, answers + 1):
            said[item] = 1 + item % len(NAMES)
            label = {"label": {"class_id": said[item]}}
            place = {"project_id": project, "item_id": item, "answer_id": uuid4()}
            rows.append({**place, "origin": "human", "label": label, "created_at": moment})
        for start in range(0, answers, 5_000):
            session.execute(insert(Annotation), rows[start : start + 5_000])
        session.execute(update(Item).where(Item.id <= answers).values(done=True))
        session.execute(text("ANALYZE"))  # what PostgreSQL does by itself within a minute of so large an import
    return said


async def person(project: int, token: str, end: float, said: dict[int, int], tally: dict[str, Any]) -> None:
    """Lease five, take a second for each, answer with any of the classes that the page began with."""
    line = await Line(PORT, token).open()
    await asyncio.sleep(random.random())
    while time.monotonic() < end:
        status, served = await _timed(tally, line.post(f"/projects/{project}/leases", {"count": 5}))
        if status != 200 or not served["leases"]:
            tally["errors"] += 1
            continue
        for lease in served["leases"]:
            await asyncio.sleep(1)
            number = random.choice(list(NAMES))
            body = {"lease": lease["id"], "label": {"class_id": number}, "seconds_spent": 1}
            status, stored = await _timed(tally, line.post("/annotations", body, Idempotency_Key=str(uuid4())))
            if status == 201:
                said[stored["item"]] = number
                tally["answers"] += 1
            else:
                tally["errors"] += 1


async def _timed(tally: dict[str, Any], request: Any) -> tuple[int, Any]:
    begun = time.monotonic()
    answer: tuple[int, Any] = await request
    tally["waits"].append(time.monotonic() - begun)
    return answer


async def manager(client: httpx.AsyncClient, project: int, seconds: float, tally: dict[str, Any]) -> None:
    """Merge, undo, merge again, at a quarter, half and three quarters of the time."""
    path = f"/projects/{project}/classes/{FROM}/merge"
    for method in ("POST", "DELETE", "POST"):
        await asyncio.sleep(seconds / 4)
        begun = time.monotonic()
        answer = await client.request(method, path, json={"into": INTO} if method == "POST" else None)
        tally["merges"].append(time.monotonic() - begun)
        tally["errors"] += answer.status_code != 200


async def work(
    client: httpx.AsyncClient, project: int, tokens: list[str], seconds: float, said: dict[int, int]
) -> dict[str, Any]:
    """Everybody at once."""
    tally: dict[str, Any] = {"waits": [], "merges": [], "answers": 0, "errors": 0}
    end = time.monotonic() + seconds
    people = (person(project, token, end, said, tally) for token in tokens)
    await asyncio.gather(manager(client, project, seconds, tally), *people)
    return tally


async def recount(client: httpx.AsyncClient, project: int, said: dict[int, int]) -> tuple[int, int]:
    """Answers whose exported class is another one than was said, missing ones too; and classes with a false count."""
    expected = {item: NAMES[INTO if number == FROM else number] for item, number in said.items()}
    wrong = 0
    async with client.stream("GET", f"/projects/{project}/export?format=jsonl&view=annotations") as answer:
        async for line in answer.aiter_lines():
            row = orjson.loads(line)
            wrong += expected.pop(row["item"], None) != row["label"]["class"]
    counts = Counter(NAMES[INTO if number == FROM else number] for number in said.values())
    shown = (await client.get(f"/projects/{project}/classes")).json()["items"]
    return wrong + len(expected), sum(each["answers"] != counts[each["name"]] for each in shown)


async def watch(
    token: str, project: int, tokens: list[str], seconds: float, said: dict[int, int]
) -> tuple[dict[str, Any], int, int, int]:
    """Wait for an order, let people work, count again; also the number of the last round."""
    headers = {"Authorization": f"Bearer {token}"}
    address = f"http://127.0.0.1:{PORT}/api/v1"
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=120) as client:
        await _first_order(client, project)
        tally = await work(client, project, tokens, seconds, said)
        wrong, false_counts = await recount(client, project, said)
        rounds = (await client.get(f"/projects/{project}/rounds")).json()["items"][0]["number"]
    return tally, wrong, false_counts, rounds


def measure(name: str, database_url: str | None, folder: Path, options: argparse.Namespace) -> None:
    """Start a server with its worker, look on, print one row."""
    folder.mkdir(parents=True)
    url = database_url or Settings(data=folder, _env_file=None).url
    migrate(url)
    db = Database(url)
    project, tokens = prepare(db, options.answers + OPEN_ITEMS, options.people)
    said = fill(db, project, options.answers)
    with db.write() as session:
        boss = session.query(Member).filter_by(project_id=project, role="manager").one().user_id
        token = accounts.create_token(session, boss, "bench", accounts.SCOPES)[1]
        jobs.enqueue(session, "featurize", project)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LABELWISE_DATA": str(folder)}
    if database_url:
        environment["LABELWISE_DATABASE_URL"] = database_url
    command = [sys.executable, "-m", "labelwise", "serve", "--port", str(PORT)]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        tally, wrong, false_counts, rounds = asyncio.run(watch(token, project, tokens, options.seconds, said))
    finally:
        server.terminate()
        server.wait()
    db.dispose()
    waits, merges = sorted(tally["waits"]), [f"{1000 * each:.0f}" for each in tally["merges"]]
    print(
        f"| {name} | {options.answers:,} + {tally['answers']:,} | {options.people} | {', '.join(merges)} | {rounds} "
        f"| {1000 * waits[len(waits) // 2]:.0f} / {1000 * waits[int(0.99 * len(waits))]:.0f} / {1000 * waits[-1]:.0f} "
        f"| {tally['errors']} | {wrong} of {len(said):,} | {false_counts} |",
        flush=True,
    )


async def _first_order(client: httpx.AsyncClient, project: int) -> None:
    while True:
        try:
            if (await client.get(f"/projects/{project}/status")).json()["queue"]["round"] is not None:
                return
        except httpx.TransportError:
            pass  # the server is starting
        await asyncio.sleep(0.3)


def main() -> None:
    """SQLite, then PostgreSQL."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--answers", type=int, default=100_000)
    given.add_argument("--people", type=int, default=20)
    given.add_argument("--seconds", type=float, default=45)
    given.add_argument("--no-postgresql", action="store_true")
    options = given.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="labelwise-bench-"))
    try:
        print(
            "| database | answers stored + given | people | merge, undo, merge, ms | rounds "
            "| a request p50 / p99 / longest, ms | errors | wrong answers | false counts |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        measure("SQLite", None, folder / "sqlite", options)
        if not options.no_postgresql:
            from tests import databases

            databases.SERVER_OPTIONS = "-c max_connections=80"  # synced, as in production
            measure("PostgreSQL", databases.postgres_url(), folder / "pg", options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
