"""Serving: a parent that watches the web processes and the worker, and takes them along when it ends."""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field

from app.core.settings import Settings
from app.db import Database
from app.db.migrate import current, migrate, newest
from app.services import accounts
from app.services import demo as demo_project
from app.worker import run_worker

PORTS_TRIED = 50
LONGEST_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 30.0
GRACE_SECONDS = 10.0
PIPE = "LABELWISE_PARENT_PIPE"


def serve(settings: Settings, given: argparse.Namespace) -> int:
    """Start everything and watch it until a signal."""
    prepare(settings)
    db = Database(settings.url)
    port = free_port(settings.host, settings.port)
    with db.write() as session:
        code = accounts.setup_link(session)
    db.dispose()
    if code is not None:
        print(f"Make the first account here, once:\n\n    {address(settings, port)}/setup/{code}\n", flush=True)
    return _Family(settings, port).run()


def demo(settings: Settings, given: argparse.Namespace) -> int:
    """Make the demo project where it is missing, print a link that signs in, and serve."""
    prepare(settings)
    db = Database(settings.url)
    project_id, user_id = demo_project.ensure_demo(db, settings)
    with db.write() as session:
        code = accounts.sign_in_link(session, user_id, project_id)
    db.dispose()
    port = free_port(settings.host, settings.port)
    print(
        f"\nThe demo is ready. Open this link, it works once:\n\n    {address(settings, port)}/enter/{code}\n",
        flush=True,
    )
    return _Family(settings, port).run()


def worker(settings: Settings, given: argparse.Namespace) -> int:
    """Run a worker in this process."""
    prepare(settings)
    pipe = os.environ.pop(PIPE, None)
    print("worker: looking for work", flush=True)
    run_worker(settings, parent_pipe=int(pipe) if pipe else None)
    return 0


def prepare(settings: Settings) -> None:
    """Make the data folder and migrate SQLite; raises RuntimeError where PostgreSQL is behind."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if current(settings.url) == newest():
        return
    if not settings.url.startswith("sqlite"):
        raise RuntimeError("the database is not at the newest schema: run `labelwise migrate`")
    migrate(settings.url)


def free_port(host: str, port: int) -> int:
    """The port, or the next free one after it, which is said."""
    for wanted in range(port, port + PORTS_TRIED):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, wanted))
            except OSError:
                continue
            if wanted != port:
                print(f"Port {port} is in use; taking {wanted}.", flush=True)
            return int(probe.getsockname()[1])
    raise RuntimeError(f"no free port from {port} to {port + PORTS_TRIED - 1}")


def address(settings: Settings, port: int) -> str:
    """Where a browser on this machine finds the service."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "127.0.0.1") else settings.host  # noqa: S104  # compared, not bound
    return f"http://{host}:{port}"


@dataclass
class _Child:
    """One watched process."""

    name: str
    command: list[str]
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    pause: float = 0.5
    due: float = field(default=0.0)


class _Family:
    """The web process or processes and the worker; a child that ends is started again, ever more slowly."""

    def __init__(self, settings: Settings, port: int) -> None:
        web = [sys.executable, "-m", "uvicorn", "app.main:create_app", "--factory", "--host", settings.host]
        web += ["--port", str(port), "--no-access-log", "--log-level", "warning", "--timeout-keep-alive", "30"]
        if settings.web_processes > 1:
            web += ["--workers", str(settings.web_processes)]
        if settings.trusted_proxies:
            web += ["--proxy-headers", "--forwarded-allow-ips", settings.trusted_proxies]
        self._children = [_Child("web", [sys.executable, "-m", "app.cli.child", *web[2:]])]
        if settings.worker:
            self._children.append(_Child("worker", [sys.executable, "-m", "labelwise", "worker"]))
        self._url = address(settings, port)
        self._ending = False

    def run(self) -> int:
        """Start the children, watch them, end them."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        print(f"Labelwise listens on {self._url}", flush=True)
        # The children hold the reading end: it closes when this process is gone, however it went.
        reading, writing = os.pipe()
        try:
            while not self._ending:
                for child in self._children:
                    self._watch(child, reading)
                time.sleep(0.2)
        finally:
            self._stop()
            os.close(writing)
        return 0

    def _end(self, *_: object) -> None:
        self._ending = True

    def _watch(self, child: _Child, pipe: int) -> None:
        if child.process is not None and child.process.poll() is not None:
            steady = time.monotonic() - child.started > STEADY_SECONDS
            child.pause = 0.5 if steady else min(LONGEST_PAUSE_SECONDS, child.pause * 2)
            print(f"{child.name} ended with code {child.process.returncode}; starting it again", flush=True)
            child.process, child.due = None, time.monotonic() + child.pause
        if child.process is None and time.monotonic() >= child.due:
            environment = {**os.environ, PIPE: str(pipe)}
            child.process = subprocess.Popen(child.command, env=environment, pass_fds=(pipe,))  # noqa: S603  # our own program
            child.started = time.monotonic()

    def _stop(self) -> None:
        alive = [child.process for child in self._children if child.process and child.process.poll() is None]
        for process in alive:
            process.terminate()
        end = time.monotonic() + GRACE_SECONDS
        for process in alive:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
