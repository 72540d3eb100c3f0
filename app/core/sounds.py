"""The one place that opens sounds: of four kinds by their own first bytes, with a header that can be true."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import soundfile

from app.core.errors import InvalidPayload

HEAD_BYTES = 12
MOST_CHANNELS = 64
MOST_RATE = 768_000  # samples a second: twice what any recorder writes
# What libsndfile and its wrapper raise on hostile files, seen by feeding them cut and changed ones.
BROKEN = (soundfile.SoundFileError, OSError, ValueError, TypeError, ArithmeticError, MemoryError, EOFError)


def sniff(head: bytes) -> str | None:
    """The format by the file's own first bytes, or None where it is not one of the four that are taken."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "WAV"
    if head[:4] in (b"fLaC", b"OggS"):
        return "FLAC" if head[:4] == b"fLaC" else "OGG"
    mpeg_frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2  # sync bits, layer III
    return "MP3" if head[:3] == b"ID3" or mpeg_frame else None


@contextmanager
def opened(file: BinaryIO) -> Iterator[tuple[str, soundfile.SoundFile]]:
    """The kind of a sound and its reader; what the decoder raises, also later in the block, becomes InvalidPayload.

    Raises:
        InvalidPayload: not WAV, FLAC, OGG or MP3, another kind than its beginning says, or damaged.
    """
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


@contextmanager
def opened_at(path: Path) -> Iterator[soundfile.SoundFile]:
    """As `opened`, of a file on the disk."""
    with path.open("rb") as file, opened(file) as (_, sound):
        yield sound
