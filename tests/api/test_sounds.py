"""Projects of sounds: files in, waveforms out, and a loop that learns from them."""

import io
import zipfile

import numpy as np
import pytest
import soundfile

from tests.conftest import Api, Speaker


def wav(hertz: float, seconds: float = 0.3, kind: str = "WAV") -> bytes:
    out, rate = io.BytesIO(), 8_000
    soundfile.write(out, 0.4 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate), rate, format=kind)
    return out.getvalue()


@pytest.fixture
def boss(api: Api) -> Speaker:
    return api.as_("boss")


def test_a_zip_of_sounds_becomes_labelled_items_with_waveforms(boss: Speaker) -> None:
    project = boss.project(["low", "high"], modality="audio")["id"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("low/one.wav", wav(200))
        file.writestr("high/two.mp3", wav(2_000, seconds=1, kind="MP3"))
        file.writestr("high/page.wav", b"<html>")
    png = bytes.fromhex("89504e470d0a1a0a") + b"\0" * 40

    answer = boss.post(
        f"/projects/{project}/media",
        files=[("files", ("clips.zip", archive.getvalue())), ("files", ("cat.png", png))],
        params={"labels": "folders"},
    ).json()
    items = boss.get(f"/projects/{project}/items").json()["items"]

    assert [each["type"] for each in answer["media"]] == ["audio/wav", "audio/mpeg"]
    assert {each["name"] for each in answer["rejected"]} == {"high/page.wav", "cat.png"}
    assert {each["answers"][0]["label"]["class"] for each in items} == {"low", "high"}
    assert [each["audio"]["seconds"] for each in items] == pytest.approx([0.3, 1.0], abs=0.15)  # MP3 pads its ends
    shown = boss.get(items[0]["audio"]["url"].removeprefix("/api/v1") + "/thumbnail?side=96")
    assert shown.headers["content-type"] == "image/png"
    part = boss.get(items[0]["audio"]["url"].removeprefix("/api/v1"), headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"RIFF")


def test_a_file_of_another_kind_is_refused_with_words(boss: Speaker) -> None:
    sounds = boss.project(modality="audio")["id"]
    images = boss.project(modality="image")["id"]

    refused = boss.post(f"/projects/{images}/media", files=[("files", ("a.wav", wav(300)))]).json()["rejected"]
    missing = boss.push(sounds, [{"key": "a", "audio": {"name": "nothing.wav"}}])

    assert refused == [{"name": "a.wav", "error": "the file is audio/wav; this project holds image/* files"}]
    assert missing["rejected"][0]["error"] == "there is no such file in this project: upload it to /media first"


def test_an_export_of_sounds_names_their_files_and_can_be_imported_again(boss: Speaker) -> None:
    project = boss.project(modality="audio")["id"]
    boss.post(f"/projects/{project}/media", files=[("files", ("a.wav", wav(300)))])
    assert boss.push(project, [{"key": "a", "audio": {"name": "a.wav"}}])["created"] == 1

    exported = boss.get(f"/projects/{project}/export", params={"view": "items"}).json()
    again = boss.push(project, [exported])

    assert exported["audio"] == {"name": "a.wav"}
    assert again["unchanged"] == 1


def test_the_loop_learns_from_sounds(api: Api, boss: Speaker) -> None:
    project = boss.project(["low", "high"], modality="audio", audit_share=0)["id"]
    rows = []
    for number in range(40):
        low = number % 2 == 0
        content = wav(200 + number if low else 2_000 + 10 * number)
        media = boss.post(f"/projects/{project}/media", files=[("files", (f"{number}.wav", content))]).json()["media"]
        label = {"label": {"class": "low" if low else "high"}} if number < 24 else {}
        rows.append({"key": str(number), "audio": media[0]["id"], **label})
    assert boss.push(project, rows)["created"] == 40

    api.run_jobs()

    served = boss.post(f"/projects/{project}/leases", json={"count": 10}).json()
    suggested = {each["item"]["key"]: each["suggestion"] for each in served["leases"] if each["suggestion"]}
    assert served["round"] >= 1
    assert suggested
    for key, suggestion in suggested.items():
        assert suggestion["label"]["class"] == ("low" if int(key) % 2 == 0 else "high")
