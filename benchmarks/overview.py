"""What a lead looks at in a large project: `python -m benchmarks.overview [--rows N] [--answers N] [--data DIR]`.

Builds the project of `benchmarks.items_page`, lets three people have given its answers over thirty days, a tenth of
them of the audit share, and puts 200 rounds behind it whose metrics a real round of a small project has computed. Then
asks `labelwise serve`, started anew several times, for the overview and what stands beside it, and prints the median
and the worst of all answers in milliseconds, and the first that each of the processes gave: figures are computed in the
round, so none may take longer than 300. `--data` keeps what was built and goes on from it the next time.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import case, func, insert, select, update

from app.core.settings import Settings
from app.db import Annotation, Database, Project, Round, Serving
from app.db.migrate import migrate
from app.db.session import now
from app.services import accounts
from app.worker import WorkerProcess
from benchmarks.imports import free_port, make_token, wait_for
from benchmarks.items_page import CLASSES, project_of

ROOT = Path(__file__).parents[1]
PEOPLE, ROUNDS, REPEATS, STARTS = 3, 200, 9, 5
SMALL, LABELLED = 600, 120
ASKED = {
    "overview": "/overview",
    "status": "/status",
    "progress of an annotator": "/progress",
    "people": "/pace",
    "rounds, fifty": "/rounds?limit=50",
    "project": "",
}


def main() -> None:
    """Build, or go on from what was built, and print the table."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rows", type=int, default=1_000_000)
    given.add_argument("--answers", type=int, default=100_000)
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
        with _served(folder, options.database_url, token) as client:
            project = project_of(client, settings, options.rows, options.answers)
            _age(settings, project, _metrics(client, settings))
        times: dict[str, list[list[float]]] = {name: [] for name in ASKED}
        sizes: dict[str, int] = {}
        for _ in range(STARTS):
            with _served(folder, options.database_url, token) as client:
                for name, path in ASKED.items():
                    took, sizes[name] = _asked(client, f"/projects/{project}{path}")
                    times[name].append(took)
        print("| asked for | median ms | worst ms | first of each process | kB |\n|---|---|---|---|---|")
        for name, starts in times.items():
            every = [each for took in starts for each in took]
            first = ", ".join(f"{took[0]:.0f}" for took in starts)
            print(f"| {name} | {statistics.median(every):.0f} | {max(every):.0f} | {first} | {sizes[name] / 1e3:.0f} |")


@contextlib.contextmanager
def _served(folder: Path, database_url: str, token: str) -> Iterator[httpx.Client]:
    """A server in processes of its own, and who asks it."""
    port = free_port()
    command = [sys.executable, "-m", "labelwise", "serve", "--no-worker", "--port", str(port), "--data", str(folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    environment |= {"LABELWISE_DATABASE_URL": database_url} if database_url else {}
    headers = {"Authorization": f"Bearer {token}"}
    with (
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers, timeout=3600) as client,
    ):
        try:
            wait_for(client)
            yield client
        finally:
            server.terminate()


def _metrics(client: httpx.Client, settings: Settings) -> dict[str, Any]:
    """What the last round of a small project says, with all its figures."""
    task = {"type": "classification", "classes": CLASSES}
    body = {"name": "Small", "modality": "text", "task": task, "audit_share": 0.5, "round_size": 20}
    project = int(client.post("/projects", json=body).raise_for_status().json()["id"])
    rows = [
        {"key": str(each), "text": f"{CLASSES[each % 4]} {each % 7}", "metadata": {"source": f"s{each % 3}"}}
        for each in range(SMALL)
    ]
    client.post(f"/projects/{project}/items", json=rows).raise_for_status()
    db = Database(settings.url)
    for _ in range(LABELLED // 20):
        leases = client.post(f"/projects/{project}/leases", json={"count": 20}).raise_for_status().json()["leases"]
        for lease in leases:
            label = {"class": CLASSES[int(lease["item"]["key"]) % 4]}
            client.post("/annotations", json={"lease": lease["id"], "label": label}).raise_for_status()
        client.post(f"/projects/{project}/rounds", json={})
        WorkerProcess(settings, db).run_waiting()
    with db.read() as session:
        stored = select(Round.metrics).where(Round.project_id == project, Round.metrics.is_not(None))
        found: dict[str, Any] = session.execute(stored.order_by(Round.number.desc()).limit(1)).scalar_one()
    db.dispose()
    return found


def _age(settings: Settings, project: int, metrics: dict[str, Any]) -> None:
    """Let people have given the answers over thirty days, with a round behind every so many of them."""
    db = Database(settings.url)
    with db.write() as session:
        if session.execute(select(func.count(Round.id)).where(Round.project_id == project)).scalar_one() > 1:
            db.dispose()
            return
        people = [accounts.create_user(session, f"person {each}", "correct horse battery").id for each in range(PEOPLE)]
        moment = now(session)
        own = Annotation.project_id == project
        values = {"origin": "human", "seconds_spent": 1 + Annotation.id % 7}
        values["annotator_id"] = case(*((Annotation.id % PEOPLE == n, each) for n, each in enumerate(people)))
        values["kind"] = case((Annotation.id % 10 == 0, "audit"), else_="query")
        session.execute(update(Annotation).where(own).values(values))
        for day in range(30):
            some = own & (Annotation.id % 30 == day)
            session.execute(update(Annotation).where(some).values(created_at=moment - timedelta(days=30 - day)))
        ids = list(session.execute(select(Annotation.id).where(own).order_by(Annotation.id)).scalars())
        settings_of = {"name": "auto"}
        for number in range(2, ROUNDS + 2):
            labels = ids[: len(ids) * (number - 1) // ROUNDS]
            row = {"project_id": project, "number": number, "state": "done", "strategy": settings_of}
            row |= {"learner": settings_of, "task_version": 1, "seed": 1, "class_ids": [1, 2, 3, 4], "labels": labels}
            row |= {"labels_count": len(labels), "metrics": metrics, "created_at": moment, "published_at": moment}
            session.execute(insert(Round), [row])
        newest = select(Round.id).where(Round.project_id == project).order_by(Round.number.desc()).limit(1)
        session.execute(update(Serving).where(Serving.project_id == project).values(round_id=newest.scalar_subquery()))
        session.execute(update(Project).where(Project.id == project).values(state="open", overlap=2))
    db.dispose()


def _asked(client: httpx.Client, path: str) -> tuple[list[float], int]:
    times, size = [], 0
    for _ in range(REPEATS):
        begun = time.monotonic()
        answer = client.get(path).raise_for_status()
        times.append(1000 * (time.monotonic() - begun))
        size = len(answer.content)
    return times, size


if __name__ == "__main__":
    main()
