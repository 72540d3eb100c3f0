"""The real application with a worker, and a real browser that looks at it."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Page, expect
from sqlalchemy import update

from app.core.secrets import secret_key
from app.core.settings import Settings
from app.db import Database, Worker
from app.main import create_app
from app.services import accounts
from app.worker import WorkerProcess
from tests import databases
from tests.conftest import Demo, empty_folder

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
SETTLED_SECONDS = 5.0
PATIENCE_MS = 20_000  # for a busy machine; what is measured is measured in the page
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-prefers-reduced-motion",  # pages come to rest at once
]

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    known = (os.environ.get("CHROMIUM"), "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    path = next((path for each in known if each and (path := shutil.which(each))), None)
    return {**browser_type_launch_args, "executable_path": path, "args": FLAGS}


@dataclass
class Site:
    """A running server with its worker."""

    url: str
    db: Database
    settings: Settings

    def link(self, user_id: int, project_id: int | None = None) -> str:
        """A link that signs a person in."""
        with self.db.write() as session:
            return f"{self.url}/enter/{accounts.sign_in_link(session, user_id, project_id)}"


@pytest.fixture
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The data folder of a test: with the demo in it where the test visits the demo."""
    folder = tmp_path / "data"
    if "demo_visit" in request.fixturenames:
        request.getfixturevalue("prepared_demo").copy_to(folder)
    else:
        empty_folder(folder)
    return folder


@dataclass
class Server:
    """The application behind a port; which data it serves is each test's own."""

    app: FastAPI
    run: uvicorn.Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.run.servers[0].sockets[0].getsockname()[1]}"

    def serve(self, settings: Settings, db: Database) -> None:
        """Serve this data from now on."""
        state = self.app.state
        state.settings, state.db, state.secret_key = settings, db, secret_key(None, settings.data)

    def settle(self) -> None:
        """Wait until no request is being answered."""
        until = time.monotonic() + SETTLED_SECONDS
        while self.run.server_state.tasks and time.monotonic() < until:
            time.sleep(0.01)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Made once: putting its routes together takes longer than many a test."""
    data = tmp_path_factory.mktemp("server") / "data"
    empty_folder(data)
    settings = Settings(data=data, _env_file=None)
    db = Database(settings.url)
    app = create_app(settings, db)
    run = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=run.run)
    thread.start()
    while not run.started:
        time.sleep(0.005)
    yield Server(app, run)
    run.should_exit = True
    thread.join(timeout=20)
    db.dispose()


@pytest.fixture
def site(data: Path, server: Server) -> Iterator[Site]:
    """The application on a database of its own, with a worker in a thread of this process."""
    settings = Settings(data=data, _env_file=None)
    db = Database(settings.url)
    databases.share_statements(db)
    server.serve(settings, db)
    worker = WorkerProcess(settings, db)
    thread = threading.Thread(target=worker.run)
    thread.start()
    yield Site(server.url, db, settings)
    worker.stop()
    with db.write() as session:  # an idle worker looks up when something is written, else once a second
        session.execute(update(Worker).values(host="stopping"))
    thread.join(timeout=20)
    server.settle()  # pages that waited for a change have heard that the worker went
    db.dispose()


@dataclass
class Visit:
    """Somebody's browser on the site: the page, and what its console complained about."""

    page: Page
    site: Site
    complaints: list[str]

    def sign_in(self, user_id: int) -> None:
        """Use a sign-in link without looking at the page that it leads to."""
        answer = self.page.context.request.get(self.site.link(user_id), max_redirects=0)
        assert answer.status == 303

    def open(self, path: str) -> Page:
        """Go to a path of the site."""
        self.page.goto(f"{self.site.url}{path}")
        return self.page

    def findings(self) -> list[str]:
        """What axe finds on the page as it is now."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text() + "; 0")
        found: list[str] = self.page.evaluate(
            "axe.run({resultTypes: ['violations'], preload: false}).then(({violations}) => violations.map("
            "each => each.id + ': ' + each.nodes.map(node => node.html.slice(0, 120)).join(' | ')))"
        )
        return found

    def overflows(self) -> bool:
        """Whether the page is wider than the window."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


@pytest.fixture
def visit(page: Page, site: Site) -> Iterator[Visit]:
    """A browser whose console stays quiet to the end of the test."""
    complaints: list[str] = []
    page.set_default_timeout(PATIENCE_MS)
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield Visit(page, site, complaints)
    for each in page.context.pages:
        each.close()
    assert complaints == []


@pytest.fixture
def demo_visit(visit: Visit, prepared_demo: Demo) -> Visit:
    """The visitor of the demo, signed in, with the first order made."""
    visit.sign_in(prepared_demo.user_id)
    return visit


@pytest.fixture
def manager(visit: Visit) -> Visit:
    """An admin without a project."""
    with visit.site.db.write() as session:
        user_id = accounts.create_user(session, "Ada", "correct horse battery", admin=True).id
    visit.sign_in(user_id)
    return visit
