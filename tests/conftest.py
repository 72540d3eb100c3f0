"""Fixtures of all tests: databases, settings, people, projects."""

import gc
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import httpx
import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from sqlalchemy import text, update

from app.core.secrets import secret_key
from app.core.settings import Settings
from app.db import Database, Job
from app.db.session import now
from app.main import create_app
from app.services import accounts, demo, recounting
from app.worker import WorkerProcess
from tests import contract, databases

os.environ.setdefault("OMP_NUM_THREADS", "1")
DATABASES = ("sqlite", "postgresql")
WIDTHS = (1280, 390)  # of windows
PASSWORD = "correct horse battery"
HASHER = accounts.HASHER
accounts.HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # every test makes people


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--share", choices=("all", "day", "night"), default="all", help="which tests: see `_by_day`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Split the tests into those of every change and those that `make night` adds."""
    if (share := config.getoption("--share")) == "all":
        return
    left_out = [item for item in items if _by_day(item) != (share == "day")]
    items[:] = [item for item in items if _by_day(item) == (share == "day")]
    config.hook.pytest_deselected(items=left_out)


def _by_day(item: pytest.Item) -> bool:
    """By day a test runs on one database and in one window, which ones by its name; `both` on both, `night` on none."""
    if item.get_closest_marker("night"):
        return False
    given = item.callspec.params.values() if hasattr(item, "callspec") else ()
    named = crc32(item.nodeid.split("[")[0].rpartition("/")[2].encode()) % 2
    others = (DATABASES[1 - named], WIDTHS[1 - named])
    return bool(item.get_closest_marker("both")) or not any(each in others for each in given)


def pytest_collection_finish() -> None:
    """Spare the collector of garbage what was loaded, and let it walk less often: a fifteenth of the tests' time."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


@pytest.fixture(autouse=True)
def same_settings() -> Iterator[None]:
    """A command that is called in this process leaves its settings for its children; the next test is none of them."""
    before = {name: value for name, value in os.environ.items() if name.startswith("LABELWISE_")}
    yield
    for name in [name for name in os.environ if name.startswith("LABELWISE_") and name not in before]:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", _env_file=None)


@pytest.fixture(params=DATABASES)
def db(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Database]:
    """A migrated, empty database of each kind."""
    settings.data.mkdir(parents=True, exist_ok=True)
    if request.param == "sqlite":
        shutil.copy(databases.sqlite_template(), settings.data / "labelwise.db")
        url = f"sqlite:///{settings.data / 'labelwise.db'}"
    else:
        url = databases.postgres_url()
        databases.empty(url)
    database = Database(url)
    databases.share_statements(database)
    yield database
    database.dispose()


@dataclass
class Api:
    """The application of a test, and ways to speak to it as somebody."""

    client: TestClient
    db: Database
    settings: Settings

    def user(self, name: str, *, admin: bool = False) -> int:
        """Make an account."""
        with self.db.write() as session:
            return accounts.create_user(session, name, PASSWORD, admin=admin).id

    def as_(self, name: str, scopes: tuple[str, ...] = accounts.SCOPES) -> "Speaker":
        """Speak with a token of that person; the account is made when it is new (`boss` is an admin)."""
        with self.db.write() as session:
            found = session.query(accounts.User).filter_by(name=name).one_or_none()
            user = found or accounts.create_user(session, name, PASSWORD, admin=name == "boss")
            _, secret = accounts.create_token(session, user.id, "test", scopes)
        return Speaker(self.client, {"Authorization": f"Bearer {secret}"})

    def run_jobs(self) -> None:
        """Run what waits, also what is due only after a pause: it is due now, for nobody learns by waiting for it."""
        end = time.monotonic() + 60
        while True:
            self.worker().run_waiting()
            with self.db.write() as session:
                if not session.execute(update(Job).where(Job.state == "waiting").values(due_at=now(session))).rowcount:
                    return
            assert time.monotonic() < end, "jobs wait for more than a minute"

    def run_jobs_until(self, done: Callable[[], bool]) -> None:
        """Run what is due, again and again, until it is done; for what another job waits behind."""
        end = time.monotonic() + 60
        while not done():
            self.worker().run_waiting()
            assert time.monotonic() < end, "it was not done within a minute"
            time.sleep(0.02)

    def worker(self) -> WorkerProcess:
        """A worker that runs what waits when it is told to."""
        return WorkerProcess(self.settings, self.db)


@dataclass
class Speaker:
    """Somebody who speaks to the API."""

    client: TestClient
    headers: dict[str, str]

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(path: str, **options: Any) -> Any:
            headers = self.headers | options.pop("headers", {})
            where = path if path.startswith(("/healthz", "/readyz")) else f"/api/v1{path}"
            answer = self.client.request(method.upper(), where, headers=headers, **options)
            contract.check(method, httpx.URL(where).path, answer)
            return answer

        return call

    def project(self, classes: list[str] | None = None, **given: Any) -> dict[str, Any]:
        """Make a project of texts; the manager is this person."""
        task = {"type": "classification", "classes": classes or ["cat", "dog"], **given.pop("task", {})}
        body = {"name": "Pets", "modality": "text", "task": task, "seed": 7, **given}
        answer = self.post("/projects", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def push(self, project: int, rows: list[dict[str, Any]], **query: Any) -> dict[str, Any]:
        """Push items as a JSON array."""
        answer = self.post(f"/projects/{project}/items", json=rows, params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The application, made once: putting its routes together takes longer than most tests."""
    settings = Settings(data=tmp_path_factory.mktemp("client") / "data", _env_file=None)
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def api(client: TestClient, db: Database, settings: Settings) -> Iterator[Api]:
    """The application on each kind of database; whatever a test did, the items are counted right in the end."""
    yield serving(client, db, settings)
    with db.read() as session:
        assert list(session.execute(text(recounting.COUNTED.broken)).scalars()) == []


def serving(client: TestClient, db: Database, settings: Settings) -> Api:
    """The application on this data from now on."""
    state = client.app.state
    state.settings, state.db, state.secret_key = settings, db, secret_key(None, settings.data)
    state.requests.clear()
    client.cookies.clear()
    return Api(client, db, settings)


@dataclass
class Demo:
    """The demo's data with its first order made, and whose it is."""

    data: Path
    project_id: int
    user_id: int

    def copy_to(self, data: Path) -> None:
        """A copy to write in; files that are never changed under their name are only linked."""

        def copy(source: str, target: str) -> None:
            (shutil.copy2 if Path(source).name.startswith("labelwise.db") else os.link)(source, target)

        shutil.copytree(self.data, data, copy_function=copy)


@pytest.fixture(scope="session")
def prepared_demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Made once: drawing 1,797 pictures and reading their features takes seconds."""
    data = tmp_path_factory.mktemp("demo") / "data"
    empty_folder(data)
    settings = Settings(data=data, _env_file=None)
    db = Database(settings.url)
    project_id, user_id = demo.ensure_demo(db, settings)
    WorkerProcess(settings, db).run_waiting()
    db.dispose()
    return Demo(data, project_id, user_id)


def empty_folder(data: Path) -> None:
    """A data folder with an empty database."""
    data.mkdir(mode=0o700)
    shutil.copy(databases.sqlite_template(), data / "labelwise.db")
