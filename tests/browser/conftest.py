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
from playwright.sync_api import Page, expect

from app.core.settings import Settings
from app.db import Database
from app.main import create_app
from app.services import accounts, demo
from app.worker import WorkerProcess
from tests import databases

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE_MS = 20_000  # for a busy machine; what is measured is measured in the page
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
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
def site(tmp_path: Path) -> Iterator[Site]:
    """The application on SQLite in threads of this process."""
    settings = Settings(data=tmp_path / "data", _env_file=None)
    settings.data.mkdir(mode=0o700)
    shutil.copy(databases.sqlite_template(), settings.data / "labelwise.db")
    db = Database(settings.url)
    server = uvicorn.Server(uvicorn.Config(create_app(settings, db), host="127.0.0.1", port=0, log_level="warning"))
    worker = WorkerProcess(settings, db)
    threads = [threading.Thread(target=server.run), threading.Thread(target=worker.run)]
    for thread in threads:
        thread.start()
    while not server.started:
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Site(f"http://127.0.0.1:{port}", db, settings)
    server.should_exit = True
    worker.stop()
    for thread in threads:
        thread.join(timeout=20)
    db.dispose()


@dataclass
class Visit:
    """Somebody's browser on the site: the page, and what its console complained about."""

    page: Page
    site: Site
    complaints: list[str]

    def open(self, path: str) -> Page:
        """Go to a path of the site."""
        self.page.goto(f"{self.site.url}{path}")
        return self.page

    def findings(self) -> list[str]:
        """What axe finds on the page as it is now."""
        self.page.evaluate(AXE.read_text() + "; 0")
        found: list[str] = self.page.evaluate(
            "axe.run().then(({violations}) => violations.map("
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
    assert complaints == []


@pytest.fixture
def demo_visit(visit: Visit) -> Visit:
    """The visitor of the demo, signed in by the printed link, with the first order made."""
    project_id, user_id = demo.ensure_demo(visit.site.db, visit.site.settings)
    visit.page.goto(visit.site.link(user_id, project_id))
    return visit


@pytest.fixture
def manager(visit: Visit) -> Visit:
    """An admin without a project."""
    with visit.site.db.write() as session:
        user_id = accounts.create_user(session, "Ada", "correct horse battery", admin=True).id
    visit.page.goto(visit.site.link(user_id))
    return visit
