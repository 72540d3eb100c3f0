"""Items: labels that are kept, imports that go on where they stopped, exports that bring the same project."""

import io
import json
import resource
import shutil
import zipfile
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import func, select

from app.core.errors import Unavailable
from app.core.settings import Settings
from app.db import Annotation, Database, Item
from app.formats import FORMATS
from app.services import accounts, applying, ingestion, projects
from app.services.access import Person
from tests import databases, forks
from tests.conftest import Api, Speaker


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


@pytest.fixture
def project(boss: Speaker) -> int:
    found: int = boss.project()["id"]
    return found


def lines(speaker: Speaker, project: int, **query: Any) -> list[dict[str, Any]]:
    text = speaker.get(f"/projects/{project}/export", params=query).text
    return [json.loads(line) for line in text.splitlines()]


def test_one_row_an_answer_keeps_every_annotators_answer(boss: Speaker, project: int) -> None:
    rows = [
        {"key": "a", "text": "purr", "label": "cat", "annotator": "x", "created_at": "2026-01-02T03:04:05+00:00"},
        {"key": "a", "text": "purr", "label": "dog", "annotator": "y"},
    ]

    report = boss.push(project, rows)
    again = boss.push(project, rows)

    assert (report["created"], report["updated"], again["unchanged"]) == (1, 1, 2)
    stored = lines(boss, project)
    assert [(row["annotator"], row["label"]["class"]) for row in stored] == [("x", "cat"), ("y", "dog")]
    assert stored[0]["created_at"] == "2026-01-02T03:04:05+00:00"
    assert lines(boss, project, view="items")[0]["disputed"] is True


def test_a_label_for_an_item_that_is_there_is_an_update_and_closes_it(boss: Speaker, project: int) -> None:
    boss.push(project, [{"key": "a", "text": "purr"}])

    report = boss.push(project, [{"key": "a", "label": "cat"}, {"key": "nobody", "label": "cat"}])

    assert (report["updated"], report["rejected_count"]) == (1, 1)
    assert boss.get(f"/projects/{project}/items").json()["items"][0]["answered"] is True


def test_a_naive_time_is_refused(boss: Speaker, project: int) -> None:
    row = {"key": "a", "text": "x", "labels": [{"annotator": "x", "label": "cat", "created_at": "2026-01-02T03:04"}]}

    report = boss.push(project, [row])

    assert "time zone" in report["rejected"][0]["error"]


def test_abort_finds_what_only_the_tables_know_before_the_first_row(boss: Speaker, project: int) -> None:
    boss.push(project, [{"key": "old", "text": "purr", "label": "cat"}])
    rows = [
        {"key": "new", "text": "first", "label": "bird"},
        {"key": "new", "text": "second"},
        {"key": "old", "text": "changed"},
        {"key": "nobody", "label": "cat"},
        {"key": "wrong", "text": " ", "label": "fish"},
    ]

    refused = boss.post(f"/projects/{project}/items", json=rows, params={"on_error": "abort", "create_classes": True})

    assert refused.status_code == 422
    assert [row["line"] for row in refused.json()["rejected"]] == [2, 3, 4, 5]
    assert len(lines(boss, project, view="items")) == 1
    assert len(boss.get(f"/projects/{project}").json()["classes"]) == 2


def test_the_same_key_twice_names_the_line_of_the_first(boss: Speaker, project: int) -> None:
    boss.push(project, [{"key": "a", "text": "0"}])

    report = boss.push(project, [{"key": "a", "text": "1"}, {"key": "a", "text": "2"}, {"key": "a", "text": "1"}])

    assert (report["updated"], report["unchanged"], report["rejected_count"]) == (1, 1, 1)
    assert "line 1" in report["rejected"][0]["error"]
    assert lines(boss, project, view="items")[0]["text"] == "1"


def test_an_export_brings_audit_share_and_state_along(boss: Speaker) -> None:
    project = boss.project(audit_share=0.5)["id"]
    boss.push(project, [{"key": f"k{n}", "text": f"text {n}"} for n in range(20)])
    first = boss.get(f"/projects/{project}/items", params={"key": "k0"})
    item = first.json()["items"][0]["id"]
    version = boss.get(f"/items/{item}").headers["ETag"]
    boss.patch(f"/items/{item}", json={"state": "excluded"}, headers={"If-Match": version})
    exported = boss.get(f"/projects/{project}/export", params={"view": "items"}).content
    other = boss.project(audit_share=0.5, seed=8, slug="other")["id"]

    boss.post(f"/projects/{other}/items", content=exported, headers={"Content-Type": "application/x-ndjson"})

    assert boss.get(f"/projects/{other}/export", params={"view": "items"}).content == exported
    splits = [row["split"] for row in lines(boss, other, view="items")]
    assert {"audit", "train"} == set(splits)


def test_answers_to_earlier_content_are_exported_on_request_only(boss: Speaker, project: int) -> None:
    boss.push(project, [{"key": "a", "text": "purr", "label": "cat"}])
    boss.push(project, [{"key": "a", "text": "bark"}], on_change="replace")

    assert lines(boss, project) == []
    assert len(lines(boss, project, extra=True)) == 1


@pytest.mark.parametrize("kind", ["application/x-ndjson", "text/csv"])
def test_an_import_job_works_in_slices_and_goes_on_after_each(
    api: Api, boss: Speaker, project: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingestion, "SLICE_SECONDS", 0)
    if kind == "text/csv":
        body = "key,text\n" + "".join(f"k{n},{'' if n == 700 else 'x'}\n" for n in range(1_200))
    else:
        body = "\n".join(json.dumps({"key": f"k{n}", "text": "" if n == 700 else "x"}) + "\n" for n in range(1_200))
    path, headers = f"/projects/{project}/items", {"Content-Type": kind}
    job = boss.post(path, params={"async": True}, content=body, headers=headers).json()["job"]["id"]
    worker = api.worker()

    worker.run_one()
    halfway = boss.get(f"/jobs/{job}").json()
    worker.run_waiting()

    assert (halfway["state"], halfway["progress"]["done"]) == ("running", 500)
    done = boss.get(f"/jobs/{job}").json()
    assert (done["state"], done["result"]["created"], done["result"]["rejected_count"]) == ("done", 1_199, 1)
    line = {"text/csv": 702, "application/x-ndjson": 1_401}[kind]
    assert f"{line},k700,text is" in boss.get(f"/jobs/{job}/rejected.csv").text
    with api.db.read() as session:
        assert session.execute(select(func.count(func.distinct(Item.key)))).scalar_one() == 1_199
    assert not list((api.settings.data / "tmp").iterdir())


def test_a_body_is_not_read_before_the_right_to_send_it_is_known(api: Api, boss: Speaker, project: int) -> None:
    stranger = api.as_("stranger")

    refused = stranger.post(
        f"/projects/{project}/items", content=b"x" * 100, headers={"Content-Type": "application/x-ndjson"}
    )

    assert refused.status_code == 404


def test_files_of_a_stranger_and_forms_without_files_are_refused(api: Api, boss: Speaker) -> None:
    project = boss.project(modality="image")["id"]
    path, files = f"/projects/{project}/media", [("files", ("x.png", b"x"))]

    assert api.client.post(f"/api/v1{path}", files=files).status_code == 401
    assert api.as_("stranger").post(path, files=files).status_code == 404
    assert boss.post(path, files=[("other", ("x.png", b"x"))]).status_code == 422
    assert boss.post(path, json={}).status_code == 400


def test_two_names_of_the_same_picture_are_two_items(boss: Speaker) -> None:
    project = boss.project(["red", "blue"], modality="image")["id"]
    out, archive = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, "PNG")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("red/one.png", out.getvalue())
        file.writestr("blue/one.png", out.getvalue())

    boss.post(
        f"/projects/{project}/media", files=[("files", ("a.zip", archive.getvalue()))], params={"labels": "folders"}
    )

    found = [(row["key"], row["label"]["class"]) for row in lines(boss, project, view="items")]
    assert found == [("red/one.png", "red"), ("blue/one.png", "blue")]


def importer(settings: Settings, url: str, file: Path, limit: int, told: Connection) -> None:
    """Import a file where no file may grow beyond `limit` bytes, unless it is 0, and tell how it ended."""
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    boss, options = Person(1, "boss", True), applying.Options()
    try:
        report = ingestion.import_file(Database(url), settings, boss, 1, file, FORMATS["jsonl"], options)
        told.send(str(report.created + report.unchanged))
    except Unavailable as error:
        told.send(str(error))


@pytest.mark.night
def test_a_full_disk_is_said_and_the_same_file_goes_on_when_there_is_room(settings: Settings, tmp_path: Path) -> None:
    settings.data.mkdir(parents=True)
    shutil.copy(databases.sqlite_template(), settings.data / "labelwise.db")
    url = f"sqlite:///{settings.data / 'labelwise.db'}"
    db = Database(url)
    with db.write() as session:
        accounts.create_user(session, "boss", "correct horse battery", admin=True)
        task = {"type": "classification", "classes": ["cat", "dog"]}
        projects.create(session, Person(1, "boss", True), {"name": "P", "modality": "text", "task": task})
    file = tmp_path / "rows.jsonl"
    row = {"text": "x" * 200, "label": "cat"}
    file.write_text("".join(json.dumps({"key": f"k{n}", **row}) + "\n" for n in range(5_000)))

    def run(limit: int) -> str:
        process, heard = forks.started(importer, settings, url, file, limit)
        said: str = heard.recv()
        process.join()
        return said

    full = run((settings.data / "labelwise.db").stat().st_size + 1_500_000)
    with db.read() as session:
        items = session.execute(select(func.count(Item.id))).scalar_one()
        labels = session.execute(select(func.count(Annotation.id))).scalar_one()
    room = run(0)

    assert "disk is full" in full
    assert 0 < items == labels < 5_000
    assert room == "5000"
    db.dispose()
