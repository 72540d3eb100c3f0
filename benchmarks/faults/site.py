"""A service to be hurt: a data folder, a database, a project with people, and its processes.

The processes are the product's own, forked from one that has imported it, so that a start takes a tenth of a second;
`How` says what is done to one before it runs.
"""

import contextlib
import os
import resource
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from pydantic import SecretStr
from sqlalchemy import select

from app.core import clock
from app.core.settings import Settings
from app.db import Database, Serving
from app.db.migrate import migrate
from app.main import create_app
from app.services import accounts
from app.worker import WorkerProcess, run_worker
from benchmarks.faults import guards
from tests import forks

CLASSES = ("cat", "dog")
PASSWORD = "correct horse battery"
READY_SECONDS = 180.0


@dataclass(frozen=True)
class How:
    """What is done to a process before it runs the product."""

    without: str = ""  # the guard that is taken away, see guards.py
    memory_bytes: int = 0  # how much more than it has it may take; its rounds need twice as much
    unlimited: bool = False  # they need it and may take it
    job_lease_seconds: float = 15
    lease_seconds: int = 900
    shift_file: str = ""  # a file with the seconds by which the system's clock is wrong


@dataclass
class Person:
    """Somebody who may sign in."""

    name: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class Site:
    """The service: where its data are, which port it has, who works there."""

    data: Path
    url: str
    port: int
    db: Database
    boss: Person
    people: list[Person]
    project: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> Settings:
        return Settings(data=self.data, database_url=SecretStr(self.url), _env_file=None)

    def client(self, person: Person | None = None) -> httpx.Client:
        """A client of a person, the boss unless named."""
        headers = (person or self.boss).headers
        return httpx.Client(base_url=f"{self.address}/api/v1", headers=headers, timeout=60)

    def server(self, how: How | None = None, port: int | None = None) -> ForkServerProcess:
        """A server process; `serving` waits for it."""
        process, _ = forks.started(_serve, str(self.data), self.url, port or self.port, how or How())
        return process

    def worker(self, how: How | None = None) -> ForkServerProcess:
        """A worker process."""
        process, _ = forks.started(_work, str(self.data), self.url, how or How())
        return process

    def serving(self, port: int | None = None) -> float:
        """Wait until the server answers; how many seconds that took."""
        begun = time.monotonic()
        while time.monotonic() - begun < READY_SECONDS:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port or self.port}/healthz", timeout=5).raise_for_status()
                return time.monotonic() - begun
            time.sleep(0.01)
        raise RuntimeError("the server did not start")

    def set_up(self, items: int, overlap: int = 1, **more: Any) -> None:
        """The project with texts to label and all people as its members; asks the running server."""
        task = {"type": "classification", "classes": list(CLASSES)}
        body = {"name": "Bad days", "modality": "text", "task": task, "overlap": overlap, "seed": 7, **more}
        with self.client() as client:
            self.project = client.post("/projects", json=body).raise_for_status().json()["id"]
            for person in self.people:
                member = {"user": person.name, "role": "annotator"}
                client.post(f"/projects/{self.project}/members", json=member).raise_for_status()
            for start in range(0, items, 2_000):
                rows = texts(start, min(start + 2_000, items))
                client.post(f"/projects/{self.project}/items", json=rows).raise_for_status()
        self._wait_for_an_order()

    def _wait_for_an_order(self) -> None:
        """Until the worker has published the first order: people are told to wait before."""
        until = time.monotonic() + READY_SECONDS
        served = select(Serving.round_id).where(Serving.project_id == self.project)
        while time.monotonic() < until:
            with self.db.read() as session:
                if session.execute(served).scalar_one_or_none() is not None:
                    return
            time.sleep(0.05)
        raise RuntimeError("no order was published: does the worker run?")


def texts(start: int, end: int) -> list[dict[str, str]]:
    """Texts about cats and dogs; the key begins with what each is about."""
    rows = []
    for number in range(start, end):
        kind = CLASSES[number * 7919 % 2]
        words = [f"{kind}{number * step % 37}" for step in (3, 5, 11)] + [
            f"w{number * step % 211}" for step in (13, 17)
        ]
        rows.append({"key": f"{kind}-{number}", "text": " ".join(words)})
    return rows


@contextmanager
def site(database: str = "sqlite", people: int = 20, server_options: str = "") -> Iterator[Site]:
    """A fresh service without processes; `server_options` are PostgreSQL's. Everything is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="labelwise-faults-") as folder:
        data = Path(folder) / "data"
        data.mkdir(mode=0o700)
        url = f"sqlite:///{data / 'labelwise.db'}" if database == "sqlite" else _postgresql(server_options)
        migrate(url)
        db = Database(url)
        try:
            boss, *others = _accounts(db, ["boss", *(f"person {number}" for number in range(people))])
            yield Site(data, url, free_port(), db, boss, others)
        finally:
            db.dispose()


def end(*processes: ForkServerProcess | None, how: int = signal.SIGKILL) -> None:
    """End processes of ours; a stopped one too."""
    for process in processes:
        if process is not None and process.pid is not None and process.is_alive():
            os.kill(process.pid, how)
            if how == signal.SIGKILL:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGCONT)
    for process in processes:
        if process is not None:
            process.join(30)


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _accounts(db: Database, names: list[str]) -> list[Person]:
    found = []
    with db.write() as session:
        for name in names:
            user = accounts.create_user(session, name, PASSWORD, admin=name == "boss")
            found.append(Person(name, accounts.create_token(session, user.id, "faults", accounts.SCOPES)[1]))
    return found


def _postgresql(options: str) -> str:
    from tests import databases

    databases.SERVER_OPTIONS = f"-c max_connections=80 {options}"  # synced, unless a harness says otherwise
    databases._server.cache_clear()
    return databases.another_postgres_url("faults")


def _settings(data: str, url: str, how: How) -> Settings:
    return Settings(
        data=Path(data),
        database_url=SecretStr(url),
        job_lease_seconds=how.job_lease_seconds,
        lease_seconds=how.lease_seconds,
        _env_file=None,
    )


def to_log(data: str) -> None:
    """Let this process say what it has to say in a file beside its data folder."""
    log = os.open(Path(data).parent / "log", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    os.dup2(log, 2)


def _prepare(data: str, how: How) -> None:
    to_log(data)
    if how.shift_file:
        guards.put(clock, "datetime", guards.shifted(Path(how.shift_file)))
    guards.remove(how.without)
    if how.memory_bytes:
        guards.hungry(2 * how.memory_bytes)
    if how.memory_bytes and not how.unlimited:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + how.memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _serve(data: str, url: str, port: int, how: How, _told: Connection) -> None:
    _prepare(data, how)
    uvicorn.run(create_app(_settings(data, url, how)), port=port, log_level="critical")


def _work(data: str, url: str, how: How, _told: Connection) -> None:
    _prepare(data, how)
    run_worker(_settings(data, url, how))


def run_due(at: Site) -> None:
    """Run what is due, here."""
    WorkerProcess(at.settings, at.db).run_waiting()
