"""d.J: exports: what leaves the service can run nothing, names no file of the machine, and comes back as it was."""

import csv
import io
import json
import os
import time
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.attacks.site import Site
from tests.attacks.test_e_files import stored
from tests.attacks.trap import png

case = pytest.mark.case

NOT_HERE = {
    "J-04": "an export is one file of rows: it holds no media and makes no folders; its own name is of the slug",
}
FORMULAS = [
    "=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "=cmd|'/c calc'!A1",
    "＝1+1", "＋1", "－1", "＠x", ";=1+1", "|=1", "\n=1",
    '=HYPERLINK("https://evil.example","x")', "=IMPORTXML(1)", '"=1+1', "'=1", "%0a=1", "=DDE(1)",
]  # fmt: skip
ODD = [
    "line\nbreak",
    'quo"te',
    "com,ma",
    "semi;colon",
    "tab\tbed",
    "😀 emoji",
    "e\u0301 composed",
    "x" * 190,
    "  outer  ",
    "\\n",
    "a\rb",
    "\u202eabc",
]


@case("J-01", "J-02")
def test_j01_a_sheet_runs_nothing_and_raw_forms_keep_every_byte(aimed: Site) -> None:
    project = aimed.new_project(aimed.M, 0)
    rows = [{"key": f"{n:03d}", "text": each, "metadata": {"note": each}} for n, each in enumerate([*FORMULAS, *ODD])]
    assert aimed.M.post(f"/projects/{project}/items", json=rows).json()["created"] == len(rows)

    def export(**query: Any) -> bytes:
        given = aimed.M.get(f"/projects/{project}/export", params={"view": "items", **query})
        assert given.status_code == 200, given.text
        return given.content

    sheet = list(csv.DictReader(io.StringIO(export(format="csv").decode(), newline="")))
    raw = list(csv.DictReader(io.StringIO(export(format="csv", raw="true").decode(), newline="")))
    lines = [json.loads(line) for line in export(format="jsonl").splitlines()]
    table = pq.read_table(io.BytesIO(export(format="parquet"))).to_pylist()

    runs = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
    assert all(not cell.startswith(runs) for row in sheet for cell in row.values() if cell)
    by_key = {row["key"]: row["text"] for row in rows}
    for read in (raw, lines, table):
        assert {row["key"]: row["text"] for row in read} == by_key
    again = aimed.new_project(aimed.M, 0)
    for kind, body in (
        ("application/x-ndjson", export(format="jsonl")),
        ("application/vnd.apache.parquet", export(format="parquet")),
    ):
        headers = {"Content-Type": kind}
        pushed = aimed.M.post(f"/projects/{again}/items", content=body, headers=headers)
        assert pushed.json()["rejected_count"] == 0, pushed.text
    twice = aimed.M.get(f"/projects/{again}/export", params={"view": "items"}).content
    assert twice.splitlines() == export(format="jsonl").splitlines()


@case("J-03")
def test_j03_no_file_of_the_machine_is_in_an_export(aimed: Site) -> None:
    kept = stored(aimed, png(17, 17))
    aimed.M.post(f"/projects/{aimed.pictures}/items", json=[{"key": f"j {time.time_ns()}", "image": kept["id"]}])
    path = aimed.data / "media" / str(aimed.pictures) / kept["sha256"][:2] / kept["sha256"]
    content = path.read_bytes()
    path.unlink()
    os.symlink(aimed.secret_file, path)
    try:
        for view in ("items", "annotations"):
            for kind in ("jsonl", "json", "csv", "parquet"):
                given = aimed.M.get(f"/projects/{aimed.pictures}/export", params={"view": view, "format": kind})
                assert given.status_code == 200
                assert aimed.secret.encode() not in given.content
        shown = aimed.M.get(f"/media/{kept['id']}")
        assert aimed.secret.encode() not in shown.content
        assert shown.status_code == 404
        assert aimed.M.get(f"/media/{kept['id']}/thumbnail").status_code in (404, 422)
        path.unlink()
        assert aimed.M.get(f"/media/{kept['id']}").status_code == 404
        assert aimed.M.get(f"/projects/{aimed.pictures}/export", params={"view": "items"}).status_code == 200
    finally:
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(0o600)


@case("J-05")
def test_j05_exports_are_for_reviewers_of_the_project_as_it_is_now(aimed: Site) -> None:
    path = f"/projects/{aimed.P1}/export"
    for wrong in ({"format": "xlsx"}, {"format": "../x"}, {"view": "users"}, {"status": "none"}, {"raw": "maybe"},
        {"nothing": "x"},
                  {"format": "x" * 50}, {"format": ""}):  # fmt: skip
        assert aimed.M.get(path, params=wrong).status_code == 422, wrong
    assert [person.get(path).status_code for person in (aimed.U1, aimed.X, aimed.nobody)] == [403, 404, 401]
    leaver = aimed.new_user(f"leaver {time.time_ns()}")
    aimed.join(aimed.M, aimed.P1, leaver, "reviewer")
    assert leaver.get(path).status_code == 200
    assert aimed.M.delete(f"/projects/{aimed.P1}/members/{leaver.id}").status_code == 204
    assert leaver.get(path).status_code == 404
    for _ in range(20):
        assert aimed.M.get(path).status_code == 200
    until_no_export_is_left(aimed)


@case("J-06")
def test_j06_who_reads_slowly_or_leaves_holds_nothing(aimed: Site) -> None:
    import socket
    from urllib.parse import urlsplit

    big = aimed.new_project(aimed.M, 0)
    rows = [{"key": f"{n}", "text": "word " * 1_000} for n in range(400)]
    for start in range(0, 400, 100):
        aimed.M.post(f"/projects/{big}/items", json=rows[start : start + 100], patient=True)
    where = urlsplit(aimed.address)
    head = (
        f"GET /api/v1/projects/{big}/export?view=items HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: {aimed.M.headers['Authorization']}\r\n\r\n"
    ).encode()
    readers = []
    for _ in range(12):
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        line.connect((where.hostname, where.port))
        line.sendall(head)
        readers.append(line)
    for line in readers:
        assert line.recv(1_000)
    for _ in range(5):
        answer = aimed.M.get(f"/projects/{aimed.P1}/items", params={"limit": 5})
        assert answer.elapsed.total_seconds() < 1
    for line in readers:
        line.close()
    until_no_export_is_left(aimed)
    aimed.M.delete(f"/projects/{big}")


@case("J-07")
def test_j07_names_of_classes_come_back_as_they_were(aimed: Site) -> None:
    names = [each for each in ODD if each == each.strip()]
    project = aimed.new_project(aimed.M, 0, task={"type": "classification", "classes": names})
    rows = [{"key": f"{n}", "text": f"text {n}", "label": {"class": name}} for n, name in enumerate(names)]
    pushed = aimed.M.post(f"/projects/{project}/items", json=rows).json()
    assert (pushed["created"], pushed["rejected_count"]) == (len(rows), 0), pushed

    for kind in ("jsonl", "json", "csv", "parquet"):
        given = aimed.M.get(
            f"/projects/{project}/export", params={"view": "items", "format": kind, "raw": "true"}
        ).content
        read: list[dict[str, Any]]
        if kind == "jsonl":
            read = [json.loads(line) for line in given.splitlines()]
        elif kind == "json":
            read = json.loads(given)
        elif kind == "csv":
            read = list(csv.DictReader(io.StringIO(given.decode(), newline="")))
        else:
            read = pq.read_table(io.BytesIO(given)).to_pylist()
        found = {row["key"]: class_of(row) for row in read}
        assert found == {f"{n}": name for n, name in enumerate(names)}, kind


def until_no_export_is_left(site: Site) -> None:
    """The file of an export goes when its last byte was sent, or its reader has gone."""
    end = time.monotonic() + 15
    while time.monotonic() < end and list((site.data / "tmp").glob("*.export")):
        time.sleep(0.1)
    assert list((site.data / "tmp").glob("*.export")) == []


def class_of(row: dict[str, Any]) -> str:
    """The class of a row, in whatever form the format has it."""
    label = row.get("label")
    if isinstance(label, str) and label.startswith("{"):
        label = json.loads(label)
    return str(label["class"]) if isinstance(label, dict) else str(label)
