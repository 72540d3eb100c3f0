"""The description of the REST interface: whole, and shown as a page. That it is true, every test of the API checks."""

import pytest

from app.api.openapi import operations
from tests import contract
from tests.api.test_access import PUBLIC
from tests.conftest import PASSWORD, Api

ERROR = {"$ref": "#/components/schemas/Error"}


def test_every_route_says_in_a_sentence_what_it_does_and_how_it_refuses() -> None:
    found = [each for each in operations(contract.description()) if each[1].startswith("/api/v1/")]

    assert len(found) > 50
    for method, path, operation in found:
        where = (method, path)
        assert operation["summary"][:1].isupper(), where
        assert 10 < len(operation["summary"]) < 130, where
        refusals = {status: each for status, each in operation["responses"].items() if status >= "400"}
        assert {"401", "403", "422", "503"} <= refusals.keys(), where
        assert ("404" in refusals) or "{" not in path, where
        for status, refusal in refusals.items():
            schema = refusal.get("content", {}).get("application/json", {}).get("schema")
            assert schema == ERROR or "media" in path, (*where, status)
        assert (operation["security"] == []) == ((method.upper(), path) in PUBLIC), where


def test_every_reference_leads_somewhere() -> None:
    description = contract.description()
    names = description["components"]["schemas"]

    references = [each for each in _texts(description) if each.startswith("#/components/schemas/")]

    assert len(references) > 100
    assert {each.rsplit("/", 1)[-1] for each in references} <= names.keys()
    assert "HTTPValidationError" not in names


@pytest.mark.parametrize("path", ["/docs", "/api/v1/openapi.json"])
def test_the_reference_is_for_those_who_are_signed_in_unless_a_setting_opens_it(api: Api, path: str) -> None:
    closed = api.client.get(path, headers={"Accept": "text/html"}, follow_redirects=False)
    api.user("ann")
    api.client.post("/api/v1/session", json={"name": "ann", "password": PASSWORD})
    shown = api.client.get(path)
    api.client.cookies.clear()
    api.client.app.state.settings = api.settings.model_copy(update={"open_docs": True})
    opened = api.client.get(path)

    assert closed.status_code == (303 if path == "/docs" else 401)
    assert shown.status_code == opened.status_code == 200
    for _, route, operation in operations(contract.description()):
        assert route in shown.text
        first = operation["summary"].split("`")[0].split("'")[0]
        assert path != "/docs" or first in shown.text, route


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in _texts(each)]
