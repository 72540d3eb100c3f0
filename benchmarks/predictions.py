"""An outside model's view of the whole pool: `python -m benchmarks.predictions [--rows 1000000] [--format parquet]`.

A project on SQLite whose model is trained elsewhere waits for predictions. One streamed request brings a row an item of
10 classes; the clock runs from its first byte to the order that follows it, with a server and a worker in processes of
their own. Prints the stages and how far the memory of both grew.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from app.core.settings import Settings
from app.db import Database
from app.db.migrate import migrate
from app.services import accounts, projects
from app.services.access import Person
from benchmarks.imports import SERVER, _resident, _Watcher, free_port, make_token, wait_for
from benchmarks.round import CLASSES, fill

ROOT = Path(__file__).resolve().parents[1]
PIECE = 1 << 18
AT_ONCE = 50_000
KINDS = {"parquet": "application/vnd.apache.parquet", "jsonl": "application/x-ndjson"}


def main() -> None:
    """Fill a project, push one version, print a line of the results table."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rows", type=int, default=1_000_000)
    given.add_argument("--format", choices=KINDS, default="parquet")
    options = given.parse_args()
    data = Path(tempfile.mkdtemp(prefix="labelwise-predictions-"))
    try:
        _measure(data, options.rows, options.format)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _measure(data: Path, rows: int, kind: str) -> None:
    settings = Settings(data=data, _env_file=None)
    migrate(settings.url)
    db = Database(settings.url)
    with db.write() as session:
        boss = accounts.create_user(session, "boss", "correct horse battery", admin=True)
        body: dict[str, Any] = {"name": "Round", "modality": "text", "seed": 1, "learner": {"name": "external"}}
        body["task"] = {"classes": [f"class {number}" for number in range(CLASSES)]}
        project = projects.create(session, Person(boss.id, "boss", True), body).id
    fill(db, settings, project, rows)
    db.dispose()
    token, port = make_token(settings), free_port()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    commands = ([sys.executable, "-c", SERVER, str(data), "", str(port)], [sys.executable, "-m", "labelwise", "worker"])
    commands[1].extend(["--data", str(data)])
    pieces = list(_parquet(rows) if kind == "parquet" else _lines(rows))
    processes = [subprocess.Popen(each, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) for each in commands]
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers, timeout=3600) as client:
            wait_for(client)
            _push(client, project, pieces, kind, rows, [each.pid for each in processes])
    finally:
        for each in processes:
            each.terminate()
            each.wait()


def _push(client: httpx.Client, project: int, pieces: list[bytes], kind: str, rows: int, pids: list[int]) -> None:
    client.post(f"/projects/{project}/rounds").raise_for_status()
    number = _until(client, project, lambda status: status["round"].get("number"))
    before = [_resident(pid) for pid in pids]
    watchers = [_Watcher(pid) for pid in pids]
    begun = time.monotonic()
    params: dict[str, Any] = {"model": "bench", "version": "1", "round": number, "complete": True}
    answer = client.post(
        f"/projects/{project}/predictions", content=iter(pieces), params=params, headers={"Content-Type": KINDS[kind]}
    ).raise_for_status()
    answered = time.monotonic() - begun
    _until(client, project, lambda status: status["queue"]["round"] == number)
    ordered = time.monotonic() - begun
    _until(client, project, lambda status: client.get(f"/projects/{project}/rounds/{number}").json()["state"] == "done")
    grown = [(watcher.stop() - first) / 1e6 for watcher, first in zip(watchers, before, strict=True)]
    assert answer.json()["rows"] == rows, answer.text
    found = client.get(f"/projects/{project}/rounds/{number}").json()
    size, published = sum(map(len, pieces)) / 1e6, found["seconds"]["to_published"]
    print(
        f"| {kind} | {rows:,} | {size:.0f} | {answered:.1f} | **{ordered:.1f}** | {published:.1f} "
        f"| {grown[0]:.0f} | {grown[1]:.0f} | {answer.json()['rejected_count']} |"
    )


def _until(client: httpx.Client, project: int, true: Any) -> Any:
    while True:
        found = true(client.get(f"/projects/{project}/status").raise_for_status().json())
        if found:
            return found
        time.sleep(0.05)


def _tables(rows: int) -> Iterator[tuple[list[str], np.ndarray]]:
    rng = np.random.default_rng(0)
    for start in range(0, rows, AT_ONCE):
        count = min(AT_ONCE, rows - start)
        yield [f"k{start + place}" for place in range(count)], rng.dirichlet(np.full(CLASSES, 0.3), count)


def _parquet(rows: int) -> Iterator[bytes]:
    out = io.BytesIO()
    writer = None
    for keys, values in _tables(rows):
        flat = pa.array(values.astype(np.float32).ravel())
        table = pa.table({"key": keys, "probabilities": pa.FixedSizeListArray.from_arrays(flat, CLASSES)})
        writer = writer or pq.ParquetWriter(out, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    body = out.getvalue()
    yield from (body[start : start + PIECE] for start in range(0, len(body), PIECE))


def _lines(rows: int) -> Iterator[bytes]:
    for keys, values in _tables(rows):
        yield b"".join(
            orjson.dumps({"key": key, "probabilities": row}, option=orjson.OPT_APPEND_NEWLINE)
            for key, row in zip(keys, values.round(5).tolist(), strict=True)
        )


if __name__ == "__main__":
    main()
