"""Sounds: the item names a stored clip; libsndfile decodes it, in pieces of bounded size."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np
import soundfile
from PIL import Image, ImageDraw

from app.core.arrays import Floats
from app.core.errors import InvalidPayload
from app.core.sounds import HEAD_BYTES, opened, opened_at, sniff
from app.modalities.base import FileInfo, StoredFileItem

TYPES = {"WAV": "audio/wav", "FLAC": "audio/flac", "OGG": "audio/ogg", "MP3": "audio/mpeg"}
PIECE = 1 << 18  # frames decoded at once
BUCKETS = 1_000  # columns of a waveform
QUIETEST = 0.05  # the loudest sample that fills a waveform's height: a silent clip must not look like noise
WAVE = (0, 114, 178)  # blue of a palette that colour-blind people can tell apart


@dataclass(frozen=True)
class AudioItem(StoredFileItem):
    """A stored clip of sound; its payload also has `seconds`."""

    name: ClassVar[str] = "audio"
    field: ClassVar[str] = "audio"
    viewer: ClassVar[str] = "audio-item"
    media: ClassVar[str | None] = "audio/"
    featurizers: ClassVar[tuple[str, ...]] = ("log-mel", "client")


def probe(path: Path, *, longest: float) -> FileInfo:
    """Look at a file and decode it once, in pieces, to see that it can be and how long it is.

    Raises:
        InvalidPayload: not WAV, FLAC, OGG or MP3; longer than `longest` seconds; empty or cut off.
    """
    with path.open("rb") as file, opened(file) as (kind, sound):
        _check_length(sound, longest)
        return _measured(kind, sound, sum(len(piece) for piece in _pieces(sound)))


def header(file: BinaryIO, *, longest: float) -> FileInfo:
    """What a clip's head says, of a file that is not read to its end; raises InvalidPayload as `probe` does."""
    with opened(file) as (kind, sound):
        _check_length(sound, longest)
        return _measured(kind, sound, sound.frames)


def _check_length(sound: soundfile.SoundFile, longest: float) -> None:
    if sound.frames > longest * sound.samplerate:
        raise InvalidPayload(f"the clip is longer than the {longest:g} seconds that are allowed")


def _measured(kind: str, sound: soundfile.SoundFile, frames: int) -> FileInfo:
    if frames == 0:
        raise InvalidPayload("the clip holds no sound")
    return FileInfo(TYPES[kind], seconds=round(frames / sound.samplerate, 3))


def waveform(path: Path, buckets: int = BUCKETS) -> Floats:
    """The loudest sample in each of `buckets` equal parts of the clip (buckets,), from 0 to 1; a pass over the file.

    Raises:
        InvalidPayload: the file is not sound of the four types, or is damaged.
    """
    loudest = np.zeros(buckets, dtype=np.float32)
    with opened_at(path) as sound:
        total, done = max(sound.frames, 1), 0
        for piece in _pieces(sound):
            level = np.nan_to_num(np.abs(piece).max(axis=1))
            places = np.minimum((done + np.arange(len(level))) * buckets // total, buckets - 1)
            np.maximum.at(loudest, places, level)
            done += len(level)
    return np.asarray(np.minimum(loudest, 1.0), dtype=np.float32)


def thumbnail(path: Path, side: int) -> bytes:
    """The waveform as a PNG of `side` by half of it on a clear ground; raises InvalidPayload as `waveform` does."""
    high = max(8, side // 2)
    picture = Image.new("RGBA", (side, high), (255, 255, 255, 0))
    pen, middle = ImageDraw.Draw(picture), (high - 1) / 2
    levels = waveform(path, side)
    for column, level in enumerate(levels / max(float(levels.max()), QUIETEST)):
        reach = max(0.5, float(level) * middle)
        pen.line([(column, middle - reach), (column, middle + reach)], fill=(*WAVE, 255))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _pieces(sound: soundfile.SoundFile) -> Iterator[Floats]:
    """Blocks of samples (n, channels)."""
    while len(piece := sound.read(PIECE // sound.channels, dtype="float32", always_2d=True)):
        yield piece


__all__ = ["HEAD_BYTES", "AudioItem", "header", "probe", "sniff", "thumbnail", "waveform"]
