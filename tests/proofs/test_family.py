"""The watched family of processes, as a person starts it and as bad days treat it."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60.0


class Service:
    """A running `labelwise serve` and what it said."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.data = folder / "data"
        self.log = folder / "log"
        plain = {name: value for name, value in os.environ.items() if not name.startswith("LABELWISE_")}
        environment = plain | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "labelwise", "serve", "--data", str(self.data), *options]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)

    def said(self, pattern: str) -> str:
        """Wait until the pattern is on the screen; its first group, or all of it."""
        found = until(lambda: re.search(pattern, self.log.read_text()), what=f"{pattern!r} in {self.log.read_text()}")
        return found.group(found.re.groups)

    def children(self) -> dict[int, str]:
        """Live child processes and their command lines."""
        listed = subprocess.run(
            ["ps", "--ppid", str(self.process.pid), "-o", "pid=,args="], capture_output=True, text=True, check=False
        )
        rows = (line.split(maxsplit=1) for line in listed.stdout.splitlines())
        return {int(pid): arguments for pid, arguments in rows if "defunct" not in arguments}

    def worker(self) -> int | None:
        return next((pid for pid, arguments in self.children().items() if "labelwise worker" in arguments), None)


def until(look: Callable[[], Any], *, what: str) -> Any:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError(f"never: {what}")


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


@pytest.fixture
def service(tmp_path: Path, busy_port: int) -> Iterator[Service]:
    made = Service(tmp_path, "--port", str(busy_port), "--web-processes", "2")
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()


def test_a_first_start_says_where_it_is_replaces_a_killed_worker_and_ends_whole_on_a_signal(
    service: Service, busy_port: int
) -> None:
    port = int(service.said(r"listens on http://127\.0\.0\.1:(\d+)"))
    link = service.said(r"(http://\S+/setup/\S+)")

    assert port > busy_port
    assert f"Port {busy_port} is in use; taking {port}." in service.log.read_text()
    assert httpx.get(link, timeout=120).status_code == 200
    until(lambda: httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30).status_code == 200, what="ready")
    assert (service.data / "secret.key").stat().st_mode & 0o777 == 0o600
    assert service.data.stat().st_mode & 0o777 == 0o700

    replace_a_killed_worker(service)

    children = until(lambda: (found := service.children()) and len(found) == 3 and found, what="three children")
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(30) == 0
    assert not [pid for pid in children if alive(pid)]


def replace_a_killed_worker(service: Service) -> None:
    """Kill the worker while it holds a job: another one comes, and the job is free at once."""
    first = until(service.worker, what="a worker")
    with sqlite3.connect(service.data / "labelwise.db", timeout=30) as rows:
        # A job of a kind that no worker takes, held as a dying worker holds one.
        rows.execute(
            "INSERT INTO jobs (kind, state, priority, payload, attempt, due_at, cancel_requested, created_at,"
            " updated_at, lease_until) SELECT 'held', 'running', 0, '{}', 1, last_seen, 0, last_seen, last_seen,"
            " '2100-01-01 00:00:00.000000' FROM workers"
        )
        rows.commit()
    os.kill(first, signal.SIGKILL)

    assert until(lambda: (pid := service.worker()) != first and pid, what="another worker")

    assert "The worker process ended with code -9" in service.log.read_text()
    with sqlite3.connect(service.data / "labelwise.db", timeout=30) as rows:
        assert rows.execute("SELECT count(*) FROM jobs WHERE lease_until LIKE '2100%'").fetchone() == (0,)


@pytest.mark.night
def test_children_end_when_the_parent_is_killed(service: Service) -> None:
    service.said("listens on")
    children = until(lambda: (found := service.children()) and len(found) == 3 and found, what="three children")

    service.process.kill()

    until(lambda: not [pid for pid in children if alive(pid)], what="no orphan")


@pytest.mark.night
def test_an_unknown_setting_stops_the_start_and_is_named(tmp_path: Path) -> None:
    environment = os.environ | {"LABELWISE_PROT": "8000", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "labelwise", "serve", "--data", str(tmp_path)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    assert ended.returncode == 2
    assert "LABELWISE_PROT" in ended.stderr
    assert list(tmp_path.iterdir()) == []
