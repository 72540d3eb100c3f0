"""Clips of video: what is taken, what is refused, and that a hostile file ends nothing but its decoder."""

import io
import os
import random
import signal
import struct
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.core import aside, clip_decoder, clips
from app.core.errors import InvalidPayload
from app.modalities import files
from app.modalities.base import FileInfo
from app.modalities.video import probe, sniff, thumbnail
from benchmarks.datasets import folder
from tests.clips import HEIGHT, WIDTH, square, tone, write

BUNNY = folder() / "bigbuckbunny_clip" / "media.zip"
CODINGS = [("libx264", "mp4"), ("libvpx", "webm"), ("libvpx-vp9", "webm")]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of H.264 with sound, whose index lies at the end of the file."""
    return write(tmp_path_factory.mktemp("clip") / "clip.mp4", square(2), sound=tone(2, 440))


def look(path: Path) -> FileInfo:
    return probe(path, megapixels=1, longest=60)


@pytest.mark.parametrize(("codec", "kind"), CODINGS)
def test_every_format_is_known_by_its_bytes_and_says_what_it_is(tmp_path: Path, codec: str, kind: str) -> None:
    path = write(tmp_path / "renamed.txt", square(2), codec=codec, kind=kind)

    assert look(path) == FileInfo(f"video/{kind}", WIDTH, HEIGHT, 2.0, 10.0)


def test_the_length_is_counted_and_not_believed(clip: Path, tmp_path: Path) -> None:
    content = clip.read_bytes()
    place = content.index(b"mvhd") + 4
    scale, length = struct.unpack(">II", content[place + 12 : place + 20])
    path = tmp_path / "liar.mp4"
    path.write_bytes(content[: place + 16] + struct.pack(">I", length // 20) + content[place + 20 :])

    assert scale * 2 == pytest.approx(length, rel=0.05)
    assert look(path).seconds == 2.0


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"megapixels": 1, "longest": 1.5}, "longer than the 1.5 seconds"),
        ({"megapixels": 0.005, "longest": 9}, r"the clip has 0\.0 megapixels; 0\.005 are allowed"),
    ],
)
def test_what_is_too_long_or_too_large_is_refused_with_words(clip: Path, limits: dict[str, float], words: str) -> None:
    with pytest.raises(InvalidPayload, match=words):
        probe(clip, **limits)


def test_a_coding_that_browsers_do_not_play_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = write(tmp_path / "old.mp4", square(0.5), codec="mpeg4")

    with pytest.raises(InvalidPayload, match=r"coded as mpeg4.* save it with H\.264"):
        look(path)


def test_sound_without_pictures_is_sent_to_a_project_of_sounds(tmp_path: Path) -> None:
    path = write(tmp_path / "talk.mp4", square(0), codec="", sound=tone(1, 300))

    with pytest.raises(InvalidPayload, match="holds no pictures; upload sounds"):
        look(path)


@pytest.mark.parametrize(("codec", "kind"), [("libx264", "mp4"), ("libvpx", "webm")])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, codec: str, kind: str) -> None:
    options = {"movflags": "faststart"} if kind == "mp4" else {}
    whole = write(tmp_path / "whole", square(8), codec=codec, kind=kind, options=options).read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(whole[: len(whole) * 6 // 10])

    with pytest.raises(InvalidPayload, match=r"cut off|cannot be read"):
        look(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0\0\x18ftyp", b"\0\0\0\x18ftypisom" + b"\0" * 200, b"\x1a\x45\xdf\xa3\x01webm" + b"\xff" * 300,
     b"\0\0\0\x14ftypqt  ", b"<html>", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0AVI LIST"],
)  # fmt: skip
def test_what_is_no_clip_is_refused_with_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.mp4"
    path.write_bytes(content)

    for ask in (lambda: look(path), lambda: thumbnail(path, 64)):
        with pytest.raises(InvalidPayload, match=r"clip|file"):
            ask()


@pytest.mark.parametrize(("codec", "kind"), CODINGS)
def test_damaged_files_are_taken_or_refused_and_never_break_out(tmp_path: Path, codec: str, kind: str) -> None:
    whole = write(tmp_path / "whole", square(1), codec=codec, kind=kind, sound=tone(1, 300)).read_bytes()
    chance, refused = random.Random(codec), 0
    for _ in range(60):
        content = bytearray(whole[: chance.randrange(12, len(whole))] if chance.random() < 0.3 else whole)
        for _ in range(chance.randrange(1, 12)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path = tmp_path / "damaged"
        path.write_bytes(bytes(content))
        try:
            assert files.look(path, megapixels=1, clip_megapixels=1, longest=60).seconds
            thumbnail(path, 32)
            clips.frames(path, count=4, gap=0.2, side=32, budget=1e9)
            clips.sound(path, 16_000, 60)
        except InvalidPayload:
            refused += 1
    assert refused


def test_an_index_that_promises_a_billion_pictures_costs_neither_memory_nor_time(clip: Path, tmp_path: Path) -> None:
    content = bytearray(clip.read_bytes())
    place = content.index(b"stsz") + 8
    content[place : place + 8] = struct.pack(">II", 1, 1_000_000_000)  # all of one byte
    place = content.index(b"stsc") + 12
    content[place + 4 : place + 8] = struct.pack(">I", 1_000_000_000)  # in one chunk
    path = tmp_path / "bomb.mp4"
    path.write_bytes(bytes(content))
    begun = time.monotonic()

    with pytest.raises(InvalidPayload):
        look(path)

    assert time.monotonic() - begun < 20
    assert look(clip).seconds == 2.0


def test_a_decoder_that_dies_or_hangs_is_a_refusal_and_the_next_clip_is_read(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(clip)
    os.kill(clips.decoders.waiting()[-1], signal.SIGKILL)
    with pytest.raises(InvalidPayload, match="its decoder gave up"):
        look(clip)
    assert look(clip).seconds == 2.0

    os.kill(clips.decoders.waiting()[-1], signal.SIGSTOP)
    with monkeypatch.context() as patched:
        patched.setattr(aside, "WAIT_SECONDS", 0.2)
        with pytest.raises(InvalidPayload, match="busy without an end"):
            look(clip)
    assert look(clip).seconds == 2.0


def test_a_clip_that_takes_too_long_to_read_is_refused(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_decoder, "PROCESSOR_SECONDS", -1)

    head, _ = clip_decoder._answer({"call": "look", "path": str(clip), "kind": "mp4", "longest": 9, "pixels": 1e6})

    assert "seconds to read" in head["error"]


def test_the_decoder_knows_no_secret(monkeypatch: pytest.MonkeyPatch, clip: Path) -> None:
    monkeypatch.setenv("LABELWISE_SECRET_KEY", "do not tell")
    decoder = aside.Decoder("clip_decoder")
    try:
        environment = Path(f"/proc/{decoder.pid}/environ")
        if environment.exists():
            assert b"do not tell" not in environment.read_bytes()
    finally:
        decoder.end()


def test_a_thumbnail_is_an_upright_picture_that_shows_something(tmp_path: Path) -> None:
    pictures = square(2, at=(4, 4), velocity=(0, 0), ground=0)
    pictures[7:14] = 0  # its middle is black
    path = write(tmp_path / "clip.mp4", pictures, keys_every=3)

    shown = np.asarray(Image.open(io.BytesIO(thumbnail(path, 48))))

    assert shown.shape == (32, 48, 3)
    assert shown[3:9, 3:9].mean() > 60
    assert shown[20:, 30:].mean() < 10


@pytest.mark.parametrize(("matrix", "corner"), [((0, 1, -1, 0), "right"), ((0, -1, 1, 0), "left")])
def test_a_clip_from_a_phone_held_upright_is_turned(
    tmp_path: Path, matrix: tuple[int, int, int, int], corner: str
) -> None:
    path = write(tmp_path / "clip.mp4", square(1, at=(4, 4), velocity=(0, 0), ground=0))
    content = path.read_bytes()
    place = content.index(struct.pack(">9I", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30), content.index(b"tkhd"))
    a, b, c, d = (each << 16 for each in matrix)
    path.write_bytes(content[:place] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + content[place + 36 :])

    info, shown = look(path), np.asarray(Image.open(io.BytesIO(thumbnail(path, 96))))

    assert (info.width, info.height) == (HEIGHT, WIDTH)
    assert shown.shape == (WIDTH, HEIGHT, 3)
    # The square stood at the upper left: turned to the right it stands at the upper right, else at the lower left.
    there = shown[6:18, -18:-6] if corner == "right" else shown[-18:-6, 6:18]
    assert there.mean() > 60


def test_sparse_pictures_are_those_of_their_moments(tmp_path: Path) -> None:
    grey = np.repeat(np.arange(0, 240, 8, dtype=np.uint8), HEIGHT * WIDTH * 3).reshape(-1, HEIGHT, WIDTH, 3)
    path = write(tmp_path / "clip.mp4", grey, keys_every=7)

    pixels, moments, seconds = clips.frames(path, count=5, gap=0.2, side=8, budget=1e9)
    cheap, at_keys, _ = clips.frames(path, count=5, gap=0.2, side=8, budget=1)

    assert seconds == pytest.approx(3)
    assert moments[:, 0] == pytest.approx([0.3, 0.9, 1.5, 2.1, 2.7])
    assert moments[:, 1] - moments[:, 0] == pytest.approx([0.2] * 5)
    assert pixels.mean(axis=(2, 3, 4)) == pytest.approx(80 * moments, abs=5)
    assert at_keys[:, 0] == pytest.approx([0, 0.7, 1.4, 2.1, 2.1])
    assert cheap.mean(axis=(2, 3, 4)) == pytest.approx(80 * at_keys, abs=5)


def test_the_sound_of_a_clip_is_heard(clip: Path, tmp_path: Path) -> None:
    samples = clips.sound(clip, 8_000, 1.0)
    silent = clips.sound(write(tmp_path / "silent.webm", square(1), codec="libvpx", kind="webm"), 8_000, 60)

    loudest = np.abs(np.fft.rfft(samples)).argmax()
    assert len(samples) == 8_000
    assert loudest == pytest.approx(440, abs=2)
    assert len(silent) == 0


def test_bytes_of_other_kinds_are_not_mistaken_for_clips() -> None:
    assert sniff(b"\0\0\0\x1cftypheic") is None  # a picture
    assert sniff(b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x23B\x82\x88matroska") is None
    assert sniff(b"\0\0\0\x18ftypmp42") == "mp4"


@pytest.mark.skipif(not BUNNY.exists(), reason="the film lies in a folder of data sets")
def test_a_real_film_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(BUNNY) as archive:
        path = Path(archive.extract("bigbuckbunny.mp4", tmp_path))

    assert probe(path, megapixels=9, longest=60) == FileInfo("video/mp4", 1280, 720, 5.28, 25.0)
    assert np.asarray(Image.open(io.BytesIO(thumbnail(path, 256)))).shape == (144, 256, 3)
