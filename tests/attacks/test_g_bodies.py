"""d.G, first part: what stands in bodies. Every field of every route, as the OpenAPI description names them."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.attacks import world
from tests.attacks.matrix import bodies
from tests.attacks.site import Site
from tests.attacks.world import World

case = pytest.mark.case

REFUSED = (400, 404, 409, 413, 415, 422, 429)
STREAMED = ("/items", "/annotations", "/predictions")  # rows that are wrong are named in the answer
INTEGERS = ["2147483648", "9223372036854775808", "18446744073709551616", "-1", "1" + "0" * 400, "9" * 5_000, "1.5"]
NOT_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "01", "+1", "0x10", "1_0", "\u0661"]
NOT_TEXT = ['"\\ud800"', '"\\udc00\\ud800"', '"a\\u0000b"', '"\\u0000"']
PASSWORD = "a password that nobody may see"


@pytest.fixture(scope="module")
def here(site: Site) -> World:
    return world.make(site)


def json_routes(site: Site) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and properties of each route with a JSON object for a body."""
    description = site.A.get("/openapi.json").json()
    for path, item in description["paths"].items():
        for method, operation in item.items():
            content = operation.get("requestBody", {}).get("content", {})
            reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
            if reference:
                schema = description["components"]["schemas"][reference.rsplit("/", 1)[-1]]
                yield method.upper(), path.removeprefix("/api/v1"), schema["properties"]


def kinds(schema: dict[str, Any]) -> set[str]:
    """The JSON types that a field may have."""
    some = schema.get("anyOf", [schema])
    return {each.get("type", "object") for each in some}


def send(here: World, method: str, path: str, body: str) -> httpx.Response:
    """The answer to a body as it is, sent by the admin, who may do everything."""
    headers = {"Content-Type": "application/json", "If-Match": _version(here, method, path)}
    voice = here.site.nobody if path == "/session/password" else here.site.A
    voice = here.site.U1 if "lease" in path or path == "/annotations" else voice
    return voice.ask(method, f"/api/v1{here.path(path)}", content=body.encode(), headers=headers)


def _version(here: World, method: str, path: str) -> str:
    """The version of what is to be changed."""
    if method == "PATCH" and path in ("/items/{item}", "/projects/{project}"):
        return here.site.A.get(here.path(path)).headers["etag"]
    return '"1"'


def with_field(here: World, method: str, path: str, name: str, raw: str) -> str:
    """A body that is right but for one field, whose JSON is given as text."""
    template = dict(bodies(here.ids).get(f"{method} {path}") or {})
    template[name] = "PLACE"
    return json.dumps(template).replace('"PLACE"', raw)


@case("G-03", "G-04")
def test_g03_no_field_takes_what_a_database_cannot_hold(site: Site, here: World) -> None:
    tried, wrong = 0, []
    for method, path, fields in json_routes(site):
        for name, schema in fields.items():
            for raw in NOT_TEXT if kinds(schema) & {"string", "object", "array"} else ():
                answer = send(here, method, path, with_field(here, method, path, name, _nested(schema, raw)))
                tried += 1
                if answer.status_code not in (*REFUSED, 401, 403):
                    wrong.append((method, path, name, raw, answer.status_code))
        answer = send(here, method, path, '{"\\ud800": 1}')
        assert answer.status_code in (*REFUSED, 401), (method, path)

    assert tried > 200
    assert wrong == []


@case("G-03", "G-04", "G-05")
@pytest.mark.parametrize("raw", [*NOT_TEXT, "NaN", "Infinity", "1e400"])
def test_g03_no_row_of_an_import_takes_it_either(site: Site, here: World, raw: str) -> None:
    rows = [
        f'{{"key": {raw}, "text": "x"}}',
        f'{{"key": "g03", "text": {raw}}}',
        f'{{"key": "g03", "text": "x", "metadata": {{"a": {raw}}}}}',
        f'{{"key": "g03", "text": "x", "metadata": {{"a": [{{"b": {raw}}}]}}}}',
        f'{{"key": "g03", "text": "x", "label": {{"class": {raw}}}}}',
        f'{{"key": "g03", "text": "x", "features": [{raw}]}}',
        f'{{"key": "g03", "text": "x", "priority": {raw}}}',
    ]
    for row in rows:
        for kind, body in (("application/x-ndjson", row), ("application/json", f"[{row}]")):
            answer = site.M.post(
                f"/projects/{here.project}/items", content=body.encode(), headers={"Content-Type": kind}
            )
            assert answer.status_code in (400, 422) or _nothing_came_in(answer), (row, answer.text)

    assert site.M.get(f"/projects/{here.project}/items", params={"key": "g03"}).json()["items"] == []


@case("G-03", "G-04")
@pytest.mark.parametrize(
    "bad", ["%ED%A0%80", "%00", "a%00b", "%FF", "%C0%80", "%E2%80%AE", "%", "%zz", "..%2f..%2fetc"]
)
def test_g04_no_address_takes_it_either(site: Site, bad: str) -> None:
    for path in (f"/projects/{bad}", f"/items/{bad}", f"/media/{bad}", f"/projects/{site.P1}/snapshots/{bad}"):
        assert site.M.ask("GET", httpx.URL(f"{site.address}/api/v1{path}")).status_code in (400, 404, 422), path
    for query in (f"q={bad}", f"key={bad}", f"sort={bad}", f"cursor={bad}", f"metadata.{bad}=1", f"{bad}=1"):
        answer = site.M.ask("GET", httpx.URL(f"{site.address}/api/v1/projects/{site.P1}/items?{query}"))
        assert answer.status_code in (200, 400, 422), query
        if answer.status_code == 200:
            assert query.startswith(("q=", "key=", "metadata."))  # a text that nothing has


@case("G-05", "G-06")
def test_g05_no_number_is_taken_that_is_none(site: Site, here: World) -> None:
    tried, wrong = 0, []
    for method, path, fields in json_routes(site):
        for name, schema in fields.items():
            for raw in [*INTEGERS, *NOT_NUMBERS] if kinds(schema) & {"number", "integer"} else ():
                answer = send(here, method, path, with_field(here, method, path, name, raw))
                tried += 1
                if answer.status_code not in REFUSED and not _may_be(raw, answer):
                    wrong.append((method, path, name, raw[:30], answer.status_code))

    assert tried > 100
    assert wrong == []


@case("G-06")
@pytest.mark.parametrize("written", ["\u00b2", "--5", "-", "1_0", "+1", " 1", "1.0", "\u0661", "9" * 5_000])
def test_g06_a_priority_in_a_row_is_a_whole_number(site: Site, here: World, written: str) -> None:
    rows = [{"key": "g06", "text": "x", "priority": written}]

    pushed = site.M.post(f"/projects/{here.project}/items", json=rows)

    assert _nothing_came_in(pushed), pushed.text


@case("G-12")
def test_g12_wrong_types_are_named_and_nothing_is_echoed(site: Site, here: World) -> None:
    wrong = []
    for method, path, fields in json_routes(site):
        for name, schema in fields.items():
            for raw, kind in (
                ()
                if name == "password"
                else (("[[]]", "array"), ('{"a": []}', "object"), ("true", "boolean"), ('"x"', "string"))
            ):
                if kind in kinds(schema) or (
                    kind == "string" and kinds(schema) & {"number", "integer", "boolean"} and 0
                ):
                    continue
                body = with_field(here, method, path, name, raw)
                body = body[:-1] + f', "password": "{PASSWORD}"}}'
                answer = send(here, method, path, body)
                if answer.status_code not in (*REFUSED, 401) or PASSWORD in answer.text:
                    wrong.append((method, path, name, raw, answer.status_code))

    assert wrong == []
    assert PASSWORD not in site.log()


@case("G-15")
def test_g15_unknown_fields_are_refused_at_each_level(site: Site, here: World) -> None:
    for method, path, _ in json_routes(site):
        body = {**(bodies(here.ids).get(f"{method} {path}") or {}), "unexpected": 1}
        answer = send(here, method, path, json.dumps(body))
        assert answer.status_code in (422, 401), (method, path, answer.status_code)
    nested = [
        ("PATCH", f"/projects/{here.project}", {"goal": {"labels": 3, "unexpected": 1}}),
        ("POST", f"/projects/{here.project}/items/bulk", {"keys": ["x"], "set": {"unexpected": 1}}),
        ("PATCH", f"/projects/{here.project}", {"strategy": {"name": "margin", "unexpected": 1}}),
        ("PATCH", f"/projects/{here.project}", {"task": {"type": "classification", "unexpected": 1}}),
        ("PUT", f"/items/{here.ids['item']}/label", {"label": {"class": "cat", "unexpected": 1}}),
    ]
    version = site.M.get(f"/projects/{here.project}").headers["etag"]
    for method, path, body in nested:
        answer = site.M.ask(method, f"/api/v1{path}", json=body, headers={"If-Match": version})
        assert answer.status_code == (409 if "task" in body else 422), (path, body, answer.text)
    rows = [{"key": "g15", "text": "x", "unexpected": 1}]
    assert _nothing_came_in(site.M.post(f"/projects/{here.project}/items", json=rows))


@case("G-07")
@pytest.mark.parametrize(
    "body",
    [
        '{"name": ' + "[" * 65 + "]" * 65 + "}",
        "[" * 100_000,
        '{"a":' * 100_000,
        "{" + ",".join(f'"{n}": 1' for n in range(60_000)) + "}",
        '{"' + "k" * 900_000 + '": 1}',
        "[" + "[]," * 200_000 + "[]]",
    ],
    ids=["65 levels", "100,000 lists", "100,000 objects", "60,000 keys", "a key of 900 kB", "200,000 lists"],
)
def test_g07_deep_and_wide_bodies_are_refused_quickly(site: Site, here: World, body: str) -> None:
    for method, path in (("POST", "/projects"), ("POST", "/session"), ("PATCH", "/items/{item}")):
        answer = send(here, method, path, body)
        assert answer.status_code in (400, 413, 422), path
    for kind in ("application/json", "application/x-ndjson"):
        row = f'{{"key": "g07", "text": "x", "metadata": {body}}}'
        answer = site.M.post(f"/projects/{here.project}/items", content=row, headers={"Content-Type": kind})
        assert answer.status_code in (400, 413, 422) or _nothing_came_in(answer), answer.text


@case("G-07")
def test_g07_of_a_key_that_stands_twice_the_last_one_counts(site: Site, here: World) -> None:
    answer = send(here, "PATCH", "/projects/{project}/classes/{number}", '{"description": "a", "description": "b"}')

    assert answer.json()["description"] == "b"


@case("G-11")
@pytest.mark.parametrize(
    "body",
    [
        b"null", b"[]", b'"x"', b"0", b"true", b"{", b"}", b"{}{}", b'{"name": "x"} x', b"// x\n{}", b"{'name': 'x'}",
        b'{"name": "x",}', b"<?xml version='1.0'?><name/>", b"name=x", '{"name": "x"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"name": "x"}', b'\xff\xfe{"name": "x"}', b"\x00", b" ", b"\n",
    ],
    ids=range(20),
)  # fmt: skip
def test_g11_what_is_no_object_of_json_is_refused(site: Site, here: World, body: bytes) -> None:
    for path in ("/projects", "/session", "/tokens", "/annotations", f"/projects/{here.project}/members"):
        kind = {"Content-Type": "application/json"}
        answer = site.A.post(path, content=body, headers=kind)
        assert answer.status_code in (400, 422), (path, answer.text)


@case("G-11")
def test_g11_an_empty_body_is_right_where_nothing_is_needed(site: Site, here: World) -> None:
    assert site.M.post(f"/projects/{here.project}/rounds").status_code == 202
    assert site.M.post("/projects").status_code == 422
    for kind in ("text/plain", "application/xml", "", "image/png", "application/jsonp", "text/json"):
        answer = site.M.post("/projects", content=b'{"name": "x"}', headers={"Content-Type": kind})
        assert answer.status_code == 415, kind


@case("G-13")
@pytest.mark.parametrize(
    "moment",
    [
        "0000-01-01", "10000-01-01", "2026-02-30", "2026-13-01", "23:59:60", "2026-01-01T23:59:60Z",
        "2026-01-01T25:00Z",
        "2026-01-01T00:00:00+99:99", "100000000000000000000", "-1", "2026-01-01T00:00:00", "yesterday",
        "20260101T00Z x",
        "\u0662\u0660\u0662\u0666-01-01", "2026-W01-1x", " ",
    ],
)  # fmt: skip
def test_g13_moments_that_are_none_are_refused(site: Site, here: World, moment: str) -> None:
    project = here.project
    version = site.M.get(f"/projects/{project}").headers["etag"]

    goal = site.M.patch(f"/projects/{project}", json={"goal": {"date": moment}}, headers={"If-Match": version})
    listed = site.M.get(f"/projects/{project}/items", params={"answered_after": moment})
    rows = [{"key": "item-1", "label": {"class": "cat"}, "origin": "import", "created_at": moment}]
    pushed = site.M.post(f"/projects/{project}/annotations", json=rows)

    assert goal.status_code == 422
    assert listed.status_code == 422, listed.text[:300]
    assert pushed.status_code == 422 or _nothing_came_in(pushed), pushed.text


@case("G-14")
def test_g14_lengths_are_counted_in_code_points(site: Site, here: World) -> None:
    def make(name: str) -> int:
        return site.M.post(f"/projects/{here.project}/classes", json={"name": name}).status_code

    assert make("\U0001f408" * 200) == 201
    assert make("\U0001f408" * 201) == 422
    assert [make(empty) for empty in ("", " ", "\t\n", "\u3000")] == [422] * 4
    assert make("Caf\u00e9") == 201
    assert make("cafe\u0301") in (409, 422)
    assert make("STRASSE") == 201
    assert make("stra\u00dfe") in (409, 422)
    assert site.A.post("/users", json={"name": "Jos\u00e9", "password": "words of some length"}).status_code == 201
    assert site.A.post("/users", json={"name": "JOSE\u0301", "password": "words of some length"}).status_code == 409
    key = {"text": "x"}
    for bytes_, created in ((512, 1), (513, 0)):
        pushed = site.M.post(f"/projects/{here.project}/items", json=[{**key, "key": "k" * bytes_}])
        assert pushed.json()["created"] == created, pushed.text
    for size, created in ((1_000_000, 1), (1_000_001, 0)):
        body = json.dumps([{"key": f"long-{size}", "text": "x" * size}])
        pushed = site.M.post(
            f"/projects/{here.project}/items", content=body, headers={"Content-Type": "application/json"}
        )
        assert pushed.json()["created"] == created, pushed.text


def _nested(schema: dict[str, Any], raw: str) -> str:
    """The bad value in a place where the field might take it."""
    if "string" in kinds(schema):
        return raw
    return f"[{raw}]" if "array" in kinds(schema) else f'{{"name": {raw}, "class": {raw}}}'


def _nothing_came_in(answer: httpx.Response) -> bool:
    if answer.status_code != 200:
        return False
    report = answer.json()
    return bool(report["rejected_count"] >= 1 and report["created"] == 0)


def _may_be(raw: str, answer: httpx.Response) -> bool:
    """A whole number may be right for a field that takes any of its size."""
    return raw in ("2147483648", "1.5", "-1", "9223372036854775807") and answer.status_code < 300
