"""Importing short texts: `python -m benchmarks.imports [--rows 1000000]`. NDJSON in one request to a real server.

Prints items a second, what the server's memory grew by, and what annotators waited meanwhile (p95 of a lease).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from app.core.settings import Settings
from app.db import Database
from app.db.migrate import migrate
from benchmarks.serving import ROOT, prepare, synced_commits

WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "while",
    "seven",
    "wizards",
    "quietly",
    "brew",
    "strong",
    "coffee",
]


def lines(count: int) -> Iterator[bytes]:
    """NDJSON in pieces of a thousand rows."""
    for start in range(0, count, 1000):
        rows = []
        for n in range(start, min(start + 1000, count)):
            text = " ".join(WORDS[(n * k + k) % len(WORDS)] for k in range(1, 13))
            rows.append(f'{{"key": "row-{n}", "text": "{text} {n}"}}\n')
        yield "".join(rows).encode()


def memory(pid: int) -> float:
    """Resident megabytes of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def watch(pid: int, peak: list[float], stop: threading.Event) -> None:
    """Note a process's memory twice a second."""
    while not stop.wait(0.5):
        peak.append(memory(pid))


def main() -> None:
    """One import, measured."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rows", type=int, default=1_000_000)
    given.add_argument("--port", type=int, default=8198)
    options = given.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="labelwise-import-"))
    settings = Settings(data=folder, _env_file=None)
    migrate(settings.url)
    db = Database(settings.url)
    project, tokens = prepare(db, 5_000, 2)
    with db.write() as session:
        from app.services import accounts

        boss = accounts.create_token(session, 1, "import", accounts.SCOPES)[1]
    environment = {**os.environ, "LABELWISE_DATA": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "uvicorn", "app.main:create_app", "--factory", "--port", str(options.port)]
    process = subprocess.Popen([*command, "--log-level", "warning"], cwd=ROOT, env=environment)
    url = f"http://127.0.0.1:{options.port}"
    waits: list[float] = []
    stop = threading.Event()

    def annotate() -> None:
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {tokens[0]}"}, timeout=60) as http:
            while not stop.wait(0.2):
                begun = time.monotonic()
                http.post(f"/api/v1/projects/{project}/leases", json={"count": 5})
                http.delete(f"/api/v1/projects/{project}/leases")
                waits.append((time.monotonic() - begun) / 2)

    try:
        time.sleep(4)
        before = memory(process.pid)
        peak = [before]
        watcher = threading.Thread(target=watch, args=(process.pid, peak, stop))
        annotator = threading.Thread(target=annotate)
        watcher.start()
        annotator.start()
        begun = time.monotonic()
        headers = {"Authorization": f"Bearer {boss}", "Content-Type": "application/x-ndjson"}
        answer = httpx.post(
            f"{url}/api/v1/projects/{project}/items", content=lines(options.rows), headers=headers, timeout=3600
        )
        took = time.monotonic() - begun
        stop.set()
        watcher.join()
        annotator.join()
        waits.sort()
        print(f"synced commits a second of this machine: {synced_commits(folder):.0f}\n")
        print("| rows | items a second | memory growth MB | annotators' p95 ms | created | rejected |")
        print("|---|---|---|---|---|---|")
        report = answer.json()
        print(
            f"| {options.rows:,} | {options.rows / took:,.0f} | {max(peak) - before:.0f} "
            f"| {1000 * waits[int(0.95 * len(waits))]:.0f} | {report['created']:,} | {report['rejected_count']} |"
        )
    finally:
        stop.set()
        process.terminate()
        process.wait()
        db.dispose()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
