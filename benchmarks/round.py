"""One round step by step: `python -m benchmarks.round`. 100,000 x 384 (and a million), 10 classes, 1,000 labels.

First the algorithm alone over the feature store's shards on disk; then the whole way in a project on SQLite, from the
moment in which a round is asked for to the moment in which its order is published, by a worker process of its own. The
pool is made with a seed.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from sqlalchemy import insert, select, update

from app.core.block import Block
from app.core.settings import Settings
from app.db import Annotation, Database, FeatureSet, FeatureShard, Item, Project, Round
from app.db.migrate import migrate
from app.db.session import now
from app.features import StoredShard, append, gather
from app.loop.evaluate import evaluate
from app.loop.executors import LocalExecutor
from app.loop.propose import Labelled, Plan, propose
from app.loop.serving import audit_reserved, draw
from app.services import accounts, projects, rounds
from app.services.access import Person
from app.services.pool import feature_folder

WIDTH, CLASSES, LABELS, SHARD = 384, 10, 1_000, 20_000
FIRST_ID = 1
ROOT = Path(__file__).resolve().parents[1]


def make(folder: Path, rows: int, width: int = WIDTH) -> tuple[list[StoredShard], np.ndarray]:
    """Clustered unit vectors in shards, and each row's class."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(300, width)).astype(np.float32)
    cluster = rng.integers(0, 300, rows)
    shards = []
    for start in range(0, rows, SHARD):
        part = cluster[start : start + SHARD]
        matrix = centers[part] + 1.5 * rng.normal(size=(len(part), width)).astype(np.float32)
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
        ids = np.zeros((len(part), 3), dtype=np.int64)
        ids[:, 0] = np.arange(start, start + len(part)) + FIRST_ID
        ids[:, 2] = 1
        shards.append(StoredShard(folder, append(folder, ids, Block(matrix.astype(np.float32)))))
    return shards, cluster % CLASSES


def main() -> None:
    """Print one row a pool size: seconds by step, best of three rounds."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rows", default="100000,1000000")
    options = given.parse_args()
    print(
        "| items | due to proposed, s | train | sample | prepare | score | choose | gather | evaluate after | peak MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for rows in map(int, options.rows.split(",")):
        folder = Path(tempfile.mkdtemp(prefix="labelwise-round-"))
        try:
            shards, classes = make(folder, rows)
            picked = np.sort(np.random.default_rng(1).choice(rows, LABELS, replace=False))
            best: dict[str, float] = {}
            for attempt in range(3):
                found = _once(shards, classes, picked, attempt)
                best = found if not best or found["total"] < best["total"] else best
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            steps = ("train", "sample", "prepare", "score", "choose", "gather", "evaluate")
            cells = " | ".join(f"{best[step]:.3f}" for step in steps)
            print(f"| {rows:,} | {best['total']:.3f} | {cells} | {peak:.0f} |", flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print(
        "\n| items | asked to claimed, s | asked to published | of it reading | thinking | storing | evaluated after |"
    )
    print("|---|---|---|---|---|---|---|")
    for rows in map(int, options.rows.split(",")):
        data = Path(tempfile.mkdtemp(prefix="labelwise-round-"))
        try:
            print(f"| {rows:,} | " + " | ".join(f"{value:.3f}" for value in measured(data, rows)) + " |", flush=True)
        finally:
            shutil.rmtree(data, ignore_errors=True)


def measured(data: Path, rows: int, width: int = WIDTH) -> tuple[float, ...]:
    """Fill a project, let a worker process run three rounds; the stages of the fastest, see `_asked`."""
    settings = Settings(data=data, _env_file=None)
    migrate(settings.url)
    db = Database(settings.url)
    with db.write() as session:
        boss = accounts.create_user(session, "boss", "correct horse battery", admin=True)
        person = Person(boss.id, "boss", True)
        names = [f"class {number}" for number in range(CLASSES)]
        body = {"name": "Round", "modality": "text", "task": {"classes": names}, "seed": 1}
        project = projects.create(session, person, body).id
    fill(db, settings, project, rows, width)
    command = [sys.executable, "-m", "labelwise", "worker", "--data", str(data)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as worker:
        try:
            found = [_asked(db, person, project) for _ in range(4)][1:]  # the first one warms the worker up
        finally:
            worker.terminate()
    db.dispose()
    return min(found, key=lambda row: row[1])


def fill(db: Database, settings: Settings, project: int, rows: int, width: int = WIDTH) -> None:
    """Items, shards and labels, as pushes, featurize jobs and answers would have left them."""
    folder = feature_folder(settings, project, "bench")
    shards, classes = make(folder, rows, width)
    with db.write() as session:
        moment = now(session)
        seed = session.get_one(Project, project).seed
        for start in range(0, rows, 5_000):
            numbers = range(start, min(rows, start + 5_000))
            session.execute(insert(Item), [_item(project, seed, number, moment) for number in numbers])
        chosen = FeatureSet(project_id=project, name="client", version="bench", active=True, created_at=moment)
        chosen.fitted_rows = chosen.featurized_to = rows
        session.add(chosen)
        session.flush()
        for shard in shards:
            info = shard.info
            session.add(
                FeatureShard(
                    feature_set_id=chosen.id,
                    name=info.name,
                    rows=info.rows,
                    bytes=info.bytes,
                    checksum=info.checksum,
                    sparse=info.sparse,
                    created_at=moment,
                )
            )
        picked = np.sort(np.random.default_rng(1).choice(rows, LABELS, replace=False))
        session.execute(insert(Annotation), [_label(project, int(row), int(classes[row]), moment) for row in picked])
        session.execute(update(Item).where(Item.id.in_([int(row) + FIRST_ID for row in picked])).values(done=True))


def _item(project: int, seed: int, number: int, moment: datetime) -> dict[str, Any]:
    key = f"k{number}"
    return {
        "id": number + FIRST_ID,
        "project_id": project,
        "key": key,
        "payload": {"text": f"text {number}"},
        "content_hash": f"{number:032x}",
        "fingerprint": f"{number:032x}",
        "meta": {},
        "reserved": audit_reserved(seed, key, 0.1),
        "draw": draw(seed, key),
        "created_at": moment,
        "updated_at": moment,
    }


def _label(project: int, row: int, number: int, moment: datetime) -> dict[str, Any]:
    return {
        "project_id": project,
        "answer_id": uuid4(),
        "item_id": row + FIRST_ID,
        "origin": "human",
        "kind": "audit" if row % 10 == 0 else "query",
        "label": {"label": {"class_id": number + 1}},
        "created_at": moment,
    }


def _asked(db: Database, person: Person, project: int) -> tuple[float, ...]:
    """Ask for a round and wait until it is evaluated; seconds of its stages."""
    with db.write() as session:
        asked = now(session)
        job = rounds.request(session, person, project)
    while True:
        with db.read() as session:
            row = session.execute(select(Round).where(Round.job_id == job)).scalar_one_or_none()
            if row is not None and row.state in ("done", "failed"):
                break
        time.sleep(0.02)
    assert row.state == "done", row.reason
    assert row.published_at is not None
    assert row.finished_at is not None
    assert row.seconds is not None
    published = (row.published_at - asked).total_seconds()
    thinking = sum(row.seconds[step] for step in ("train", "sample", "prepare", "score", "choose"))
    claimed = published - row.seconds["to_published"]
    reading = (row.created_at - asked).total_seconds() - claimed
    after = (row.finished_at - row.published_at).total_seconds()
    return claimed, published, reading, thinking, published - claimed - reading - thinking, after


def _once(shards: list[StoredShard], classes: np.ndarray, picked: np.ndarray, seed: int) -> dict[str, float]:
    begun = time.monotonic()
    ids = np.zeros((len(picked), 3), dtype=np.int64)
    ids[:, 0] = picked + FIRST_ID
    ids[:, 2] = 1
    _, block = gather(shards, ids)
    gathered = time.monotonic() - begun
    targets = np.eye(CLASSES, dtype=np.float32)[classes[picked]]
    audit = np.arange(len(picked)) % 10 == 0
    labelled = Labelled(ids, block, targets, np.ones(len(picked)), audit)
    plan = Plan(tuple(range(CLASSES)), False, "text", size=200, seed=seed)
    with LocalExecutor() as executor:
        proposal = propose(labelled, shards, plan, executor, lambda _step, _fraction: None)
    total = time.monotonic() - begun
    assert proposal.model is not None
    begun = time.monotonic()
    evaluate(labelled, None, plan, proposal.model, lambda _step, _fraction: None)
    return {**proposal.seconds, "gather": gathered, "total": total, "evaluate": time.monotonic() - begun}


if __name__ == "__main__":
    main()
