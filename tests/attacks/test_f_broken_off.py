"""d.F, second part: uploads that break off, and requests to go on with them."""

import socket
import time
import zipfile
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.attacks.site import Site
from tests.attacks.test_f_parsers import KINDS, lines, zipped
from tests.attacks.trap import png

case = pytest.mark.case

VERSION = {"media": "", "items": "", "annotations": "", "predictions": "?model=m&version=1"}


@case("F-19")
@pytest.mark.parametrize("what", ["media", "items", "annotations", "predictions"])
def test_f19_an_upload_that_breaks_off_leaves_nothing(aimed: Site, what: str) -> None:
    """An upload is one request: it counts whole, or as if it had never been begun."""
    external = {"learner": {"name": "external"}} if what == "predictions" else {}
    project = aimed.new_project(aimed.M, 3, **external) if what != "media" else aimed.pictures
    before = _kept_of(aimed, project)
    whole, headers = _whole_upload(what)

    for ending in (len(whole) // 2, len(whole) - 1, 1):
        for chunked in (False, True):
            _break_off(aimed, f"/api/v1/projects/{project}/{what}{VERSION[what]}", whole[:ending], headers, chunked)

    assert aimed.put_aside() == []
    assert _kept_of(aimed, project) == before


@case("F-19")
def test_f19_there_are_no_parts_to_go_on_with(aimed: Site) -> None:
    """Who asks to go on with other bytes, to finish twice or for a part of a number is told that there is no such."""
    path, before = f"/projects/{aimed.pictures}/media", _kept_of(aimed, aimed.pictures)
    body = {"content": png(), "headers": {"Content-Type": "image/png", "Content-Range": "bytes 100-199/300"}}

    for method in ("PUT", "PATCH"):
        assert aimed.M.ask(method, f"/api/v1{path}", **body).status_code == 405
    for number in ("0", "-1", "1000000000"):
        for kept in (f"{path}/parts/{number}", f"{path}/uploads/{number}", f"{path}/{number}/finish"):
            for method in ("PUT", "PATCH", "POST"):
                assert aimed.M.ask(method, f"/api/v1{kept}", **body).status_code in (404, 405), kept
        odd = aimed.M.post(path, files=[("files", ("a.png", png()))], params={"part": number})
        assert odd.status_code == 422, odd.text
    for header in ("Upload-Offset", "Tus-Resumable", "X-Upload-Id"):
        assert aimed.M.ask("PATCH", f"/api/v1{path}", content=png(), headers={header: "1"}).status_code == 405
    own = aimed.new_project(aimed.M, 0)
    for start in (100, 0, 100):  # RFC 9110, 14.4: whoever knows no parts of a POST passes over the header
        half = {"Content-Type": KINDS["jsonl"], "Content-Range": f"bytes {start}-120/300"}
        answer = aimed.M.post(f"/projects/{own}/items", content=lines({"key": "whole", "text": "x"}), headers=half)
        assert answer.status_code == 200, answer.text
    assert [row[0] for row in aimed.rows("SELECT key FROM items WHERE project_id = :p", p=own)] == ["whole"]

    assert _kept_of(aimed, aimed.pictures) == before


def _whole_upload(what: str) -> tuple[bytes, str]:
    """The body of an upload with its Content-Type."""
    if what == "media":
        head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="half.zip"\r\n\r\n'
        packed = zipped(*((f"{n}.png", png(40 + n, 77)) for n in range(200)), method=zipfile.ZIP_STORED)
        return head + packed + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"
    rows = {
        "items": [{"key": f"half-{n}", "text": f"half {n} " * 20} for n in range(3_000)],
        "annotations": [{"key": f"item-{n % 3}", "label": {"class": "cat"}, "origin": "import"} for n in range(3_000)],
        "predictions": [{"key": f"item-{n % 3}", "probabilities": {"cat": 1, "dog": 0}} for n in range(3_000)],
    }
    return lines(*rows[what]), KINDS["jsonl"]


def _break_off(site: Site, path: str, part: bytes, kind: str, chunked: bool) -> None:
    """Send the part of a body that announced more, and hang up."""
    where = urlsplit(site.address)
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(part) + 100}"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {site.M.headers['Authorization']}\r\n"
    body = f"{len(part):x}\r\n".encode() + part + b"\r\n" if chunked else part
    with socket.create_connection((where.hostname, where.port)) as line:
        line.sendall(f"{head}Content-Type: {kind}\r\n{framing}\r\n\r\n".encode() + body)
        time.sleep(0.2)


def _kept_of(site: Site, project: int) -> list[Any]:
    """How much there is of a project, and how many files."""
    tables = ("items", "annotations", "media", "prediction_sets", "prediction_shards", "rejected_rows")
    where = {"rejected_rows": "job_id IN (SELECT id FROM jobs WHERE project_id = :p)"}
    where["prediction_shards"] = "set_id IN (SELECT id FROM prediction_sets WHERE project_id = :p)"
    counts = [
        site.rows(f"SELECT count(*) FROM {each} WHERE {where.get(each, 'project_id = :p')}", p=project)[0][0]
        for each in tables
    ]
    return [*counts, sum(each.is_file() for each in (site.data / "media" / str(project)).rglob("*"))]
