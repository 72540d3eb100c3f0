"""d.F: parsers and imports: rows, archives and forms are taken, refused with their place, or too large."""

import gzip
import io
import json
import socket
import struct
import time
import zipfile
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.attacks.site import Site
from tests.attacks.test_e_files import outside
from tests.attacks.trap import png

case = pytest.mark.case

NOT_HERE = {
    "F-01": "no XML is parsed anywhere; tests/unit/test_doors.py fails when a parser of it is imported",
    "F-02": "no YAML is parsed anywhere; tests/unit/test_doors.py fails when a parser of it is imported",
    "F-16": "COCO, VOC, YOLO, boxes and spans are no formats or task types of this version",
}
KINDS = {"jsonl": "application/x-ndjson", "json": "application/json", "csv": "text/csv",
         "parquet": "application/vnd.apache.parquet"}  # fmt: skip


def push(site: Site, kind: str, body: bytes, project: int | None = None, **query: Any) -> httpx.Response:
    headers = {"Content-Type": KINDS.get(kind, kind)}
    path = f"/projects/{project or site.heap}/items"
    return site.M.post(path, content=body, headers=headers, params=query, patient=True)


def lines(*rows: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return out.getvalue()


def upload(site: Site, body: bytes, name: str = "a.zip") -> httpx.Response:
    return site.M.post(f"/projects/{site.pictures}/media", files=[("files", (name, body))], patient=True)


@case("F-04", "F-17")
@pytest.mark.parametrize(
    ("body", "created", "rejected"),
    [
        (lines({"text": "a"}) + b'{"text": "no newline at the end"}', 2, 0),
        (b"\xef\xbb\xbf" + lines({"text": "behind a mark"}), 1, 0),
        (b'{"text": "one"}\r\n\r\n\r\n{"text": "two"}\r\n', 2, 0),
        (b'{"text": "with a NUL \\u0000"}\n{"text": "right"}\n', 1, 1),
        (b'{"text": "\\ud800"}\n{"text": "\\udfff\\ud800"}\n{"\\ud800": "x"}\n', 0, 3),
        (b'{"text": "\xed\xa0\x80"}\n{"text": "\xff\xfe"}\n{"text": "caf\xe9"}\n', 0, 3),
        (b"\0\n[]\nnull\n1\n\"x\"\n{\n{}\n{\"text\": NaN}\n{'text': 'x'}\n", 0, 9),
        (b'{"text": "x", "metadata": {"n": NaN}}\n{"text": "x", "metadata": {"n": 1e400}}\n', 0, 2),
        (b'{"text": "x", "metadata": {"n": 9223372036854775808}}\n{"text": "x", "priority": 1e99}\n', 0, 2),
        (b'{"text": "x", "metadata": ' + b'{"a":' * 60 + b"1" + b"}" * 60 + b"}\n", 0, 1),
        (b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", 0, 1),
        (b'{"text": "x", "metadata": {' + b",".join(b'"%d":1' % n for n in range(1_001)) + b"}}\n", 0, 1),
        (
            lines({"text": "x" * 1_000_001}, {"text": "\u0301" * 40}, {"text": "\u202e\u2066rtl\U000e0001\U0010ffff"}),
            2,
            1,
        ),
        (lines({"key": "k" * 513, "text": "x"}, {"key": "", "text": "y"}, {"key": " ", "text": "z"}), 2, 1),
        (
            lines(
                {"text": "x", "features": [1, "a"]}, {"text": "x", "features": [1e400]}, {"text": "x", "features": {}}
            ),
            0,
            3,
        ),
        (
            lines(
                {"text": "x", "split": "train2"}, {"text": "x", "state": "deleted"}, {"text": "x", "id": "7", "evil": 1}
            ),
            0,
            3,
        ),
        (lines({"text": "x", "__proto__": {"a": 1}}, {"text": "x", "_sa_instance_state": 1}), 0, 2),
        (
            lines(
                {"text": "a", "label": "no such class"},
                {"text": "b", "label": {"class": 7}},
                {"text": "c", "label": []},
            ),
            0,
            3,
        ),
    ],
    ids=range(18),
)
def test_f04_rows_that_cannot_be_kept_are_named_and_the_others_stored(
    aimed: Site, body: bytes, created: int, rejected: int
) -> None:
    answer = push(aimed, "jsonl", body)

    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["created"] + said["updated"] + said["unchanged"] == created, said
    assert said["rejected_count"] == rejected, said
    assert all(row["line"] >= 1 and row["error"] for row in said["rejected"])
    listed = aimed.M.get(f"/projects/{aimed.heap}/items", params={"limit": 200})
    assert listed.status_code == 200
    assert aimed.M.get(f"/projects/{aimed.heap}/export", params={"view": "items"}).status_code == 200


@case("F-04")
def test_f04_long_lines_and_many_of_them_cost_no_memory(aimed: Site) -> None:
    long = b'{"text": "' + b"x" * 30_000_000 + b'"}\n' + lines({"text": "behind a long line"})
    many = b"{}\n" * 200_000
    cr = b'{"text": "a"}\r{"text": "b"}\r'

    answers = [push(aimed, "jsonl", each) for each in (long, many, cr)]

    assert [each.status_code for each in answers] == [200, 200, 200]
    assert (answers[0].json()["created"], answers[0].json()["rejected"][0]["line"]) == (1, 1)
    assert answers[1].json()["rejected_count"] == 200_000
    assert len(answers[1].json()["rejected"]) == 1_000
    refused = push(
        aimed, "jsonl", lines(*({"text": f"row {n}"} for n in range(5_000))) + b"{broken\n", on_error="abort"
    )
    assert (refused.status_code, refused.json()["rejected"][0]["line"]) == (422, 5_001)


@case("F-03", "F-12", "F-13")
def test_f13_other_types_of_files_are_refused(aimed: Site) -> None:
    packed = gzip.compress(b'{"text": "x"}\n' * 1000)
    for kind in ("application/gzip", "application/zstd", "application/x-tar", "text/yaml", "application/xml",
        "text/xml",
                 "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/x-python-serialize",
                 "application/octet-stream", "text/html", "", "application/json; charset=utf-16",
                 "x" * 100_000):  # fmt: skip
        answer = push(aimed, kind, packed)
        assert answer.status_code in (400, 415, 422, 431), (kind[:60], answer.text)
    encoded = {"Content-Type": KINDS["jsonl"], "Content-Encoding": "gzip"}
    answer = aimed.M.post(f"/projects/{aimed.heap}/items", content=packed, headers=encoded)
    assert answer.status_code in (200, 400, 415, 422)
    assert answer.json().get("created", 0) == 0
    rest = upload(aimed, packed, "a.tar.gz")
    assert rest.json()["media"] == []


@case("F-13")
def test_f13_a_parquet_file_is_read_or_refused(aimed: Site) -> None:
    whole = io.BytesIO()
    pq.write_table(pa.table({"text": ["one", "two"], "n": [1, 2]}), whole)
    good = whole.getvalue()
    deep: Any = "x"
    for _ in range(70):
        deep = [deep]
    nested = io.BytesIO()
    pq.write_table(pa.table({"text": ["x"], "metadata": pa.array([deep])}), nested)
    odd = io.BytesIO()
    pq.write_table(pa.table({"text": ["x", None], "b": [b"\xff\x00", b"a"], "f": [float("nan"), float("inf")]}), odd)

    bodies = [
        good[: len(good) // 2],
        good[:4] + b"\xff" * 200 + good[-4:],
        b"PAR1" * 100,
        nested.getvalue(),
        odd.getvalue(),
        b"",
    ]
    bodies += [good[:place] + b"\xff" + good[place + 1 :] for place in range(4, len(good), len(good) // 25)]

    for body in bodies:
        answer = push(aimed, "parquet", body)
        assert answer.status_code in (200, 400, 422), answer.text


@case("F-10", "F-11")
def test_f10_an_archives_names_lead_nowhere(aimed: Site) -> None:
    link = zipfile.ZipInfo("link.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    wandering = ["../x.png", "/abs.png", "C:\\x.png", "..\\..\\x.png", "a/../../x.png", "nul\x00.png",
        "d/" * 300 + "x.png",
                 "con.png", "./x.png", "../" * 40 + "tmp/evil.png"]  # fmt: skip
    before = outside(aimed)

    answer = upload(aimed, zipped(*((name, png(8, 8 + n)) for n, name in enumerate(wandering)), (link, b"/etc/passwd")))
    twice = upload(aimed, _twice("A.png", "a.png", "A.png"))

    assert answer.status_code == 201, answer.text
    assert outside(aimed) == before
    assert all(".." not in each["name"] and not each["name"].startswith("/") for each in answer.json()["media"])
    assert any("link" in each["error"] for each in answer.json()["rejected"])
    assert twice.status_code == 201


@case("F-11", "F-14")
def test_f11_an_archive_that_swells_ends_at_its_limit(aimed: Site) -> None:
    swelling = io.BytesIO()
    with zipfile.ZipFile(swelling, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("big.png", "w") as entry:
        for _ in range(260):
            entry.write(b"\0" * 1_000_000)
    nested = zipped(("inner.zip", zipped(("inner.zip", zipped(("x.png", png()))))))
    good = zipped(("a.png", png()), ("b.png", png(9, 9)))
    encrypted = bytearray(good)
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        at = good.index(mark) + (6 if mark == b"PK\x03\x04" else 8)
        encrypted[at] |= 1
    lying = good.replace(struct.pack("<I", len(png())), struct.pack("<I", 2**31), 2)
    many = zipped(*((f"{n}", b"") for n in range(20_000)))
    cases = {"swelling": swelling.getvalue(), "nested": nested, "encrypted": bytes(encrypted), "lying": lying,
        "many": many,
             "overlap": _overlapping(1_000), "cut": good[:-10], "zip64": good[:-4] + b"\xff\xff\xff\xff"}  # fmt: skip

    began = time.monotonic()
    for name, body in cases.items():
        answer = upload(aimed, body)
        assert answer.status_code in (201, 400, 422), (name, answer.text)
        if answer.status_code == 201:
            assert len(answer.json()["media"]) <= 2, name
    assert time.monotonic() - began < 60
    assert aimed.put_aside() == []
    one_bad = upload(aimed, zipped(*((f"{n}.png", png(8 + n, 5)) for n in range(30)), ("bad.png", b"rubbish")))
    assert (len(one_bad.json()["media"]), one_bad.json()["rejected"][0]["name"]) == (30, "bad.png")


@case("F-18")
def test_f18_one_key_is_one_row(aimed: Site) -> None:
    key = f"twice-{uuid4()}"
    said = push(aimed, "jsonl", lines({"key": key, "text": "first"}, {"key": key, "text": "second"})).json()
    both = push(
        aimed, "jsonl", lines({"key": f"{key}-\u00e9", "text": "1"}, {"key": f"{key}-e\u0301", "text": "2"})
    ).json()

    found = aimed.M.get(f"/projects/{aimed.heap}/items", params={"key": key}).json()["items"]
    assert (said["created"], said["rejected_count"], len(found)) == (1, 1, 1)
    assert both["created"] == 2  # keys are bytes: what differs is two things, and both can be asked for
    assert push(aimed, "jsonl", lines({"key": "k" * 10_000, "text": "x"})).json()["rejected_count"] == 1


@case("F-15")
def test_f15_a_body_over_its_limit_leaves_nothing_behind(aimed: Site) -> None:
    answer = push(aimed, "jsonl", lines({"text": "x" * 900}) * 68_000)

    assert answer.status_code == 413, answer.text
    assert aimed.put_aside() == []


@case("F-20", "F-21", "F-22")
def test_f20_forms_that_never_end_are_cut_off(aimed: Site) -> None:
    path = f"/projects/{aimed.pictures}/media"
    kinds = {
        "options": "multipart/form-data; boundary=x" + "; a=b" * 20_000,
        "long": "multipart/form-data; boundary=" + "x" * 1_000,
        "none": "multipart/form-data",
        "empty": "multipart/form-data; boundary=",
        "quoted": 'multipart/form-data; boundary="' + "\\" * 5_000,
        "star": "multipart/form-data; boundary*=utf-8''x",
    }
    for name, kind in kinds.items():
        answer = aimed.M.post(path, content=b"--x\r\n\r\n\r\n--x--", headers={"Content-Type": kind})
        assert answer.status_code in (400, 413, 415, 422, 431), (name, answer.text)
        assert answer.elapsed.total_seconds() < 2

    def parts(count: int, what: bytes) -> bytes:
        return (
            b"".join(b"--x\r\nContent-Disposition: form-data; " + what + b"\r\n\r\ny\r\n" for _ in range(count))
            + b"--x--\r\n"
        )

    form = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (
        parts(100_000, b'name="a"'), parts(10_000, b'name="files"; filename="a"'), parts(3, b"name=" + b"x" * 100_000),
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"y" * 30_000_000 + b"\r\n--x--\r\n",
        b"--x\r\n" + b"A: b\r\n" * 50_000 + b"\r\n--x--\r\n", b"--x", b"", b"\r\n" * 100_000,
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n--x-inside\r\n',
    ):  # fmt: skip
        answer = aimed.M.post(path, content=body, headers=form)
        assert answer.status_code in (400, 413, 422), answer.text
    assert aimed.put_aside() == []


@case("F-23")
def test_f23_ten_slow_uploads_keep_nobody_from_the_service(aimed: Site) -> None:
    where = urlsplit(aimed.address)
    head = (
        f"POST /api/v1/projects/{aimed.pictures}/media HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000000\r\n"
        f"Authorization: {aimed.M.headers['Authorization']}\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n"
        '--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    ).encode()
    open_ones = [socket.create_connection((where.hostname, where.port)) for _ in range(10)]
    try:
        for each in open_ones:
            each.sendall(head)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            for each in open_ones:
                each.sendall(b"x" * 10_000)
            answer = aimed.nobody.get("/healthz")
            assert answer.elapsed.total_seconds() < 2
            assert aimed.M.get(f"/projects/{aimed.P1}").status_code == 200
            time.sleep(0.1)
    finally:
        for each in open_ones:
            each.close()


@case("F-24")
def test_f24_a_task_that_cannot_be_is_refused_and_one_in_use_is_kept(aimed: Site) -> None:
    def make(task: Any) -> httpx.Response:
        return aimed.M.post("/projects", json={"name": "odd", "modality": "text", "task": task})

    for classes in (
        [f"c{n}" for n in range(10_000)], ["a", "a"], ["a", "A"], ["caf\u00e9", "cafe\u0301"], [""], [" "], ["x" * 201],
        ["a\x00"], [{"name": "a", "hotkey": "1"}, {"name": "b", "hotkey": "1"}], [{"name": "a", "color": "red;}"}], [1],
        [{"name": "a", "color": "url(//evil)"}], {"a": 1}, "abc", None, [None],
        [{"name": "a", "parent": "a"}],
    ):  # fmt: skip
        assert make({"type": "classification", "classes": classes}).status_code == 422, classes
    for task in ({"type": "nothing"}, {"type": ["classification"]}, [], "x", {"fields": []}, {"type": "form",
        "fields": []},
                 {"type": "form", "fields": [{"name": "a", "type": "form"}]},
                 {"type": "rating", "minimum": 5, "maximum": 1},
                 {"type": "rating", "minimum": 0, "maximum": 1e308, "step": 1e-308}):  # fmt: skip
        assert make(task).status_code == 422, task
    project = aimed.new_project(aimed.M, 0)
    rows = [{"key": "a", "text": "a", "label": "cat"}, {"key": "b", "text": "b", "label": "dog"}]
    assert aimed.M.post(f"/projects/{project}/items", json=rows).json()["created"] == 2
    number = aimed.M.get(f"/projects/{project}").json()["classes"][0]["id"]
    assert aimed.M.delete(f"/projects/{project}/classes/{number}").status_code == 409
    assert aimed.rows("SELECT count(*) FROM annotations WHERE project_id = :p", p=project)[0][0] == 2


def _twice(*names: str) -> bytes:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zipped(*((name, png(8, 30 + n)) for n, name in enumerate(names)))


def _overlapping(entries: int) -> bytes:
    """A ZIP of a thousand names for the same ten megabytes of nothing."""
    packed = zipped(("x.png", b"\0" * 10_000_000))
    start = packed.index(b"PK\x01\x02")
    end = packed.index(b"PK\x05\x06")
    entry = packed[start:end]
    central = b"".join(entry.replace(b"x.png", f"{n:05d}".encode()) for n in range(entries))
    tail = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, entries, entries, len(central), start, 0)
    return packed[:start] + central + tail
