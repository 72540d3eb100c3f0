"""Projects of videos: files in, pictures of them out, and a loop that learns from them."""

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from tests.clips import made, square, tone, write
from tests.conftest import Api, Speaker

LABELLED = 20


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[str]]:
    return made(tmp_path_factory.mktemp("made"), LABELLED + 8, kinds=("left", "right"))


def test_a_zip_of_videos_becomes_labelled_items_with_pictures(boss: Speaker, tmp_path: Path) -> None:
    project = boss.project(["left", "right"], modality="video")["id"]
    one = write(tmp_path / "one.mp4", square(1.5), sound=tone(1.5, 300))
    two = write(tmp_path / "two.webm", square(0.5), codec="libvpx", kind="webm")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.write(one, "left/one.mp4")
        file.write(two, "right/two.webm")
        file.writestr("right/page.mp4", b"<html>")
        file.writestr("right/cut.mp4", one.read_bytes()[:3_000])

    answer = boss.post(
        f"/projects/{project}/media",
        files=[("files", ("clips.zip", archive.getvalue())), ("files", ("a.wav", b"RIFF\0\0\0\0WAVE"))],
        params={"labels": "folders"},
    ).json()
    items = boss.get(f"/projects/{project}/items").json()["items"]

    assert [each["type"] for each in answer["media"]] == ["video/mp4", "video/webm"]
    assert {each["name"] for each in answer["rejected"]} == {"right/page.mp4", "right/cut.mp4", "a.wav"}
    assert all("cannot be read" in each["error"] or "is no" in each["error"] for each in answer["rejected"])
    assert {each["answers"][0]["label"]["class"] for each in items} == {"left", "right"}
    media = items[0]["video"].pop("media")
    assert items[0]["video"] == {
        "url": f"/api/v1/media/{media}", "name": "left/one.mp4", "width": 96, "height": 64, "seconds": 1.5,
        "frames_per_second": 10.0,
    }  # fmt: skip
    shown = boss.get(f"/media/{media}/thumbnail", params={"side": 64})
    assert Image.open(io.BytesIO(shown.content)).size == (64, 43)
    part = boss.get(f"/media/{media}", headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content, part.headers["content-type"]) == (206, b"ftyp", "video/mp4")


def test_a_clip_over_a_limit_or_of_another_project_is_refused_with_words(
    api: Api, boss: Speaker, tmp_path: Path
) -> None:
    videos, images = boss.project(modality="video")["id"], boss.project(modality="image")["id"]
    api.client.app.state.settings = api.settings.model_copy(update={"clip_seconds": 1.0})
    content = write(tmp_path / "long.mp4", square(1.5)).read_bytes()
    short = write(tmp_path / "short.mp4", square(0.5)).read_bytes()

    long = boss.post(f"/projects/{videos}/media", files=[("files", ("long.mp4", content))]).json()
    other = boss.post(f"/projects/{images}/media", files=[("files", ("short.mp4", short))]).json()

    assert long["rejected"] == [{"name": "long.mp4", "error": "the clip is longer than the 1 seconds that are allowed"}]
    assert other["rejected"][0]["error"] == "the file is video/mp4; this project holds image/* files"


def test_an_export_of_videos_names_their_files_and_can_be_imported_again(boss: Speaker, tmp_path: Path) -> None:
    project = boss.project(modality="video")["id"]
    content = write(tmp_path / "a.mp4", square(0.5)).read_bytes()
    boss.post(f"/projects/{project}/media", files=[("files", ("a.mp4", content))])
    assert boss.push(project, [{"key": "a", "video": {"name": "a.mp4"}}])["created"] == 1

    exported = boss.get(f"/projects/{project}/export", params={"view": "items"}).json()
    again = boss.push(project, [exported])

    assert exported["video"] == {"name": "a.mp4"}
    assert again["unchanged"] == 1


@pytest.mark.night
def test_the_loop_learns_from_videos(api: Api, boss: Speaker, moving: tuple[list[Path], list[str]]) -> None:
    paths, labels = moving
    project = boss.project(["left", "right"], modality="video", audit_share=0)["id"]
    files = [("files", (path.name, path.read_bytes())) for path in paths]
    media = boss.post(f"/projects/{project}/media", files=files).json()["media"]
    rows = [{"key": str(number), "video": each["id"]} for number, each in enumerate(media)]
    for row, label in zip(rows[:LABELLED], labels, strict=False):
        row["label"] = label
    assert boss.push(project, rows)["created"] == len(paths)

    api.run_jobs()

    served = boss.post(f"/projects/{project}/leases", json={"count": 20}).json()
    suggested = {each["item"]["key"]: each["suggestion"] for each in served["leases"] if each["suggestion"]}
    right = [labels[int(key)] == each["label"]["class"] for key, each in suggested.items()]
    assert served["round"] >= 1
    assert len(right) >= 5
    assert sum(right) >= len(right) - 1
