"""Stored files: their names, ranges and thumbnails, and that erasing takes them from the disk."""

import io
import os
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import event, select

from app.core import contents
from app.core.settings import Settings
from app.db import FeatureSet, FeatureShard, Flag, Item, Media
from app.features import newest
from app.main import create_app
from app.services import features, media, pool, sweeping, thumbnails
from tests.conftest import Api, Speaker


def png(color: str, side: int = 40) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), color).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


def images(boss: Speaker) -> int:
    found: int = boss.project(["red", "blue"], modality="image", audit_share=0)["id"]
    return found


def upload(boss: Speaker, project: int, *files: tuple[str, bytes]) -> list[dict[str, Any]]:
    answer = boss.post(f"/projects/{project}/media", files=[("files", file) for file in files])
    assert answer.status_code == 201, answer.text
    found: list[dict[str, Any]] = answer.json()["media"]
    return found


def on_disk(api: Api, folder: str) -> list[Path]:
    return [each for each in (api.settings.data / folder).rglob("*") if each.is_file()]


def flip(path: Path) -> None:
    """Change one bit in the middle, as a disk does: length and times stay."""
    said, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(said.st_atime_ns, said.st_mtime_ns))


def test_a_file_with_a_flipped_bit_is_not_shown_as_good(
    api: Api, boss: Speaker, caplog: pytest.LogCaptureFixture
) -> None:
    """Only the length was looked at: other bytes of that length were shown, and labelled."""
    project = images(boss)
    whole, damaged = upload(boss, project, ("a.png", png("red")), ("b.png", png("blue")))
    [path] = [each for each in on_disk(api, "media") if each.name == damaged["sha256"]]
    flip(path)

    for address in ("", "/thumbnail"):
        refused = boss.get(f"/media/{damaged['id']}{address}")
        assert (refused.status_code, refused.json()["error"]) == (404, "NotFound")
        assert "damaged" in refused.json()["detail"]
        assert boss.get(f"/media/{whole['id']}{address}").status_code == 200
    part = {"Range": "bytes=0-3", "If-None-Match": f'"{damaged["sha256"]}"'}
    assert boss.get(f"/media/{damaged['id']}", headers=part).status_code == 404
    assert caplog.text.count("holds other bytes than were taken in") == 1  # it was read once
    boss.push(project, [{"key": "whole", "image": whole["id"]}, {"key": "damaged", "image": damaged["id"]}])
    with api.db.read() as session:
        rows = session.execute(select(Item.payload, Item.project_id).order_by(Item.id)).all()
        assert [each is None for each in features.payloads(session, api.settings, "image", rows)] == [False, True]
    assert media.whole_path(api.settings, project, damaged["sha256"]) is None  # nor is it learned from
    assert media.whole_path(api.settings, project, whole["sha256"]) is not None

    upload(boss, project, ("b.png", png("blue")))  # sent again it is whole again
    assert boss.get(f"/media/{damaged['id']}").content == png("blue")


def test_a_whole_file_is_read_once_and_a_very_large_one_not_at_all(
    api: Api, boss: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = images(boss)
    [kept] = upload(boss, project, ("a.png", png("green", 41)))
    read: list[Path] = []
    real = contents.sha256_of
    monkeypatch.setattr(contents, "sha256_of", lambda path: (read.append(path), real(path))[1])

    for _ in range(5):
        assert boss.get(f"/media/{kept['id']}").status_code == 200
    assert len(read) == 1
    os.utime(read[0])
    assert boss.get(f"/media/{kept['id']}").status_code == 200
    assert len(read) == 2  # somebody touched it
    flip(read[0])
    os.utime(read[0])
    assert boss.get(f"/media/{kept['id']}").status_code == 404
    monkeypatch.setattr(contents, "LARGEST", 10)
    assert boss.get(f"/media/{kept['id']}").status_code == 200
    assert len(read) == 3


def test_the_same_bytes_under_two_names_are_two_rows_and_one_file(api: Api, boss: Speaker) -> None:
    project = images(boss)

    one, two = upload(boss, project, ("one.png", png("red")), ("two.png", png("red")))
    again = upload(boss, project, ("one.png", png("red")))[0]
    boss.push(project, [{"key": "1", "image": {"name": "one.png"}}, {"key": "2", "image": {"name": "two.png"}}])

    assert one["id"] != two["id"]
    assert (one["sha256"], again["id"]) == (two["sha256"], one["id"])
    assert len(on_disk(api, "media")) == 1
    items = boss.get(f"/projects/{project}/items").json()["items"]
    assert [row["image"]["name"] for row in items] == ["one.png", "two.png"]


@pytest.mark.parametrize(
    ("headers", "status", "part"),
    [
        ({}, 200, slice(None)),
        ({"Range": "bytes=0-9"}, 206, slice(10)),
        ({"Range": "bytes=10-"}, 206, slice(10, None)),
        ({"Range": "bytes=-5"}, 206, slice(-5, None)),
        ({"Range": "bytes=0-0,2-3"}, 200, slice(None)),
        ({"Range": "bytes=" + "0-0," * 5_000}, 200, slice(None)),
        ({"Range": "bytes=99999999999999999999-"}, 416, None),
        ({"Range": "bytes=5-2"}, 400, None),
        ({"Range": "lines=1-2"}, 400, None),
        ({"If-None-Match": "*"}, 304, None),
        ({"If-None-Match": '"x", W/"{etag}"'}, 304, None),
        ({"If-None-Match": '"other"'}, 200, slice(None)),
        ({"If-Range": '"other"', "Range": "bytes=0-9"}, 200, slice(None)),
        ({"If-Range": '"{etag}"', "Range": "bytes=0-9"}, 206, slice(10)),
    ],
)
def test_a_file_is_given_whole_in_one_range_or_not_again(
    boss: Speaker, headers: dict[str, str], status: int, part: slice | None
) -> None:
    content = png("red")
    file = upload(boss, images(boss), ("one.png", content))[0]

    answer = boss.get(
        f"/media/{file['id']}", headers={name: text.replace("{etag}", file["sha256"]) for name, text in headers.items()}
    )

    assert answer.status_code == status
    if part is not None:
        assert answer.content == content[part]
        assert answer.headers["etag"] == f'"{file["sha256"]}"'
        assert answer.headers["content-type"] == "image/png"
        assert "sandbox" in answer.headers["content-security-policy"]
    elif status == 304:
        assert answer.content == b""


def test_files_are_looked_up_by_name_many_at_once(api: Api, boss: Speaker) -> None:
    project = images(boss)
    files = upload(boss, project, *((f"img {n}.png", png(f"#0000{n:02x}")) for n in range(40)))
    upload(boss, project, ("img 0.png", png("green")))  # of a name that was used twice, the newest
    rows: list[dict[str, Any]] = [{"key": f"k{n}", "image": {"name": f"img {n}.png"}} for n in range(40)]
    rows += [{"key": "id", "image": files[3]["id"]}, {"key": "none", "image": {"name": "none.png"}}]
    rows += [{"key": "long", "image": {"name": "x" * 501}}, {"key": "list", "image": {"name": ["x"]}}]
    asked: list[str] = []
    event.listen(api.db.reading, "before_cursor_execute", lambda *given: asked.append(given[2]))

    report = boss.push(project, rows)

    assert (report["created"], [row["key"] for row in report["rejected"]]) == (41, ["none", "long", "list"])
    assert sum("FROM media" in statement for statement in asked) == 2
    shown = boss.get(f"/projects/{project}/items", params={"key": "k0"}).json()["items"][0]["image"]
    assert boss.get(shown["url"].removeprefix("/api/v1")).content == png("green")


def test_a_zips_damaged_and_wandering_entries_are_named_and_the_others_stored(api: Api, boss: Speaker) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("broken.png", "sum.png", "good.png", "../../up.png", "/root.png"):
            archive.writestr(name, png("red", 300))
        archive.writestr("x.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
        archive.writestr("x.png", b"<script>alert(1)</script>")
    content = bytearray(out.getvalue())
    first, second = zipfile.ZipFile(io.BytesIO(content)).infolist()[:2]
    begin = first.header_offset + 30 + len("broken.png")
    content[begin : begin + 8] = b"\xff" * 8
    content[content.find(b"sum.png", second.header_offset + 60) - 30] ^= 0xFF  # the checksum that the list of files has

    answer = boss.post(f"/projects/{images(boss)}/media", files=[("files", ("all.zip", bytes(content)))])

    assert answer.status_code == 201
    assert [file["name"] for file in answer.json()["media"]] == ["good.png"]
    refused = {each["name"]: each["error"] for each in answer.json()["rejected"]}
    assert list(refused) == ["broken.png", "sum.png", "../../up.png", "/root.png", "x.svg", "x.png"]
    assert "outside the archive" in refused["../../up.png"]
    assert len(on_disk(api, "media")) == 1
    assert on_disk(api, "tmp") == []


def test_a_thumbnail_is_made_once_a_size_and_kept(api: Api, boss: Speaker) -> None:
    file = upload(boss, images(boss), ("one.png", png("red", 300)))[0]
    path = f"/media/{file['id']}/thumbnail"

    first = boss.get(path, params={"side": 100})
    kept = on_disk(api, "thumbnails")
    second = boss.get(path, params={"side": 127})
    unchanged = boss.get(path, params={"side": 100}, headers={"If-None-Match": first.headers["etag"]})

    assert max(Image.open(io.BytesIO(first.content)).size) == 96
    assert first.content == second.content
    assert on_disk(api, "thumbnails") == kept
    assert len(kept) == 1
    assert unchanged.status_code == 304
    for side in ("0", "-1", "1025", "x", "NaN", "1e9"):
        assert boss.get(path, params={"side": side}).status_code == 422
    assert oct(kept[0].stat().st_mode)[-3:] == "600"


def test_thumbnails_used_longest_ago_go_first(api: Api, boss: Speaker, monkeypatch: pytest.MonkeyPatch) -> None:
    project = images(boss)
    monkeypatch.setattr(thumbnails, "LOOK_EVERY", 1)
    files = upload(boss, project, *((f"{n}.png", png(f"#0000{n:02x}", 64)) for n in range(6)))
    boss.get(f"/media/{files[0]['id']}/thumbnail")
    size = on_disk(api, "thumbnails")[0].stat().st_size
    bounded = api.settings.model_copy(update={"thumbnail_bytes": 4 * size})
    api.client.app.state.settings = bounded

    for number, file in enumerate(files):
        boss.get(f"/media/{file['id']}/thumbnail")
        for each in on_disk(api, "thumbnails"):
            if file["sha256"] in each.name:
                os.utime(each, (1_000 + number, 1_000 + number))
        boss.get(f"/media/{files[0]['id']}/thumbnail")  # always in use

    names = {each.name.split("-")[0] for each in on_disk(api, "thumbnails")}
    assert files[0]["sha256"] in names
    assert files[1]["sha256"] not in names
    assert sum(each.stat().st_size for each in on_disk(api, "thumbnails")) <= 4 * size


def erase(boss: Speaker, project: int, key: str) -> int:
    item = boss.get(f"/projects/{project}/items", params={"key": key}).json()["items"][0]["id"]
    assert boss.delete(f"/items/{item}", params={"erase": True}).status_code == 204
    found: int = item
    return found


def test_erasing_removes_the_file_only_with_the_last_item_that_shows_it(api: Api, boss: Speaker) -> None:
    project = images(boss)
    one, two = upload(boss, project, ("one.png", png("red")), ("two.png", png("red")))
    boss.push(project, [{"key": "1", "image": one["id"]}, {"key": "2", "image": two["id"]}])
    boss.get(f"/media/{one['id']}/thumbnail")

    erase(boss, project, "1")
    api.worker().run_waiting()
    between = boss.get(f"/media/{two['id']}").status_code, len(on_disk(api, "media")), len(on_disk(api, "thumbnails"))
    erase(boss, project, "2")
    api.worker().run_waiting()

    assert between == (200, 1, 1)
    assert boss.get(f"/media/{two['id']}").status_code == 404
    assert on_disk(api, "media") == on_disk(api, "thumbnails") == []
    with api.db.read() as session:
        assert session.execute(select(Media.id)).all() == []


def test_erasing_takes_an_items_vectors_out_of_every_shard_and_leaves_the_others(api: Api, boss: Speaker) -> None:
    project = boss.project(audit_share=0)["id"]
    boss.push(project, [{"key": str(n), "text": f"the text number {n}"} for n in range(30)])
    api.worker().run_waiting()
    boss.push(project, [{"key": "7", "text": "another text"}], on_change="replace")
    api.worker().run_waiting()
    before, places = stored(api, project)

    item = erase(boss, project, "7")
    api.worker().run_waiting()
    after, kept = stored(api, project)

    assert sum(row[0] == item for row in before) == 2
    assert [row for row in before if row[0] != item] == after
    assert [place[0] for place in places] == [place[0] for place in kept]  # the manifest's order
    files = {each.name.split(".")[0] for each in on_disk(api, "features") if each.suffix == ".npy"}
    assert files == {place[1] for place in kept}
    with api.db.read() as session:
        found = pool.active(session, api.settings, project)
        assert found is not None
        assert sum(len(shard.load().ids) for shard in newest(found.opened())) == 29


def stored(api: Api, project: int) -> tuple[list[tuple[Any, ...]], list[tuple[int, str]]]:
    with api.db.read() as session:
        found = pool.active(session, api.settings, project)
        rows = session.execute(
            select(FeatureShard.id, FeatureShard.name)
            .join(FeatureSet, FeatureSet.id == FeatureShard.feature_set_id)
            .where(FeatureSet.project_id == project)
            .order_by(FeatureShard.id)
        ).all()
    assert found is not None
    vectors = [
        (int(identity[0]), int(identity[2]), np.asarray(vector).round(5).tolist())
        for shard in found.opened()
        for identity, vector in zip(shard.ids(), shard.block().dense, strict=True)
    ]
    return vectors, [(row.id, row.name) for row in rows]


def test_erasing_leaves_nothing_of_an_item_in_its_rows(api: Api, boss: Speaker) -> None:
    project = boss.project(audit_share=0)["id"]
    boss.push(project, [{"key": "secret key", "text": "a secret text", "metadata": {"who": "secret"}, "label": "cat"}])
    item = boss.get(f"/projects/{project}/items").json()["items"][0]["id"]
    boss.post(f"/items/{item}/flags", json={"note": "a secret note"})
    boss.delete(f"/items/{item}")

    first = boss.delete(f"/items/{item}", params={"erase": True}).status_code
    again = boss.delete(f"/items/{item}", params={"erase": True}).status_code
    api.worker().run_waiting()

    assert (first, again) == (204, 404)
    with api.db.read() as session:
        row = session.get_one(Item, item)
        assert "secret" not in f"{row.key} {row.payload} {row.meta} {row.content_hash}"
        assert session.execute(select(Flag.id)).all() == []
    everything = boss.get(f"/projects/{project}/export", params={"extra": True}).text
    assert "secret" not in everything


def test_what_died_processes_left_is_swept_at_the_start_but_not_what_a_job_waits_for(
    api: Api, boss: Speaker, settings: Settings
) -> None:
    project = boss.project()["id"]
    headers = {"Content-Type": "application/x-ndjson"}
    boss.post(f"/projects/{project}/items", params={"async": True}, content=b'{"text": "x"}\n', headers=headers)
    folder = api.settings.data / "tmp"
    waiting = next(folder.glob("*.import"))
    for name in ("old.body", "old.export", f"{waiting.stem}.rows", "fresh.body"):
        (folder / name).write_text("x")
    for each in folder.iterdir():
        if each.name != "fresh.body":
            os.utime(each, (time.time() - 90_000,) * 2)

    gone = sweeping.sweep(api.db, api.settings)

    assert gone == 2
    assert {each.name for each in folder.iterdir()} == {waiting.name, f"{waiting.stem}.rows", "fresh.body"}
    assert api.worker().run_waiting() > 0


def test_the_server_sweeps_when_it_starts(settings: Settings) -> None:
    (settings.data / "tmp").mkdir(parents=True)
    old = settings.data / "tmp" / "old.body"
    old.write_text("x")
    os.utime(old, (time.time() - 90_000,) * 2)

    with TestClient(create_app(settings)):
        pass

    assert not old.exists()
