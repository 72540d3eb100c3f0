"""d.B, first part: every route with every role, against a table that is kept by hand."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.core.settings import Settings
from app.main import create_app
from tests.api.test_access import addresses
from tests.attacks import world
from tests.attacks.matrix import COLUMNS, PAGES, QUERIES, TABLE, bodies
from tests.attacks.site import Site
from tests.attacks.voices import OUTSIDE_THE_API, Voice
from tests.attacks.world import World

case = pytest.mark.case


def lines(table: str = TABLE) -> dict[str, tuple[list[str], bool]]:
    """The expected statuses by route, and whether it uses up what it works on."""
    found = {}
    for line in table.strip().splitlines():
        method, path, *rest = line.split()
        found[f"{method} {path}"] = (rest[: len(COLUMNS)], rest[-1] == "spent")
    return found


def described(site: Site) -> list[str]:
    """Every route of the OpenAPI description, without the prefix of the API."""
    paths = site.A.get("/openapi.json").json()["paths"]
    return [f"{method.upper()} {path.removeprefix('/api/v1')}" for path, item in paths.items() for method in item]


@case("B-01")
def test_b01_every_route_has_a_line_in_the_table(site: Site) -> None:
    assert sorted(described(site)) == sorted(lines())


def walked(folder: Path) -> list[str]:
    """Every page of the program: what it answers beside the interface."""
    app = create_app(Settings(data=folder, _env_file=None))
    outside = {"/healthz", "/readyz", "/metrics"}
    found = {each for each in addresses(app) if not each[1].startswith("/api/") and each[1] not in outside}
    return sorted(f"{method} {path}" for method, path in found if method != "HEAD")


@case("B-01")
def test_b01_every_page_has_a_line_too(tmp_path: Path) -> None:
    assert walked(tmp_path) == sorted(lines(PAGES))


@case("B-01", "B-04")
def test_b01_every_role_gets_what_the_table_says(site: Site) -> None:
    _hold_against(site, TABLE, described(site))


@case("B-01", "B-04")
def test_b01_every_role_sees_the_pages_that_the_table_says(site: Site) -> None:
    _hold_against(site, PAGES, list(lines(PAGES)))


def _hold_against(site: Site, table: str, routes: list[str]) -> None:
    """Ask every route as every role, and compare; the whole table as seen is told where it is another one."""
    reader = site.M.token("read")
    voices = [site.nobody, site.U1, site.R, site.X, reader, site.M, site.A]
    here = world.make(site)
    wrong, seen = [], []
    for route in routes:
        expected, spent = lines(table).get(route, (["none"] * len(COLUMNS), "DELETE" in route))
        got = []
        for column, voice in zip(COLUMNS, voices, strict=True):
            if column == "A" and spent:
                here = world.make(site)
            got.append(_status(here, voice, route, "" if table == PAGES else "/api/v1"))
        if spent:
            here = world.make(site)
        seen.append(f"{route} {' '.join(got)}{' spent' if spent else ''}")
        if any(status not in wanted.split("|") for status, wanted in zip(got, expected, strict=True)):
            wrong.append(f"{route}: {got}, not {expected}")

    assert wrong == [], "\n".join([*wrong, "the whole table as seen:", *seen])


def _status(here: World, voice: Voice, route: str, before: str) -> str:
    method, path = route.split(" ")
    body: Any = bodies(here.ids).get(route)
    asked = here.path(path) + QUERIES.get(route, "")
    headers = {"If-Match": '"1"'} if method in ("PUT", "PATCH", "DELETE") else {}
    if not before and method == "GET":
        headers["Accept"] = "text/html"
    options = {"json": body} if body is not None else {}
    if path == "/projects/{project}/media":
        options = {"files": {"files": ("dot.png", world.png())}}
    busy = path in ("/readyz", "/scorer/test", "/projects/{project}/scorer/test")
    speak = partial(voice.ask, method, asked if path.startswith(OUTSIDE_THE_API) else before + asked)
    return str(speak(headers=headers, may_be_busy=busy, patient=busy, **options).status_code)
