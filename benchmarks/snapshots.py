"""Snapshots of a million items: `python -m benchmarks.snapshots [--items 1000000] [--answers 100000] [--postgresql]`.

A worker process of its own makes a snapshot with three splits on SQLite (or PostgreSQL), after a small one that warms
it up; then the same again, which must have the same hash. Prints seconds from claimed to done, the growth of the
worker's peak memory, and the seconds of a download as JSONL and of a comparison. Exits with 1 when a goal is missed.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select, update

from app.core.settings import Settings
from app.db import Annotation, Database, Item, Snapshot
from app.db.migrate import migrate
from app.loop.serving import audit_reserved, draw
from app.services import accounts, projects, snapshots
from app.services.access import Person
from benchmarks.serving import ROOT

SPLITS = {"train": 0.8, "validation": 0.1, "test": 0.1}
SECONDS, GROWTH_MB = 60, 64
CHUNK = 5_000
BOSS = Person(1, "boss", admin=True)
WORKER = """
import json, sys, time
from pathlib import Path
from app.core.settings import Settings
from app.db import Database
from app.services import snapping
from app.worker import WorkerProcess
settings = Settings(data=Path(sys.argv[1]), _env_file=None, **({"database_url": sys.argv[2]} if sys.argv[2] else {}))
worker = WorkerProcess(settings, Database(settings.url), {"snapshot": snapping.run})
worker.run_one()
def peak():
    line = next(each for each in open("/proc/self/status") if each.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
before, took, busy = peak(), [], []
for _ in range(2):
    begun, used = time.monotonic(), time.process_time()
    worker.run_one()
    took.append(time.monotonic() - begun)
    busy.append(time.process_time() - used)
print(json.dumps({"seconds": took, "processor": busy, "growth": peak() - before}))
"""


def rows(project: int, seed: int, count: int, moment: datetime) -> Iterator[list[dict[str, Any]]]:
    """Items of two sentences each, every thousandth a copy of its neighbour, in chunks."""
    for start in range(0, count, CHUNK):
        yield [
            {
                "project_id": project,
                "key": f"k{n}",
                "payload": {"text": f"a short text about thing {n}. It has a second sentence, as most texts have."},
                "content_hash": f"{n:032x}",
                "fingerprint": f"{n - (n % 1000 == 1):032x}",
                "meta": {"source": f"source {n % 500}", "year": 1990 + n % 30},
                "reserved": audit_reserved(seed, f"k{n}", 0.1),
                "draw": draw(seed, f"k{n}"),
                "created_at": moment,
                "updated_at": moment,
            }
            for n in range(start, min(start + CHUNK, count))
        ]


def prepare(db: Database, items: int, answers: int) -> int:
    """A project whose items are answered evenly; its id."""
    with db.write() as session:
        body = {"name": f"Load {items}", "modality": "text", "task": {"classes": ["a", "b", "c"]}}
        made = projects.create(session, BOSS, body)
        project, seed, moment = made.id, made.seed, made.created_at
    for chunk in rows(project, seed, items, moment):
        with db.write() as session:
            session.execute(insert(Item), chunk)
    with db.write() as session:
        every = max(1, items // answers)
        chosen = list(session.execute(select(Item.id).where(Item.project_id == project)).scalars())[::every]
        for start in range(0, len(chosen), CHUNK):
            part = chosen[start : start + CHUNK]
            labels = [{"label": {"class_id": 1 + item % 3}} for item in part]
            session.execute(
                insert(Annotation),
                [
                    {"project_id": project, "answer_id": uuid4(), "item_id": item, "label": label, "created_at": moment}
                    for item, label in zip(part, labels, strict=True)
                ],
            )
            session.execute(update(Item).where(Item.id.in_(part)).values(done=True))
    return project


def main() -> None:
    """Prepare, let the worker work, read back; print a row."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--items", type=int, default=1_000_000)
    given.add_argument("--answers", type=int, default=100_000)
    given.add_argument("--postgresql", action="store_true")
    options = given.parse_args()
    with tempfile.TemporaryDirectory(prefix="labelwise-bench-") as folder:
        url = ""
        if options.postgresql:
            from tests import databases

            databases.SERVER_OPTIONS = "-c max_connections=80"
            url = databases.postgres_url()
        elsewhere: dict[str, Any] = {"database_url": url} if url else {}
        settings = Settings(data=Path(folder), _env_file=None, **elsewhere)
        migrate(settings.url)
        db = Database(settings.url)
        with db.write() as session:
            accounts.create_user(session, "boss", "correct horse battery", admin=True)
        small, large = prepare(db, 1_000, 100), prepare(db, options.items, options.answers)
        with db.write() as session:
            snapshots.create(session, BOSS, small, "warm", "", SPLITS, None)
            for name in ("one", "again"):
                snapshots.create(session, BOSS, large, name, "", SPLITS, None)
        command = [sys.executable, "-c", WORKER, folder, url]
        measured = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
        with db.read() as session:
            made = (
                session.execute(select(Snapshot).where(Snapshot.project_id == large).order_by(Snapshot.id))
                .scalars()
                .all()
            )
        begun = time.monotonic()
        path, _, _ = snapshots.write(db, settings, BOSS, large, "one", kind="jsonl", split=None, raw=False)
        download = time.monotonic() - begun
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        begun = time.monotonic()
        found = snapshots.diff(db, settings, BOSS, large, "one", "again")
        comparison = time.monotonic() - begun
        report = made[0].report or {}
        print(
            "| database | items | answers | seconds | of the processor | growth MB | file MB "
            "| download s | comparison s | leaks |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|")
        print(
            f"| {'PostgreSQL' if url else 'SQLite'} | {made[0].items:,} | {report['labelled']:,} "
            f"| {measured['seconds'][0]:.1f}, {measured['seconds'][1]:.1f} "
            f"| {measured['processor'][0]:.1f}, {measured['processor'][1]:.1f} | {measured['growth']:.0f} "
            f"| {(made[0].bytes or 0) / 1e6:.0f} | {download:.1f} | {comparison:.1f} | {report['leaks']['groups']:,} |",
            flush=True,
        )
        db.dispose()
        equal = made[0].sha256 == made[1].sha256 == digest and found.same == made[0].items == options.items
        sys.exit(0 if equal and max(measured["seconds"]) <= SECONDS and measured["growth"] <= GROWTH_MB else 1)


if __name__ == "__main__":
    main()
