"""The service as processes of its own: started, waited for, spoken to, ended."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.core.settings import Settings
from app.db import Database
from app.services import accounts

ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running(*commands: list[str], db: Database, settings: Settings) -> Iterator[None]:
    """Processes on one database, ended with SIGTERM."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LABELWISE_DATA": str(settings.data)}
    environment["LABELWISE_DATABASE_URL"] = db.url.render_as_string(hide_password=False)
    processes = [subprocess.Popen([sys.executable, *each], env=environment, cwd=ROOT) for each in commands]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


def wait_for(address: str) -> None:
    for _ in range(300):
        try:
            httpx.get(f"{address}/healthz").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server did not start")


def token_of(db: Database, name: str, *, admin: bool = False) -> dict[str, str]:
    with db.write() as session:
        user = accounts.create_user(session, name, "correct horse battery", admin=admin)
        return {"Authorization": f"Bearer {accounts.create_token(session, user.id, 'test', accounts.SCOPES)[1]}"}
