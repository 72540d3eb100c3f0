"""A large import under SIGKILL: `python -m benchmarks.killed_imports [--rows 1000000] [--kills 20]`.

One file whose middle line is broken JSON is streamed again and again into a server that is killed after a longer while
each time, then once to the end. Prints the rows after each kill, and at the end the rows, the keys among them, the
rejected line and what SQLite's own integrity check says. Exits with 1 when a row is
missing, doubled, or was lost again.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select, text

from app.core.settings import Settings
from app.db import Database, Item
from app.db.migrate import migrate
from benchmarks.imports import SERVER, free_port, make_token, wait_for

FIRST_KILL_SECONDS = 1.0


def main() -> None:
    """Kill, count, send again; print a row of the results table."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rows", type=int, default=1_000_000)
    given.add_argument("--kills", type=int, default=20)
    given.add_argument("--longest", type=float, default=30.0, help="seconds before the last kill")
    given.add_argument("--database-url", default="")
    options = given.parse_args()
    with tempfile.TemporaryDirectory(prefix="labelwise-bench-") as folder:
        given_url = {"database_url": options.database_url} if options.database_url else {}
        settings = Settings(data=Path(folder), _env_file=None, **given_url)
        migrate(settings.url)
        token = make_token(settings)
        db = Database(settings.url)
        try:
            sys.exit(_measure(db, folder, token, options))
        finally:
            db.dispose()


def _measure(db: Database, folder: str, token: str, options: argparse.Namespace) -> int:
    with _server(folder, options.database_url, token) as (_, client):
        task = {"type": "classification", "classes": ["a", "b"]}
        made = client.post("/projects", json={"name": "Killed", "modality": "text", "task": task}).raise_for_status()
        project = made.json()["id"]
    counts = []
    for number in range(options.kills):
        after = FIRST_KILL_SECONDS + number * (options.longest - FIRST_KILL_SECONDS) / max(1, options.kills - 1)
        with _server(folder, options.database_url, token) as (server, client):
            killer = threading.Timer(after, server.kill)
            killer.start()
            with contextlib.suppress(httpx.TransportError):
                _push(client, project, _lines(options.rows))
            killer.cancel()
        counts.append(_rows(db)[0])
        print(f"killed after {after:.1f} s: {counts[-1]:,} rows", flush=True)
    with _server(folder, options.database_url, token) as (_, client):
        report = _push(client, project, _lines(options.rows))
        listed = client.get(f"/projects/{project}/items", params={"limit": 1}).raise_for_status().json()["items"]
    total, keys = _rows(db)
    sound = _sound(db)
    rejected = [(each["line"], each["error"]) for each in report["rejected"]]
    print(f"rows {total:,}, keys {keys:,}, rejected {rejected}, integrity {sound}")
    whole = total == keys == options.rows - 1 and [line for line, _ in rejected] == [options.rows // 2]
    return 0 if whole and counts == sorted(counts) and sound in ("ok", "-") and listed else 1


@contextlib.contextmanager
def _server(folder: str, url: str, token: str) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """A server process and a client of it; killed, not asked to stop, at the end."""
    port, headers = free_port(), {"Authorization": f"Bearer {token}"}
    command = [sys.executable, "-c", SERVER, folder, url, str(port)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1]) as server:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers, timeout=3600) as client:
                wait_for(client)
                yield server, client
        finally:
            server.kill()


def _lines(rows: int) -> Iterator[bytes]:
    for start in range(0, rows, 500):
        numbers = range(start, min(start + 500, rows))
        yield b"".join(
            b'{"key": "broken"\n' if n == rows // 2 - 1 else b'{"key": "row-%d", "text": "short text %d"}\n' % (n, n)
            for n in numbers
        )


def _push(client: httpx.Client, project: int, lines: Iterator[bytes]) -> dict[str, Any]:
    sent = client.post(f"/projects/{project}/items", content=lines, headers={"Content-Type": "application/x-ndjson"})
    report: dict[str, Any] = sent.raise_for_status().json()
    return report


def _rows(db: Database) -> tuple[int, int]:
    with db.read() as session:
        total, keys = session.execute(select(func.count(Item.id), func.count(func.distinct(Item.key)))).one()
    return total, keys


def _sound(db: Database) -> str:
    if not db.is_sqlite:
        return "-"
    with db.read() as session:
        return str(session.execute(text("PRAGMA integrity_check")).scalar_one())


if __name__ == "__main__":
    main()
