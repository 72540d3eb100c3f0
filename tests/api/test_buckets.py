"""Files that stay in a bucket: taken in, shown, learned from, lost, and never open to whom they are not granted."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import update

from app.db import Job
from app.services import buckets as service
from app.services import collecting
from tests.buckets import FolderBucket, S3Bucket, picture, s3_server, sound
from tests.conftest import Api, Speaker

Bucket = FolderBucket | S3Bucket


both = pytest.mark.parametrize(("db", "bucket"), [("sqlite", "file"), ("postgresql", "s3")], indirect=True)


@pytest.fixture
def bucket(request: pytest.FixtureRequest, api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket that the operator calls pets."""
    if getattr(request, "param", "file") == "file":
        made: Bucket = FolderBucket(api.settings.data.parent / "outside")
        _name(api, made)
        yield made
        return
    with s3_server(monkeypatch) as made:
        _name(api, made)
        yield made


def _name(api: Api, made: Bucket) -> None:
    named = api.settings.model_copy(update={"buckets": f"pets={made.address},other={made.address}"})
    api.client.app.state.settings = api.settings = named
    service.opened.cache_clear()


@pytest.fixture
def boss(api: Api, bucket: Bucket) -> Speaker:
    return api.as_("boss")


def project_with(boss: Speaker, modality: str = "image", **more: Any) -> int:
    found: int = boss.project(["cat", "dog"], modality=modality, audit_share=0, **more)["id"]
    assert boss.put(f"/projects/{found}/buckets/pets").status_code == 204
    return found


def collect(api: Api, boss: Speaker, project: int, prefix: str = "", **more: Any) -> dict[str, Any]:
    body = {"bucket": "pets", "prefix": prefix, **more}
    answer = boss.post(f"/projects/{project}/media/bucket", json=body)
    assert answer.status_code == 202, answer.text
    api.worker().run_waiting()
    job: dict[str, Any] = boss.get(f"/jobs/{answer.json()['job']['id']}").json()
    return job


def rows_of(boss: Speaker, project: int, **query: Any) -> dict[str, dict[str, Any]]:
    answer = boss.get(f"/projects/{project}/items", params={"limit": 200, **query})
    return {row["key"]: row for row in answer.json()["items"]}


def shown(boss: Speaker, row: dict[str, Any], more: str = "", **options: Any) -> Any:
    return boss.get(row["image"]["url"].removeprefix("/api/v1") + more, **options)


@both
def test_a_folder_becomes_items_that_are_read_in_place(api: Api, boss: Speaker, bucket: Bucket) -> None:
    project = project_with(boss)
    for n in range(3):
        bucket.put(f"photos/cat/{n}.png", picture("noise", 64))
        bucket.put(f"photos/dog/ä {n}'s.jpg", picture("noise", 64, "JPEG"))
    bucket.put("photos/README.txt", b"hello")
    bucket.put("photos/cut.png", picture("noise", 64)[:20])
    bucket.put("photos/page.png", b"<html><script>alert(1)</script>")
    bucket.put("elsewhere/x.png", picture("red"))

    job = collect(api, boss, project, "photos/", labels="folders")
    again = collect(api, boss, project, "photos", labels="folders")

    assert job["state"] == "done", job
    assert {name: job["result"][name] for name in ("created", "unchanged", "rejected_count")} == {
        "created": 6, "unchanged": 0, "rejected_count": 3,
    }  # fmt: skip
    assert {each["key"] for each in job["result"]["rejected"]} == {
        "photos/README.txt", "photos/cut.png", "photos/page.png",
    }  # fmt: skip
    assert (again["result"]["created"], again["result"]["unchanged"]) == (0, 6)
    assert len(boss.get(f"/jobs/{job['id']}/rejected.csv").text.splitlines()) == 4
    rows = rows_of(boss, project)
    assert rows["photos/cat/0.png"]["label"] == {"class": "cat"}
    image = rows["photos/dog/ä 0's.jpg"]["image"]
    assert (image["width"], image["name"]) == (64, "ä 0's.jpg")
    assert not [each for each in (api.settings.data / "media").rglob("*") if each.is_file()]
    assert not list((api.settings.data / "tmp").iterdir())
    status = boss.get(f"/projects/{project}/status").json()
    assert status["features"]["featurizer"] == "descriptors"
    lines = boss.get(f"/projects/{project}/export", params={"view": "items"}).text.splitlines()
    assert json.loads(lines[0])["image"].startswith("bucket:pets/photos/")
    assert boss.push(project, [{"key": "photos/cat/0.png", "image": "bucket:pets/photos/cat/0.png"}])["unchanged"] == 1


@both
def test_a_file_in_a_bucket_is_given_as_stored_ones_are(api: Api, boss: Speaker, bucket: Bucket) -> None:
    project, content = project_with(boss), picture("noise", 200)
    bucket.put("x.png", content)
    collect(api, boss, project)
    row = rows_of(boss, project)["x.png"]
    etag = shown(boss, row).headers["etag"]
    cases: list[tuple[dict[str, str], int, slice | None]] = [
        ({}, 200, slice(None)),
        ({"Range": "bytes=0-9"}, 206, slice(10)),
        ({"Range": "bytes=10-"}, 206, slice(10, None)),
        ({"Range": "bytes=-5"}, 206, slice(-5, None)),
        ({"Range": "bytes=0-99999999999999999999999"}, 206, slice(None)),
        ({"Range": "bytes=0-0,2-3"}, 200, slice(None)),
        ({"Range": "bytes=99999999999999999999-"}, 416, None),
        ({"Range": "bytes=5-2"}, 400, None),
        ({"Range": "lines=1-2"}, 400, None),
        ({"If-None-Match": etag}, 304, None),
        ({"If-Range": '"other"', "Range": "bytes=0-9"}, 200, slice(None)),
        ({"If-Range": etag, "Range": "bytes=0-9"}, 206, slice(10)),
    ]

    for headers, status, part in cases:
        answer = shown(boss, row, headers=headers)

        assert answer.status_code == status, headers
        if part is None:
            continue
        assert answer.content == content[part], headers
        assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == ("image/png", "nosniff")
        assert "sandbox" in answer.headers["content-security-policy"]
        assert bucket.private not in str(answer.headers)


def test_large_files_come_in_pieces_and_small_ones_as_thumbnails(
    api: Api, boss: Speaker, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PIECE", 1000)
    project, content = project_with(boss), picture("noise", 200)
    bucket.put("x.png", content)
    collect(api, boss, project)
    row = rows_of(boss, project)["x.png"]

    assert shown(boss, row).content == content
    first = shown(boss, row, "/thumbnail", params={"side": 96})
    bucket.delete("x.png")
    second = shown(boss, row, "/thumbnail", params={"side": 96})
    assert max(Image.open(io.BytesIO(first.content)).size) == 96
    assert first.content == second.content


def test_sounds_have_their_length_and_waveform(api: Api, boss: Speaker, bucket: Bucket) -> None:
    project = project_with(boss, "audio")
    bucket.put("a/hum.wav", sound(1.5))
    bucket.put("a/photo.png", picture("red"))

    job = collect(api, boss, project)

    row = rows_of(boss, project)["a/hum.wav"]
    assert row["audio"]["seconds"] == 1.5
    assert [each["error"] for each in job["result"]["rejected"]] == [
        "the file is image/png; this project holds audio/* files"
    ]
    drawn = boss.get(row["audio"]["url"].removeprefix("/api/v1") + "/thumbnail")
    assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/png")


def test_rows_of_an_import_name_files_in_a_bucket(api: Api, boss: Speaker, bucket: Bucket) -> None:
    project = project_with(boss)
    bucket.put("a.png", picture("red"))
    bucket.put("b.txt", b"no picture")
    names = {"a": "a.png", "b": "b.txt", "gone": "gone.png"}

    report = boss.push(project, [{"key": key, "image": f"bucket:pets/{path}"} for key, path in names.items()])
    before = {row["state"] for row in rows_of(boss, project).values()}
    api.worker().run_waiting()

    rows = rows_of(boss, project)
    assert (report["created"], before) == (3, {"fetching"})
    assert (rows["a"]["state"], rows["a"]["image"]["width"]) == ("open", 40)
    assert (rows["b"]["state"], "no PNG" in rows["b"]["reason"]) == ("failed", True)
    assert (rows["gone"]["state"], rows["gone"]["reason"]) == ("failed", "the file is not in its bucket any more")
    assert shown(boss, rows["a"]).content == picture("red")


def test_no_address_reads_what_was_not_granted(api: Api, boss: Speaker, bucket: Bucket) -> None:
    project = project_with(boss)
    bucket.put("a.png", picture("red"))
    (api.settings.data / "secret.png").write_bytes(picture("red"))
    closed = ["bucket:other/a.png", "bucket:none/a.png", "bucket:pets/../a.png", "bucket:pets/%2e%2e/data/secret.png"]
    closed += ["bucket:pets//etc/passwd", f"bucket:pets/{api.settings.data}/secret.png", "s3://real-bucket/a.png"]
    closed += ["file:///etc/passwd", f"file://{api.settings.data}/secret.png", "bucket:pets", "bucket:pets/\\a.png"]

    report = boss.push(project, [{"key": str(n), "image": address} for n, address in enumerate(closed)])
    asked = [
        boss.post(f"/projects/{project}/media/bucket", json={"bucket": name, "prefix": prefix}).status_code
        for name, prefix in (("other", ""), ("none", ""), ("pets", "../"), ("pets", "%2e%2e/"), ("pets", "/etc"))
    ]

    assert (report["created"], report["rejected_count"]) == (0, len(closed))
    assert asked == [404, 404, 422, 422, 422]
    assert bucket.private not in json.dumps(report)


def test_only_admins_grant_and_what_is_taken_away_is_not_shown(api: Api, boss: Speaker, bucket: Bucket) -> None:
    project = project_with(boss)
    bucket.put("a.png", picture("red"))
    collect(api, boss, project)
    row = rows_of(boss, project)["a.png"]
    api.user("mia")
    boss.post(f"/projects/{project}/members", json={"user": "mia", "role": "manager"})
    mia = api.as_("mia")

    refused = mia.put(f"/projects/{project}/buckets/other").status_code, mia.get("/buckets").status_code
    known = mia.get(f"/projects/{project}/buckets").json()
    unnamed = boss.put(f"/projects/{project}/buckets/none").status_code
    listed = boss.get("/buckets").json()["items"]
    boss.delete(f"/projects/{project}/buckets/pets")
    after = shown(boss, row), shown(mia, row, "/thumbnail")
    boss.put(f"/projects/{project}/buckets/pets")

    assert (refused, known, unnamed) == ((403, 403), {"buckets": ["pets"]}, 404)
    assert [(each["name"], each["projects"]) for each in listed] == [("other", []), ("pets", [project])]
    assert bucket.private not in json.dumps(listed)
    assert [answer.status_code for answer in after] == [404, 404]
    assert shown(boss, row).status_code == 200
    assert api.as_("eve").get(row["image"]["url"].removeprefix("/api/v1")).status_code == 404


@both
def test_a_lost_file_takes_its_open_items_out_and_a_changed_one_comes_back_as_new_content(
    api: Api, boss: Speaker, bucket: Bucket
) -> None:
    project = project_with(boss)
    for name in ("gone.png", "changed.png", "answered.png", "back.png"):
        bucket.put(name, picture("red"))
    collect(api, boss, project)
    boss.push(project, [{"key": "answered.png", "label": "cat"}])
    rows = rows_of(boss, project)
    bucket.delete("gone.png")
    bucket.delete("back.png")
    bucket.put("changed.png", picture("blue", 41))
    bucket.put("answered.png", picture("blue", 41))

    answers = {name: shown(boss, row) for name, row in rows.items()}
    small = shown(boss, rows["gone.png"], "/thumbnail").status_code
    api.worker().run_waiting()
    after = rows_of(boss, project)
    bucket.put("back.png", picture("red"))
    refused = collect(api, boss, project)["result"]
    taken = rows_of(boss, project)
    replaced = collect(api, boss, project, on_change="replace")["result"]

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(rows, 404)
    assert small == 404
    assert answers["changed.png"].json()["detail"] == "the file in the bucket has changed since it was taken in"
    assert {name: row["state"] for name, row in after.items()} == {
        "gone.png": "failed", "back.png": "failed", "changed.png": "failed", "answered.png": "open",
    }  # fmt: skip
    assert after["gone.png"]["reason"] == "the file is not in its bucket any more"
    assert (taken["changed.png"]["state"], taken["changed.png"]["revision"]) == ("open", 2)
    assert shown(boss, taken["changed.png"]).content == picture("blue", 41)
    assert (taken["back.png"]["state"], taken["gone.png"]["state"]) == ("open", "failed")
    assert [row["key"] for row in refused["rejected"]] == ["answered.png"]
    assert replaced["updated"] == 1
    assert rows_of(boss, project)["answered.png"]["revision"] == 2
    assert collect(api, boss, project)["result"]["unchanged"] == 3


@pytest.mark.night
@both
def test_a_bucket_that_is_down_is_503_and_jobs_wait_for_it(
    api: Api, boss: Speaker, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "AGAIN_SECONDS", 0.0)
    project = project_with(boss)
    bucket.put("a.png", picture("red"))
    collect(api, boss, project)
    row = rows_of(boss, project)["a.png"]
    bucket.put("b.png", picture("blue"))
    boss.push(project, [{"key": "named", "image": "bucket:pets/b.png"}])
    body = {"bucket": "pets", "prefix": ""}
    job = boss.post(f"/projects/{project}/media/bucket", json=body).json()["job"]["id"]

    with bucket.down():
        answers = [shown(boss, row), shown(boss, row, "/thumbnail")]
        for _ in range(8):
            api.worker().run_one()
        waiting, states = boss.get(f"/jobs/{job}").json(), rows_of(boss, project)["named"]["state"]
    make_due(api)
    api.run_jobs_until(lambda: rows_of(boss, project)["named"]["state"] == "open")
    done = boss.get(f"/jobs/{job}").json()

    assert [answer.status_code for answer in answers] == [503, 503]
    assert all(answer.headers["retry-after"] for answer in answers)
    assert (waiting["state"], states) == ("running", "fetching")
    assert waiting["reason"] in (
        "The bucket cannot be reached now; try again shortly.",
        "the folder of this bucket is not there now",
    )
    assert (done["state"], done["result"]["created"]) == ("done", 1)
    told = json.dumps([waiting, *[answer.text for answer in answers]])
    assert bucket.private not in told
    assert "very-secret-key" not in told


def make_due(api: Api) -> None:
    """What waits is due now."""
    with api.db.write() as session:
        moment = api.db.now()
        session.execute(update(Job).where(Job.state == "waiting").values(due_at=moment))


@both
def test_features_wait_for_a_bucket_that_is_down_and_leave_out_what_is_lost(
    api: Api, boss: Speaker, bucket: Bucket
) -> None:
    project = project_with(boss)
    for n in range(20):
        bucket.put(f"{n}.png", picture("noise", 32))
    answer = boss.post(f"/projects/{project}/media/bucket", json={"bucket": "pets"})
    while boss.get(f"/jobs/{answer.json()['job']['id']}").json()["state"] != "done":
        api.worker().run_one()
    bucket.delete("7.png")

    with bucket.down():
        api.worker().run_waiting()
        before = boss.get(f"/projects/{project}/status").json()["features"]
    make_due(api)
    api.worker().run_waiting()

    after = boss.get(f"/projects/{project}/status").json()["features"]
    assert (before["featurizer"], after["featurizer"]) == (None, "descriptors")
    assert [key for key, row in rows_of(boss, project).items() if row["state"] == "failed"] == ["7.png"]
    assert not list((api.settings.data / "tmp").iterdir())


def test_a_copy_is_stored_and_lives_without_the_bucket(api: Api, boss: Speaker, bucket: Bucket) -> None:
    project = project_with(boss)
    bucket.put("cat/a.png", picture("noise", 64))

    first = collect(api, boss, project, copy=True)["result"]
    again = collect(api, boss, project, copy=True)["result"]
    bucket.delete("cat/a.png")
    row = rows_of(boss, project)["cat/a.png"]

    assert (first["created"], again["unchanged"]) == (1, 1)
    assert shown(boss, row).status_code == 200
    assert len([each for each in (api.settings.data / "media").rglob("*") if each.is_file()]) == 1


@both
def test_a_killed_import_goes_on_behind_its_cursor_and_memory_holds_a_page(
    api: Api, boss: Speaker, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "SLICE_SECONDS", 0.0)
    project = project_with(boss)
    for n in range(40):
        bucket.put(f"{n:02}.png", picture("red"))
    job = boss.post(f"/projects/{project}/media/bucket", json={"bucket": "pets"}).json()["job"]["id"]

    api.worker().run_one()
    seen = boss.get(f"/jobs/{job}").json()["progress"]["done"]
    api.worker().run_waiting()

    assert 0 < seen < 40
    assert boss.get(f"/jobs/{job}").json()["result"]["created"] == 40


@both
def test_check_finds_what_a_bucket_has_lost(api: Api, boss: Speaker, bucket: Bucket) -> None:
    project = project_with(boss)
    for name in ("a.png", "b.png"):
        bucket.put(name, picture("red"))
    collect(api, boss, project)
    bucket.delete("b.png")

    lines = [line for line in service.checked(api.db, api.settings, every=True) if "pets" in line[0]]
    sampled = [line for line in service.checked(api.db, api.settings, every=False) if "pets" in line[0]]

    assert lines == sampled
    assert [(good, detail.split(";")[0]) for _, good, detail in lines] == [(False, "1 of 2")]
    assert bucket.private not in str(lines)
