"""Sound files: what is taken, what is refused, and how a waveform is drawn."""

import io
import random
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from app.core.errors import InvalidPayload
from app.modalities import files
from app.modalities.audio import probe, sniff, thumbnail, waveform

RATE = 8_000
KINDS = {"WAV": "audio/wav", "WAVEX": "audio/wav", "FLAC": "audio/flac", "OGG": "audio/ogg", "MP3": "audio/mpeg"}


def clip(folder: Path, kind: str = "WAV", seconds: float = 0.5, channels: int = 1, level: float = 0.5) -> Path:
    """A tone that is loud in its second half only."""
    tone = level * np.sin(2 * np.pi * 440 * np.arange(int(seconds * RATE)) / RATE)
    tone[: len(tone) // 2] = 0
    path = folder / f"clip-{kind}-{channels}"
    soundfile.write(path, np.repeat(tone[:, None], channels, axis=1), RATE, format=kind)
    return path


@pytest.mark.parametrize(("kind", "type_"), KINDS.items())
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_is_known_by_its_bytes_and_says_how_long_it_is(
    tmp_path: Path, kind: str, type_: str, channels: int
) -> None:
    info = probe(clip(tmp_path, kind, channels=channels), longest=60)

    assert info.type == type_
    assert info.seconds == pytest.approx(0.5, abs=0.15)  # MP3 pads its ends
    assert info.width is None


def test_a_long_or_empty_clip_is_refused_with_words(tmp_path: Path) -> None:
    with pytest.raises(InvalidPayload, match=r"longer than the 0\.2 seconds"):
        probe(clip(tmp_path), longest=0.2)
    empty = tmp_path / "empty.wav"
    soundfile.write(empty, np.zeros(0), RATE)
    with pytest.raises(InvalidPayload, match="holds no sound"):
        probe(empty, longest=60)


@pytest.mark.parametrize(
    "content",
    [b"", b"RIFF", b"RIFF\xff\xff\xff\xffWAVEfmt ", b"fLaC" + b"\0" * 100, b"OggS" + b"\xff" * 200, b"ID3" + b"\0" * 50,
     b"\xff\xfb\x90\x00" + b"\0" * 500, b"<html>", b"\x89PNG\r\n\x1a\n"],
)  # fmt: skip
def test_what_is_no_sound_is_refused_with_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    with pytest.raises(InvalidPayload):
        probe(path, longest=60)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_damaged_files_are_taken_or_refused_and_never_break_out(tmp_path: Path, kind: str) -> None:
    whole = clip(tmp_path, kind).read_bytes()
    chance = random.Random(kind)
    refused = 0
    for _ in range(150):
        content = bytearray(whole[: chance.randrange(12, len(whole))] if chance.random() < 0.3 else whole)
        for _ in range(chance.randrange(1, 12)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path = tmp_path / "damaged"
        path.write_bytes(bytes(content))
        try:
            assert files.look(path, megapixels=1, clip_megapixels=1, longest=60).seconds
            assert waveform(path, 50).max() <= 1
        except InvalidPayload:
            refused += 1
    assert refused


def test_a_waveform_shows_where_the_sound_is(tmp_path: Path) -> None:
    levels = waveform(clip(tmp_path), 100)

    assert levels.shape == (100,)
    assert levels[:50].max() < 0.01
    assert levels[52:].min() > 0.3


def test_a_thumbnail_is_the_waveform_and_silence_stays_flat(tmp_path: Path) -> None:
    loud = np.asarray(Image.open(io.BytesIO(thumbnail(clip(tmp_path), 96))))
    quiet = np.asarray(Image.open(io.BytesIO(thumbnail(clip(tmp_path, "FLAC", level=1e-4), 96))))

    assert loud.shape == (48, 96, 4)
    inked = loud[..., 3] > 0
    assert inked[:, 60:].sum() > 10 * inked[:, :40].sum()
    assert (quiet[..., 3] > 0).sum() < 3 * 96


def test_bytes_of_other_kinds_are_not_mistaken_for_sound() -> None:
    assert sniff(b"RIFF\0\0\0\0WEBP") is None
    assert sniff(b"\xff\xd8\xff\xe0") is None  # JPEG
    assert sniff(b"\xff\xff\xff\xff") is None


def test_the_file_of_an_item_is_found_whatever_its_kind() -> None:
    assert files.file_in({"audio": {"media": 1, "sha256": "a"}}) == ("audio", {"media": 1, "sha256": "a"})
    assert files.file_in({"text": "hello"}) is None
    assert not files.is_here({"image": {"address": "https://example.org/a.png"}})
