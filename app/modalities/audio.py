"""Sounds: the item names a stored clip; libsndfile decodes it, in pieces of bounded size."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np
import soundfile
from PIL import Image, ImageDraw

from app.core.arrays import Floats
from app.core.errors import InvalidPayload
from app.modalities.base import FileInfo, StoredFileItem

TYPES = {"WAV": "audio/wav", "FLAC": "audio/flac", "OGG": "audio/ogg", "MP3": "audio/mpeg"}
HEAD_BYTES = 12
PIECE = 1 << 18  # frames decoded at once
MOST_CHANNELS = 64
MOST_RATE = 768_000  # samples a second: twice what any recorder writes
BUCKETS = 1_000  # columns of a waveform
QUIETEST = 0.05  # the loudest sample that fills a waveform's height: a silent clip must not look like noise
WAVE = (0, 114, 178)  # blue of a palette that colour-blind people can tell apart
# What libsndfile and its wrapper raise on hostile files, seen by feeding them cut and changed ones.
BROKEN = (soundfile.SoundFileError, OSError, ValueError, TypeError, ArithmeticError, MemoryError, EOFError)


@dataclass(frozen=True)
class AudioItem(StoredFileItem):
    """A stored clip of sound; its payload also has `seconds`."""

    name: ClassVar[str] = "audio"
    field: ClassVar[str] = "audio"
    viewer: ClassVar[str] = "audio-item"
    media: ClassVar[str | None] = "audio/"
    featurizers: ClassVar[tuple[str, ...]] = ("log-mel", "client")


def sniff(head: bytes) -> str | None:
    """The format by the file's own first bytes, or None where it is not one of the four that are taken."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "WAV"
    if head[:4] in (b"fLaC", b"OggS"):
        return "FLAC" if head[:4] == b"fLaC" else "OGG"
    mpeg_frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2  # sync bits, layer III
    return "MP3" if head[:3] == b"ID3" or mpeg_frame else None


def probe(path: Path, *, longest: float) -> FileInfo:
    """Look at a file and decode it once, in pieces, to see that it can be and how long it is.

    Raises:
        InvalidPayload: not WAV, FLAC, OGG or MP3; longer than `longest` seconds; empty or cut off.
    """
    with path.open("rb") as file, _decoding(file) as (kind, sound):
        _check_length(sound, longest)
        return _measured(kind, sound, sum(len(piece) for piece in _pieces(sound)))


def header(file: BinaryIO, *, longest: float) -> FileInfo:
    """What a clip's head says, of a file that is not read to its end; raises InvalidPayload as `probe` does."""
    with _decoding(file) as (kind, sound):
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
    with _opened(path) as sound:
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


@contextmanager
def _opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """The clip, opened by our own look at its first bytes; what the decoder raises becomes InvalidPayload."""
    with path.open("rb") as file, _decoding(file) as (_, sound):
        yield sound


@contextmanager
def _decoding(file: BinaryIO) -> Iterator[tuple[str, soundfile.SoundFile]]:
    kind = sniff(file.read(HEAD_BYTES))
    if kind is None:
        raise InvalidPayload("the file is not WAV, FLAC, OGG or MP3 sound")
    file.seek(0)
    try:
        with soundfile.SoundFile(file) as sound:
            if sound.format != kind and (kind, sound.format) != ("WAV", "WAVEX"):
                raise InvalidPayload(f"the file begins as {kind} and holds {sound.format}")
            if not 0 < sound.channels <= MOST_CHANNELS or not 0 < sound.samplerate <= MOST_RATE:
                raise InvalidPayload("the clip's header is damaged")
            yield kind, sound
    except BROKEN as error:
        raise InvalidPayload(f"the sound cannot be read: {str(error)[:120] or 'it is cut off'}") from None


def _pieces(sound: soundfile.SoundFile) -> Iterator[Floats]:
    """Blocks of samples (n, channels)."""
    while len(piece := sound.read(PIECE // sound.channels, dtype="float32", always_2d=True)):
        yield piece
