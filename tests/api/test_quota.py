"""The quota of stored files: held for each file, while bytes arrive, and among uploads at the same time."""

import io
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.api import forms
from app.core.settings import Settings
from app.db import WriteSession
from app.services import buckets, media, quota
from tests.buckets import FolderBucket
from tests.conftest import Api, Speaker

SIDE = 60


def noise(seed: int) -> bytes:
    """A picture of about SIDE * SIDE * 3 bytes that nothing makes smaller."""
    out = io.BytesIO()
    pixels = bytes((seed * 97 + n * n * 31 + n // 7) % 256 for n in range(SIDE * SIDE * 3))
    Image.frombytes("RGB", (SIDE, SIDE), pixels).save(out, "PNG", compress_level=0)
    return out.getvalue()


ONE = len(noise(0))


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


def with_quota(api: Api, size: int) -> None:
    api.client.app.state.settings = api.settings.model_copy(update={"media_bytes": size})


def pictures(boss: Speaker) -> int:
    found: int = boss.project(["a", "b"], modality="image", audit_share=0)["id"]
    return found


def send(boss: Speaker, project: int, *files: tuple[str, bytes]) -> Any:
    return boss.post(f"/projects/{project}/media", files=[("files", file) for file in files])


def kept(api: Api) -> list[Path]:
    return [each for name in ("media", "tmp") for each in (api.settings.data / name).rglob("*") if each.is_file()]


def test_each_file_of_an_upload_is_counted(api: Api, boss: Speaker) -> None:
    project = pictures(boss)
    with_quota(api, 2 * ONE + 100)

    answer = send(boss, project, *((f"{n}.png", noise(n)) for n in range(2)))
    more = send(boss, project, ("2.png", noise(2)))
    same = send(boss, project, ("again.png", noise(1)))

    assert [each["name"] for each in answer.json()["media"]] == ["0.png", "1.png"]
    assert (more.status_code, more.json()["error"]) == (507, "NoRoom")
    assert f"may take {2 * ONE + 100:,} bytes" in more.json()["detail"]
    assert same.status_code == 507  # its bytes would have to be taken in before it is known that they are the same
    assert len(kept(api)) == 2


def test_a_zip_is_counted_as_it_unpacks_and_what_finds_no_room_is_named(api: Api, boss: Speaker) -> None:
    project = pictures(boss)
    with_quota(api, 3 * ONE + 100)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(6):
            archive.writestr(f"{n}.png", noise(n))
    assert len(out.getvalue()) < 3 * ONE, "the ZIP itself would find no room"

    answer = send(boss, project, ("all.zip", out.getvalue()))

    assert answer.status_code == 201
    assert [each["name"] for each in answer.json()["media"]] == ["0.png", "1.png", "2.png"]
    assert [each["name"] for each in answer.json()["rejected"]] == ["3.png", "4.png", "5.png"]
    assert all("LABELWISE_MEDIA_BYTES" in each["error"] for each in answer.json()["rejected"])
    assert len(kept(api)) == 3


def test_a_body_that_says_its_length_is_refused_before_a_byte_of_it(
    api: Api, boss: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = pictures(boss)
    with_quota(api, ONE)
    written: list[int] = []
    parse = forms.MultipartParser.write

    def write(self: forms.MultipartParser, data: bytes) -> int:
        written.append(len(data))
        return parse(self, data)

    monkeypatch.setattr(forms.MultipartParser, "write", write)

    refused = send(boss, project, ("big.png", b"\x89PNG" + bytes(forms.FORM_BYTES + ONE)))

    assert (refused.status_code, written) == (507, [])
    assert send(boss, project, ("0.png", noise(0))).status_code == 201  # the form's own bytes take none of the room
    assert written != []


def test_bytes_are_counted_as_they_come_where_no_length_is_said(api: Api, boss: Speaker) -> None:
    project = pictures(boss)
    with_quota(api, 500_000)
    sent: list[int] = []

    def body() -> Any:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        for _ in range(100):
            sent.append(100_000)
            yield bytes(100_000)
        yield b"\r\n--x--\r\n"

    form = {"Content-Type": "multipart/form-data; boundary=x"}
    refused = boss.post(f"/projects/{project}/media", content=body(), headers=form)

    assert refused.status_code == 507
    assert kept(api) == []


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_form_that_is_cut_off_stores_nothing(api: Api, boss: Speaker, cut: int) -> None:
    project = pictures(boss)
    whole = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n' + noise(0) + b"\r\n--x--"
    form = {"Content-Type": "multipart/form-data; boundary=x"}

    refused = boss.post(f"/projects/{project}/media", content=whole[:-cut], headers=form)
    taken = boss.post(f"/projects/{project}/media", content=whole, headers=form)

    assert (refused.status_code, refused.json()["error"]) == (400, "BadSyntax")
    assert taken.status_code == 201
    assert len(kept(api)) == 1


def test_uploads_at_the_same_time_share_what_is_left(api: Api, boss: Speaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them see room for one file before any of them has named its own."""
    project = pictures(boss)
    with_quota(api, ONE + 100)
    together = threading.Barrier(4)
    store = media.store

    def stored(*given: Any) -> Any:
        found = store(*given)
        together.wait(30)
        return found

    monkeypatch.setattr(media, "store", stored)
    answers: list[int] = []
    senders = [
        threading.Thread(target=lambda n=n: answers.append(send(boss, project, (f"{n}.png", noise(n))).status_code))
        for n in range(4)
    ]
    for each in senders:
        each.start()
    for each in senders:
        each.join()

    assert sorted(answers) == [201, 507, 507, 507]
    assert len(kept(api)) == 1
    with api.db.read() as session:
        assert quota.stored_bytes(session) <= ONE + 100


def test_what_is_gone_from_the_folder_makes_room(api: Api, boss: Speaker) -> None:
    project = pictures(boss)
    with_quota(api, ONE + 100)
    [file] = send(boss, project, ("0.png", noise(0))).json()["media"]
    with api.db.write() as session:
        session.get_one(media.Media, file["id"]).lost = "removed after the project was closed"
        for path in kept(api):
            path.unlink()

    assert send(boss, project, ("1.png", noise(1))).status_code == 201
    back = send(boss, project, ("0.png", noise(0)))

    assert back.status_code == 507  # what comes back counts as what is new


def test_a_file_that_another_upload_removed_meanwhile_gets_no_row(
    api: Api, boss: Speaker, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = pictures(boss)
    room = quota.room

    def late(session: WriteSession, given: Settings) -> quota.Room:
        for path in kept(api):
            path.unlink()
        return room(session, given)

    monkeypatch.setattr(quota, "room", late)
    answer = send(boss, project, ("0.png", noise(0)))

    assert answer.json()["media"] == []
    assert "try again" in answer.json()["rejected"][0]["error"]


def test_files_of_a_form_are_told_apart_whatever_is_in_them(boss: Speaker) -> None:
    """Empty and tiny ones, bytes that look like the mark between two files, and other fields in between."""
    project = pictures(boss)
    parts = [("files", ("empty.png", b"")), ("files", ("tiny.png", b"\x89P")), ("files", ("1.png", noise(1)))]
    parts += [("other", ("x.png", noise(3))), ("files", ("mark.png", b"\r\n--" * 9)), ("files", ("2.png", noise(2)))]

    answer = boss.post(f"/projects/{project}/media", files=parts, data={"files": "no file", "word": "x"})

    assert answer.status_code == 201, answer.text
    assert [each["name"] for each in answer.json()["media"]] == ["1.png", "2.png"]
    assert [each["name"] for each in answer.json()["rejected"]] == ["empty.png", "tiny.png", "mark.png"]
    [one, two] = answer.json()["media"]
    assert [boss.get(f"/media/{each['id']}").content for each in (one, two)] == [noise(1), noise(2)]


def test_copies_of_a_buckets_files_are_held_to_the_quota(api: Api) -> None:
    """Files that are looked at together see the same room; the rows are written one after the other."""
    bucket = FolderBucket(api.settings.data.parent / "outside")
    for n in range(3):
        bucket.put(f"{n}.png", noise(n))
    more = {"buckets": f"pets={bucket.address}", "media_bytes": ONE + 100}
    api.client.app.state.settings = api.settings = api.settings.model_copy(update=more)
    buckets.opened.cache_clear()
    boss = api.as_("boss")
    project = pictures(boss)
    assert boss.put(f"/projects/{project}/buckets/pets").status_code == 204

    body = {"bucket": "pets", "prefix": "", "copy": True}
    job = boss.post(f"/projects/{project}/media/bucket", json=body).json()["job"]["id"]
    api.worker().run_waiting()

    found = boss.get(f"/jobs/{job}").json()["result"]
    assert (found["created"], found["rejected_count"]) == (1, 2)
    assert all("LABELWISE_MEDIA_BYTES" in each["error"] for each in found["rejected"])
    assert len([each for each in kept(api) if "media" in each.parts]) == 1
    assert not list((api.settings.data / "tmp").iterdir())
