"""Import rates: `python -m benchmarks.imports [--rows 1000000] [--annotators 4] [--database-url URL]`.

A server in a process of its own takes one streamed NDJSON request of short texts while annotators lease and
answer. Prints items a second, the growth of the server's memory and the annotators' latencies beside the
machine's own synced writes; without a URL the rows go to SQLite.
"""

import argparse
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from app.core.settings import Settings
from app.db import Database
from app.db.migrate import migrate
from app.services import accounts

SERVER = """
import sys, uvicorn
from pathlib import Path
from app.core.settings import Settings
from app.main import create_app
data, url, port = sys.argv[1:4]
given = {"database_url": url} if url else {}
app = create_app(Settings(data=Path(data), _env_file=None, **given))
uvicorn.run(app, port=int(port), log_level="warning")
"""
WORDS = [f"{start}{end}" for start in ("la", "mo", "tri", "ke", "su", "pa") for end in ("na", "ter", "lo", "mi", "s")]
SERVED_FIRST = 2_000


def main() -> None:
    """Run one import and print a line of the results table."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rows", type=int, default=1_000_000)
    given.add_argument("--annotators", type=int, default=4)
    given.add_argument("--database-url", default="")
    options = given.parse_args()
    with tempfile.TemporaryDirectory(prefix="labelwise-bench-") as folder:
        data = Path(folder)
        settings = Settings(data=data, _env_file=None, **_url(options.database_url))
        migrate(settings.url)
        token = make_token(settings)
        port = free_port()
        command = [sys.executable, "-c", SERVER, folder, options.database_url, str(port)]
        with subprocess.Popen(command, cwd=Path(__file__).parents[1]) as server:
            try:
                _measure(f"http://127.0.0.1:{port}/api/v1", token, server.pid, options, data)
            finally:
                server.terminate()


def _measure(address: str, token: str, pid: int, options: argparse.Namespace, data: Path) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=address, headers=headers, timeout=3600) as client:
        wait_for(client)
        task = {"type": "classification", "classes": ["a", "b"]}
        body = {"name": "Bench", "slug": f"bench-{os.getpid()}", "modality": "text", "task": task}
        project = client.post("/projects", json=body).raise_for_status().json()["id"]
        _push(client, project, _lines(SERVED_FIRST, "first"))
        before = _resident(pid)
        stop = threading.Event()
        waits: list[float] = []
        people = [
            threading.Thread(target=_annotate, args=(address, headers, project, stop, waits))
            for _ in range(options.annotators)
        ]
        synced = _synced_writes(data)
        for person in people:
            person.start()
        watcher = _Watcher(pid)
        begun = time.monotonic()
        report = _push(client, project, _lines(options.rows, "row"))
        seconds = time.monotonic() - begun
        stop.set()
        for person in people:
            person.join()
        peak = watcher.stop()
    waits.sort()
    high = waits[int(0.95 * len(waits))] * 1000 if waits else float("nan")
    kind = "PostgreSQL" if options.database_url else "SQLite"
    print(
        f"| {kind} | {report['created']:,} | {options.annotators} | {options.rows / seconds:,.0f} | {seconds:.1f} "
        f"| {(peak - before) / 1e6:.0f} | {high:.0f} | {len(waits)} | {synced:.0f} |"
    )


def _annotate(address: str, headers: dict[str, str], project: int, stop: threading.Event, waits: list[float]) -> None:
    with httpx.Client(base_url=address, headers=headers, timeout=60) as client:
        while not stop.is_set():
            begun = time.monotonic()
            leases = client.post(f"/projects/{project}/leases", json={"count": 1}).raise_for_status().json()["leases"]
            waits.append(time.monotonic() - begun)
            for lease in leases:
                body = {"lease": lease["id"], "label": {"class": random.choice("ab")}, "seconds_spent": 1}
                begun = time.monotonic()
                client.post("/annotations", json=body)
                waits.append(time.monotonic() - begun)
            time.sleep(0.2)


class _Watcher:
    """Watches the peak of a process's memory."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak, self._end = pid, 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> int:
        self._end.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._end.wait(0.1):
            self._peak = max(self._peak, _resident(self._pid))


def _lines(rows: int, prefix: str) -> Iterator[bytes]:
    rng = random.Random(0)
    for start in range(0, rows, 1000):
        texts = (" ".join(rng.choices(WORDS, k=10)) for _ in range(min(1000, rows - start)))
        yield b"".join(
            f'{{"key": "{prefix}-{start + place}", "text": "{text}"}}\n'.encode() for place, text in enumerate(texts)
        )


def _push(client: httpx.Client, project: int, pieces: Iterator[bytes]) -> dict[str, int]:
    kind = {"Content-Type": "application/x-ndjson"}
    answer = client.post(f"/projects/{project}/items", content=pieces, headers=kind)
    report: dict[str, int] = answer.raise_for_status().json()
    return report


def _synced_writes(folder: Path) -> float:
    """How many small synced writes the disk under the data folder takes a second."""
    with (folder / "synced").open("wb") as file:
        begun = time.monotonic()
        for _ in range(200):
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        return 200 / (time.monotonic() - begun)


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def _url(url: str) -> dict[str, Any]:
    return {"database_url": url} if url else {}


def make_token(settings: Settings) -> str:
    db = Database(settings.url)
    with db.write() as session:
        user = accounts.create_user(session, f"boss-{os.getpid()}", "correct horse battery", admin=True)
        _, secret = accounts.create_token(session, user.id, "bench", accounts.SCOPES)
    db.dispose()
    return secret


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(client: httpx.Client) -> None:
    for _ in range(300):
        try:
            client.get("/projects").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server did not start")


if __name__ == "__main__":
    main()
