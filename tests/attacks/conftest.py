"""One service for each database and test run, and rule zero around every test."""

from collections.abc import Iterator

import pytest

from tests import databases
from tests.attacks.rules import GROWTH_BYTES, all_is_well
from tests.attacks.running import running
from tests.attacks.site import Canary, Site, canary
from tests.attacks.trap import Trap, png
from tests.attacks.trap import trap as setting

BEFORE: dict[tuple[str, str], int] = {}  # bytes in memory when a file of attacks began, by file and database
KINDS = [pytest.param(kind, marks=pytest.mark.xdist_group(kind)) for kind in ("sqlite", "postgresql")]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "case(*ids): the cases of the attack list that a test stands for")


@pytest.fixture(scope="session")
def trap() -> Iterator[Trap]:
    """Somebody else's server that means no good; the service may call it, and it alone of this machine."""
    with setting() as made:
        yield made


@pytest.fixture(scope="session", params=KINDS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, trap: Trap) -> Iterator[Site]:
    """The service under attack, set up and warm."""
    data = tmp_path_factory.mktemp(request.param) / "data"
    url = None if request.param == "sqlite" else databases.another_postgres_url("attacks")
    share = data.parent / "share"
    share.mkdir()
    settings = {
        "LABELWISE_ALLOW_FETCH_FROM": f"127.0.0.1:{trap.port}",
        "LABELWISE_BUCKETS": f"share=file://{share}",
        "LABELWISE_IMPORT_BODY_BYTES": "60000000",
    }
    with canary() as watching, running(data, url, **settings, **proxies(watching)) as service:
        made = Site(service, data, url or f"sqlite:///{data / 'labelwise.db'}", watching)
        warm_up(made)
        all_is_well(made)
        yield made
        restless = made.never_rests()
        made.close()
        assert not restless


def proxies(canary: Canary) -> dict[str, str]:
    """What names the canary as the proxy of everything: a service that believed it would be seen there (D-18)."""
    names = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "socks_proxy")
    return {each: canary.url for name in names for each in (name, name.upper())} | {"no_proxy": "none.example"}


def warm_up(site: Site) -> None:
    """Have what is imported when it is first needed imported, so that no file of attacks is charged with it."""
    project = site.new_project(site.M, 0, modality="image")
    sent = [("files", ("a.png", png()))]
    [kept] = site.M.post(f"/projects/{project}/media", files=sent, patient=True).json()["media"]
    site.M.get(f"/media/{kept['id']}/thumbnail", patient=True)
    for kind in ("parquet", "csv"):
        site.M.get(f"/projects/{site.P1}/export", params={"view": "items", "format": kind}, patient=True)
    site.M.delete(f"/projects/{project}")
    browser = site.M.browser()
    for page in ("annotate", "overview", "items", "people", "simulate", "export", "settings", "import"):
        browser.ask("GET", f"/projects/{site.P1}/{page}", patient=True)
    for part in ("overview", "status", "queue", "wall", "members", "simulations", "rounds"):
        site.M.get(f"/projects/{site.P1}/{part}", patient=True)


@pytest.fixture(scope="session")
def aimed(site: Site) -> Site:
    """The service with what files, addresses and imports are aimed at."""
    site.share = site.data.parent / "share"
    site.pictures = site.new_project(site.M, 0, name="Pictures", modality="image")
    site.heap = site.new_project(site.M, 0, name="Heap")
    body = {"url": "https://example.com/hook", "events": ["goal.reached"]}
    site.hook = site.M.post(f"/projects/{site.P1}/webhooks", json=body).json()["id"]
    return site


@pytest.fixture(autouse=True)
def rule_zero_after(request: pytest.FixtureRequest) -> Iterator[None]:
    """The service is as well after a test as it was before, and no file of attacks lets it grow by more than 64 MB."""
    if "site" not in request.fixturenames:
        yield
        return
    attacked: Site = request.getfixturevalue("site")
    before = BEFORE.setdefault((request.module.__name__, attacked.url), attacked.running.memory())
    yield
    all_is_well(attacked)
    grown = attacked.running.memory() - before
    assert grown < GROWTH_BYTES, f"the service holds {grown / 2**20:.0f} MB more than before this file"
