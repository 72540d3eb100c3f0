"""Imports: every format, good rows kept, bad rows named, nothing half stored."""

import io
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sqlalchemy import text

from app.db import statistics
from app.services import ingestion
from tests.api.test_loop import forget_counts
from tests.conftest import Api, Speaker

NDJSON = {"Content-Type": "application/x-ndjson"}


def send(speaker: Speaker, project: int, body: bytes | str, kind: str = "application/x-ndjson", **query):
    content = body.encode() if isinstance(body, str) else body
    return speaker.post(f"/projects/{project}/items", content=content, headers={"Content-Type": kind}, params=query)


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


@pytest.fixture
def project(boss: Speaker) -> int:
    return boss.project()["id"]


def test_every_format_brings_the_same_items(boss: Speaker) -> None:
    rows = [{"key": f"k{n}", "text": f"text {n}, with a comma", "label": ("cat", "dog")[n % 2]} for n in range(7)]
    parquet = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), parquet)
    csv = "key;text;label\n" + "".join(f'{r["key"]};"{r["text"]}";{r["label"]}\n' for r in rows)
    bodies = {
        "application/x-ndjson": "\n".join(map(json.dumps, rows)),
        "application/json": json.dumps(rows),
        "text/csv": "\ufeff" + csv,
        "application/vnd.apache.parquet": parquet.getvalue(),
    }
    for kind, body in bodies.items():
        project = boss.project()["id"]
        report = send(boss, project, body, kind).json()
        assert report["created"] == 7, (kind, report)
        lines = boss.get(f"/projects/{project}/export", params={"view": "items"}).text.splitlines()
        assert [json.loads(line)["label"] for line in lines] == [{"class": r["label"]} for r in rows]
        again = send(boss, project, body, kind).json()
        assert (again["created"], again["unchanged"]) == (0, 7), kind


def test_bad_rows_are_named_and_the_others_stored(boss: Speaker, project: int) -> None:
    lines = [
        '{"key": "a", "text": "good"}',
        '{"key": "b", "text": "half',
        '{"key": "c", "text": "nul \\u0000"}',
        '{"key": "d", "text": "lone \\ud800"}',
        '{"key": "e", "text": NaN}',
        '{"key": "f", "text": "big", "metadata": {"n": 99999999999999999999999}}',
        '{"key": "g", "text": "   "}',
        '{"key": "h"}',
        '{"key": "i", "text": "x", "label": "cow"}',
        '{"key": "j", "text": "x", "colour": "red"}',
        '["not an object"]',
        '{"key": "a", "text": "another text for a"}',
        '{"key": "k", "text": "x", "features": [1, "two"]}',
        '{"key": "l", "text": "also good", "split": "audit", "label": "cat"}',
    ]
    report = send(boss, project, "\n".join(lines)).json()

    assert report["created"] == 2
    assert [each["line"] for each in report["rejected"]] == [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    assert all(each["error"] for each in report["rejected"])
    assert boss.get(f"/projects/{project}/items").status_code == 200
    assert len(boss.get(f"/projects/{project}/export", params={"view": "items"}).text.splitlines()) == 2


def test_on_error_abort_stores_nothing(boss: Speaker, project: int) -> None:
    refused = send(boss, project, '{"key": "a", "text": "good"}\n{"key": "b"}', on_error="abort")

    assert refused.status_code == 422
    assert refused.json()["rejected"][0]["line"] == 2
    assert boss.get(f"/projects/{project}/items").json()["items"] == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'[{"text": "a"}, {"text": "b"'),
        ("application/json", b'{"text": "no array"}'),
        ("application/json", "[{}]".encode("utf-16")),
        ("text/csv", "text\nübel".encode("utf-16")),
        ("text/csv", b"text,text\na,b\n"),
        ("application/vnd.apache.parquet", b"PAR1 but not really"),
        ("application/x-ndjson", '{"text": "a"}'.encode("utf-16")),
    ],
)
def test_a_broken_file_stores_nothing_and_says_why(boss: Speaker, project: int, kind: str, body: bytes) -> None:
    refused = send(boss, project, body, kind)

    assert refused.status_code in (400, 422), refused.text
    assert refused.json()["detail"]
    assert boss.get(f"/projects/{project}/items").json()["items"] == []


def test_other_content_types_and_empty_bodies_are_refused(boss: Speaker, project: int) -> None:
    assert send(boss, project, b"hello", "text/plain").status_code == 415
    assert send(boss, project, b"").status_code == 400


def test_a_very_long_line_is_passed_over(boss: Speaker, project: int) -> None:
    body = b'{"text": "' + b"x" * 11_000_000 + b'"}\n{"key": "next", "text": "fine"}\n'

    report = send(boss, project, body).json()

    assert report["created"] == 1
    assert report["rejected"] == [{"line": 1, "key": None, "error": "the line has more than 10,000,000 bytes"}]


def test_changed_content_of_an_answered_item_needs_on_change_replace(boss: Speaker, project: int) -> None:
    boss.push(project, [{"key": "a", "text": "first", "label": "cat"}])
    changed = [{"key": "a", "text": "second"}]

    kept = boss.push(project, changed)
    replaced = boss.push(project, changed, on_change="replace")

    assert kept["rejected_count"] == 1
    assert "on_change=replace" in kept["rejected"][0]["error"]
    assert replaced["updated"] == 1
    item = boss.get(f"/projects/{project}/items", params={"key": "a"}).json()["items"][0]
    assert (item["text"], item["revision"], item["answered"]) == ("second", 2, False)


def test_map_and_create_classes_read_a_strange_file(boss: Speaker, project: int) -> None:
    csv = "uid,body,tag,source\n1,hello there,greeting,web\n2,bye now,farewell,mail\n"
    refused = send(boss, project, csv, "text/csv", map="key:uid,text:body,label:tag,metadata:*").json()
    report = send(
        boss, project, csv, "text/csv", map="key:uid,text:body,label:tag,metadata:*", create_classes=True
    ).json()

    assert refused["rejected_count"] == 2
    assert report["created"] == 2
    items = boss.get(f"/projects/{project}/items").json()["items"]
    assert items[0]["metadata"] == {"source": "web"}
    assert [each["name"] for each in boss.get(f"/projects/{project}").json()["classes"]][2:] == ["greeting", "farewell"]


def test_importing_an_export_gives_the_same_project(boss: Speaker, project: int) -> None:
    rows = [
        {"key": "a", "text": "one", "labels": [{"annotator": "x", "label": "cat"}, {"annotator": "y", "label": "dog"}]},
        {"key": "b", "text": "two", "label": "dog", "metadata": {"source": "web"}},
        {"key": "c", "text": "=three", "split": "audit", "label": "cat"},
        {"key": "d", "text": "four"},
    ]
    boss.push(project, rows)
    for form, kind in (
        ("jsonl", "application/x-ndjson"),
        ("csv", "text/csv"),
        ("parquet", "application/vnd.apache.parquet"),
    ):
        query = {"view": "items", "format": form, "raw": True}
        exported = boss.get(f"/projects/{project}/export", params=query)
        other = boss.project()["id"]
        report = send(boss, other, exported.content, kind)
        assert report.json()["rejected"] == [], form
        first, second = (
            [
                json.loads(line)
                for line in boss.get(f"/projects/{each}/export", params={"view": "items"}).text.splitlines()
            ]
            for each in (project, other)
        )
        for row in first + second:
            for label in row["labels"]:
                del label["created_at"]
        assert [row for row in first if row["split"] == "audit"] == [row for row in second if row["split"] == "audit"]
        assert first == second, form


def test_a_csv_export_cannot_run_in_a_spreadsheet(boss: Speaker, project: int) -> None:
    boss.push(project, [{"key": "a", "text": "=cmd()", "label": "cat"}])

    safe = boss.get(f"/projects/{project}/export", params={"format": "csv", "view": "items"}).text
    raw = boss.get(f"/projects/{project}/export", params={"format": "csv", "view": "items", "raw": True}).text

    assert "'=cmd()" in safe
    assert "'=cmd()" not in raw


def test_imported_labels_start_the_loop_without_a_human_answer(api: Api, boss: Speaker, project: int) -> None:
    rows = [{"key": f"k{n}", "text": f"{('meow purr', 'bark wag')[n % 2]} {n}"} for n in range(120)]
    for number, row in enumerate(rows[:60]):
        row["label"] = ("cat", "dog")[number % 2]
    boss.push(project, rows)

    api.run_jobs()

    newest = boss.get(f"/projects/{project}/rounds").json()["items"][0]
    assert (newest["strategy"], newest["labels"]) == ("uherding", 60)


def test_an_asynchronous_import_is_a_job(api: Api, boss: Speaker, project: int) -> None:
    answer = boss.post(
        f"/projects/{project}/items",
        params={"async": True},
        content=b'{"key": "a", "text": "x"}\n{"key": "b"}\n',
        headers=NDJSON,
    )
    assert answer.status_code == 202
    job = answer.json()["job"]["id"]

    api.run_jobs()

    done = boss.get(f"/jobs/{job}").json()
    assert (done["state"], done["result"]["created"], done["result"]["rejected_count"]) == ("done", 1, 1)
    assert "text is missing" in boss.get(f"/jobs/{job}/rejected.csv").text


LONG = "r" * 201


def png(size: tuple[int, int] = (8, 8), color: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "PNG")
    return out.getvalue()


def test_images_are_taken_in_from_files_and_zips_and_bad_ones_named(boss: Speaker) -> None:
    project = boss.project(["red", "blue"], modality="image")["id"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("red/one.png", png())
        file.writestr("blue/two.png", png(color="blue"))
        file.writestr("../evil.png", png(color="green"))
        file.writestr("red/page.png", b"<html>")
        file.writestr("red/cut.png", png((64, 64))[:60])
        file.writestr(LONG + "/three.png", png(color="white"))
    files = [("files", ("pets.zip", archive.getvalue())), ("files", ("x.jpg", b"GIF89a not really"))]

    answer = boss.post(f"/projects/{project}/media", files=files, params={"labels": "folders"}).json()

    assert [each["name"] for each in answer["media"]] == ["red/one.png", "blue/two.png", LONG + "/three.png"]
    refused = {each["name"]: each["error"] for each in answer["rejected"]}
    assert refused.keys() == {"../evil.png", "red/page.png", "red/cut.png", "x.jpg", LONG + "/three.png"}
    assert "the folder's name can be no class" in refused[LONG + "/three.png"]
    shown = boss.get(f"/media/{answer['media'][0]['id']}")
    assert shown.content == png()
    assert shown.headers["content-type"] == "image/png"
    assert "sandbox" in shown.headers["content-security-policy"]
    lines = boss.get(f"/projects/{project}/export", params={"view": "items"}).text.splitlines()
    assert [json.loads(line)["label"]["class"] for line in lines] == ["red", "blue"]


def test_pictures_that_would_fill_the_memory_are_refused(boss: Speaker) -> None:
    project = boss.project(modality="image")["id"]
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")

    answer = boss.post(f"/projects/{project}/media", files=[("files", ("big.png", out.getvalue()))]).json()

    assert answer["media"] == []
    assert "megapixels" in answer["rejected"][0]["error"]


@pytest.mark.parametrize("later", [False, True])
def test_after_a_large_import_postgresql_knows_how_many_items_there_are(
    api: Api, monkeypatch: pytest.MonkeyPatch, later: bool
) -> None:
    if api.db.is_sqlite:
        return
    forget_counts(api)
    monkeypatch.setattr(ingestion, "MANY_ROWS", 50)
    boss = api.as_("boss")
    project = boss.project()["id"]
    lines = [json.dumps({"text": f"text {n}"}) for n in range(120)]

    send(boss, project, "\n".join(lines[:60]), **{"async": later})
    api.worker().run_waiting()

    with api.db.read() as session:
        rows = session.execute(text("SELECT reltuples FROM pg_class WHERE relname = 'items'")).scalar_one()
    assert rows == 60
    monkeypatch.setattr(
        statistics, "GROWN", text("SELECT 'nobody'")
    )  # what goes wrong with it does not fail the import
    assert send(boss, project, "\n".join(lines[60:])).json()["created"] == 60
