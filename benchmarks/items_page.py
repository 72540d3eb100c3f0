"""A million items: `python -m benchmarks.items_page [--rows 1000000] [--database-url URL] [--data DIR]`.

Builds a project of short texts with metadata, answers and a published order, then asks a server in a process of its
own for first pages: each filter, each search, each order. Prints the median and the worst of five answers in
milliseconds, and with a Chromium at hand how long the page itself takes until its rows stand on the screen. `--data`
keeps what was built and goes on from it the next time.
"""

import argparse
import contextlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
from sqlalchemy import insert, select, update

from app.core.settings import Settings
from app.db import Database, Item, Prediction, Project, QueueEntry, Round, Serving, User
from app.db.migrate import migrate
from app.db.session import now
from app.services import accounts, search
from app.worker import WorkerProcess
from benchmarks.imports import SERVER, free_port, make_token, wait_for

REPEATS = 5
ANSWERED, ORDERED, SAMPLED = 20_000, 1_000, 4_000
CLASSES = ["World", "Sports", "Business", "Science"]
COMMON = [f"{start}{end}" for start in ("la", "mo", "tri", "ke", "su", "pa") for end in ("na", "ter", "lo", "mi", "s")]
QUERIES = {
    "first page": "",
    "status=open": "status=open",
    "status=answered": "status=answered",
    "status=excluded (none)": "status=excluded",
    "class": "class=Sports",
    "metadata, a quarter": "metadata.source=web",
    "metadata, a thousand": "metadata.batch=517",
    "metadata, none": "metadata.source=nobody",
    "number, none": "metadata.length:<1",
    "number, a thousand": "metadata.batch:<1",
    "number, half": "metadata.length:>75",
    "number, all": "metadata.length:>0",
    "number, half, by key": "metadata.length:>75&sort=key",
    "number, a range": "metadata.length:>70&metadata.length:<73",
    "number, the last tenth": "metadata.batch:>={last}",
    "number, the last tenth, changed last": "metadata.batch:>={last}&sort=-updated",
    "number, the last tenth, by change": "metadata.batch:>={last}&sort=updated",
    "number, the last tenth, by key": "metadata.batch:>={last}&sort=key",
    "number, the first tenth, newest": "metadata.batch:<{first}&sort=-created",
    "number, a range in the middle": "metadata.batch:>={first}&metadata.batch:<{last}",
    "two numbers": "metadata.length:>75&metadata.batch:>={last}",
    "number and status": "metadata.length:>75&status=answered",
    "number and words": "metadata.length:>75&q=lana",
    "predicted.probability": "predicted.probability:%3C0.6",
    "words, 30 % of the items": "q=lana",
    "words, a thousand": "q=word500",
    "words, one": "q=only777777",
    "words, none": "q=nowhere",
    "one letter": "q=l",
    "two words": "q=lana+word500",
    "words by key": "q=lana&sort=key",
    "words changed last": "q=lana&sort=-updated",
    "words and status": "q=lana&status=answered",
    "few words by key": "q=word500&sort=-key",
    "sort key": "sort=key",
    "sort -key": "sort=-key",
    "sort -created": "sort=-created",
    "sort updated": "sort=updated",
    "sort -updated": "sort=-updated",
    "sort score": "sort=-score",
    "sort probability": "sort=probability",
    "sort -probability": "sort=-probability",
    "status by key": "status=answered&sort=key",
    "status changed last": "status=open&sort=-updated",
}


def main() -> None:
    """Build, or go on from what was built, and print the table."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rows", type=int, default=1_000_000)
    given.add_argument("--database-url", default="")
    given.add_argument("--data", type=Path, default=None)
    options = given.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="labelwise-bench-")))
        url = {"database_url": options.database_url} if options.database_url else {}
        settings = Settings(data=folder, _env_file=None, **url)
        folder.mkdir(parents=True, exist_ok=True)
        migrate(settings.url)
        token = make_token(settings)
        port = free_port()
        command = [sys.executable, "-c", SERVER, str(folder), options.database_url, str(port)]
        server = stack.enter_context(subprocess.Popen(command, cwd=Path(__file__).parents[1]))
        stack.callback(server.terminate)
        headers = {"Authorization": f"Bearer {token}"}
        base = f"http://127.0.0.1:{port}"
        client = stack.enter_context(httpx.Client(base_url=f"{base}/api/v1", headers=headers, timeout=3600))
        wait_for(client)
        project = project_of(client, settings, options.rows)
        _index(settings)
        print("| asked for | median ms | worst ms | items |\n|---|---|---|---|")
        batches = options.rows // 1000
        for name, form in QUERIES.items():
            query = form.format(first=batches // 10, last=batches - batches // 10)
            times, items = _asked(client, f"/projects/{project}/items?{query}&limit=50")
            print(f"| {name} | {statistics.median(times):.0f} | {max(times):.0f} | {items} |", flush=True)
        _on_screen(settings, base, project)


def project_of(client: httpx.Client, settings: Settings, rows: int, answered: int = ANSWERED) -> int:
    """The project of the benchmark, made where it is not there yet."""
    found = client.get("/projects/million")
    if found.status_code == 200:
        return int(found.json()["id"])
    task = {"type": "classification", "classes": CLASSES}
    body = {"name": "Million", "slug": "million", "modality": "text", "task": task}
    project = int(client.post("/projects", json=body).raise_for_status().json()["id"])
    begun = time.monotonic()
    kind = {"Content-Type": "application/x-ndjson"}
    client.post(f"/projects/{project}/items", content=_lines(rows), headers=kind).raise_for_status()
    print(f"imported {rows:,} items in {time.monotonic() - begun:.1f} s", flush=True)
    db = Database(settings.url)
    with db.write() as session:
        moment = now(session)
        ids = list(session.execute(select(Item.id).where(Item.project_id == project).order_by(Item.id)).scalars())
        _opinions(session, project, random.Random(1).sample(ids, ORDERED + SAMPLED), moment)
    db.dispose()
    client.post(f"/projects/{project}/annotations", content=_answers(rows, answered), headers=kind).raise_for_status()
    return project


def _index(settings: Settings) -> None:
    """Bring the full-text index and the numbers up to the newest item."""
    db = Database(settings.url)
    begun = time.monotonic()
    WorkerProcess(settings, db, {"index": search.run}).run_waiting(100_000)
    print(f"brought the index up to date in {time.monotonic() - begun:.1f} s", flush=True)
    db.dispose()


def _opinions(session: Any, project: int, ids: list[int], moment: Any) -> None:
    """A published round with an order and a random sample, as the worker leaves them."""
    rng = random.Random(2)
    settings = {"name": "auto"}
    row = Round(project_id=project, number=1, state="done", strategy=settings, learner=settings, task_version=1, seed=1)
    row.class_ids, row.labels, row.created_at, row.published_at = [1, 2, 3, 4], [], moment, moment
    session.add(row)
    session.flush()

    def thought() -> list[float]:
        parts = [rng.random() ** 3 for _ in CLASSES]
        return [part / sum(parts) for part in parts]

    order, sample = ids[:ORDERED], ids[ORDERED:]
    session.execute(
        insert(QueueEntry),
        [
            {
                "round_id": row.id,
                "rank": rank,
                "project_id": project,
                "item_id": item,
                "score": 1 - rank / ORDERED,
                "probabilities": thought(),
            }
            for rank, item in enumerate(order)
        ],
    )
    session.execute(
        insert(Prediction), [{"round_id": row.id, "item_id": each, "probabilities": thought()} for each in sample]
    )
    session.execute(update(Serving).where(Serving.project_id == project).values(round_id=row.id))
    session.execute(update(Project).where(Project.id == project).values(state="paused"))


def _lines(rows: int) -> Iterator[bytes]:
    rng = random.Random(0)
    for start in range(0, rows, 1000):
        numbers = range(start, min(start + 1000, rows))
        yield b"".join(orjson.dumps(_row(rng, each), option=orjson.OPT_APPEND_NEWLINE) for each in numbers)


def _row(rng: random.Random, number: int) -> dict[str, Any]:
    words = [*rng.choices(COMMON, k=10), f"word{number // 1000}" if number % 2 else f"word{rng.randrange(1000)}"]
    text = " ".join([*words, f"only{number}"])
    source = rng.choice(("web", "mail", "paper", "radio"))
    metadata = {"source": source, "length": len(text), "batch": number // 1000}
    return {"key": f"doc-{number * 7919 % 1_000_003}", "text": text, "metadata": metadata}


def _answers(rows: int, answered: int) -> Iterator[bytes]:
    rng = random.Random(3)
    for number in rng.sample(range(rows), min(answered, rows // 10)):
        label = {"class": rng.choice(CLASSES)}
        row = {"key": f"doc-{number * 7919 % 1_000_003}", "label": label, "origin": "import"}
        yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _asked(client: httpx.Client, path: str) -> tuple[list[float], int]:
    times, items = [], 0
    for _ in range(REPEATS):
        begun = time.monotonic()
        answer = client.get(path).raise_for_status()
        times.append(1000 * (time.monotonic() - begun))
        items = len(answer.json()["items"])
    return times, items


def _on_screen(settings: Settings, base: str, project: int) -> None:
    """Until the first row stands on the page, from the moment its address is asked for."""
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        browser_path = None
    if browser_path is None:
        print("no browser: the page itself is not measured")
        return
    db = Database(settings.url)
    with db.write() as session:
        user = session.execute(select(User).where(User.admin).limit(1)).scalar_one()
        link = accounts.sign_in_link(session, user.id, project)
    db.dispose()
    print("\n| on screen | median ms | worst ms |\n|---|---|---|")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(f"{base}/enter/{link}")
        for name in ("first page", "words, a thousand", "words, 30 % of the items", "sort -updated", "status=answered"):
            times = []
            for _ in range(REPEATS):
                begun = time.monotonic()
                page.goto(f"{base}/projects/{project}/items?{QUERIES[name]}")
                page.locator(".items li").first.wait_for()
                times.append(1000 * (time.monotonic() - begun))
            print(f"| {name} | {statistics.median(times):.0f} | {max(times):.0f} |", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
