"""Serving: everything is prepared here, said on the screen, and handed to the parent process that watches it."""

import argparse
import contextlib
import errno
import os
import socket
import sys

from sqlalchemy.exc import SQLAlchemyError

from app.cli.child import PIPE
from app.cli.family import Child, Family
from app.core import memory
from app.core.secrets import key_of
from app.core.settings import Settings
from app.db import Database
from app.db.migrate import bring_up
from app.services import accounts, buckets, engines, high_water, jobs, recounting
from app.services import demo as demo_project
from app.worker import run_worker

PORTS_TRIED = 50
BACKLOG = 2048
ANYWHERE = ("0.0.0.0", "::")  # noqa: S104  # compared, not bound
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(settings: Settings, given: argparse.Namespace) -> int:
    """Start everything and watch it until a signal."""
    prepare(settings)
    with contextlib.closing(listen(settings.host, settings.port)) as listening:
        db = Database(settings.url)
        with db.write() as session:
            code = accounts.setup_link(session)
        db.dispose()
        if code is not None:
            print(f"\nMake the first account here, once:\n\n    {address(settings, listening)}/setup/{code}\n")
        return _run(settings, listening)


def demo(settings: Settings, given: argparse.Namespace) -> int:
    """Make the demo project where it is missing, print a link that signs in, and serve."""
    prepare(settings)
    with contextlib.closing(listen(settings.host, settings.port)) as listening:
        db = Database(settings.url)
        project_id, user_id = demo_project.ensure_demo(db, settings)
        with db.write() as session:
            code = accounts.sign_in_link(session, user_id, project_id)
        db.dispose()
        link = f"{address(settings, listening)}/enter/{code}"
        print(f"\nThe demo is ready. Open this link, it works once:\n\n    {link}\n")
        return _run(settings, listening)


def worker(settings: Settings, given: argparse.Namespace) -> int:
    """Run a worker in this process."""
    prepare(settings)
    pipe = os.environ.pop(PIPE, None)
    if pipe is None:
        print("The worker looks for work. Ctrl+C ends it.", flush=True)
    run_worker(settings, parent_pipe=int(pipe) if pipe else None)
    return 0


def prepare(settings: Settings) -> None:
    """Make the data folder, private to this user, and migrate SQLite.

    Raises:
        RuntimeError: PostgreSQL is behind, the database is newer or went back, or a library is missing.
        ValueError: the secret key is weak.
    """
    os.umask(0o077)
    if settings.secret_key is not None:
        key_of(settings)
    buckets.check_installed(settings)
    if settings.worker:
        engines.check_installed(settings)
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    bring_up(settings.url)
    db = Database(settings.url)
    try:
        high_water.check(db, settings)
    finally:
        db.dispose()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on the port, or on the next free one after it, which is said."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for wanted in range(port, min(port + PORTS_TRIED, 65_536)):
        made = socket.socket(family)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, wanted))
            made.listen(BACKLOG)
        except OSError as error:
            made.close()
            if error.errno != errno.EADDRINUSE:
                raise RuntimeError(f"cannot listen on {host} port {wanted}: {error.strerror}") from None
            continue
        if wanted != port:
            print(f"Port {port} is in use; taking {wanted}.", flush=True)
        return made
    raise RuntimeError(f"no free port from {port} on: name another with --port")


def address(settings: Settings, listening: socket.socket) -> str:
    """Where a browser on this machine finds the service."""
    host = "127.0.0.1" if settings.host in ANYWHERE else settings.host
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"


def _run(settings: Settings, listening: socket.socket) -> int:
    if settings.host not in LOOPBACK and not settings.insecure_http:
        print(
            "Other machines reach this address, but nobody can sign in over plain http: put an https proxy in front "
            "(docs/deployment.md), or allow it with --insecure-http on a network that you trust.",
            file=sys.stderr,
        )
    # -P: a folder named app where the program was started from is none of ours.
    start = f"from app.cli.child import main; main({listening.fileno()})"
    web = [sys.executable, "-P", "-c", start]
    children = [Child("web", web, environment=memory.FEW_HEAPS) for _ in range(settings.web_processes)]
    if settings.worker:
        background = [sys.executable, "-P", "-m", "labelwise", "worker"]
        children.append(Child("worker", background, lambda pid: _free_jobs(settings, pid), memory.FEW_HEAPS))
    for finding in _unsafe(settings):
        print(f"{finding.what}: {finding.detail}. {finding.advice}.", file=sys.stderr)
    print(f"Labelwise listens on {address(settings, listening)} (Ctrl+C ends it)", flush=True)
    return Family(listening, children).run()


def _unsafe(settings: Settings) -> list[recounting.Finding]:
    """What PostgreSQL's own settings risk; SQLite is told by each of our connections."""
    if settings.url.startswith("sqlite"):
        return []
    db = Database(settings.url)
    try:
        return [each for each in recounting.integrity(db) if not each.good]
    finally:
        db.dispose()


def _free_jobs(settings: Settings, pid: int) -> None:
    """Let the next worker have a dead one's jobs at once; without it they wait for the end of their leases."""
    db = Database(settings.url)
    try:
        with db.write() as session:
            jobs.bury_worker(session, socket.gethostname(), pid)
    except SQLAlchemyError as error:
        print(f"A dead worker's jobs wait for the end of their leases: {error}", file=sys.stderr)
    finally:
        db.dispose()
