"""Files of items: which kind a file is, by its first bytes, and what is asked of every kind."""

from pathlib import Path
from typing import Any

from app.core.errors import InvalidPayload
from app.modalities import MODALITIES, audio, image
from app.modalities.base import FileInfo

TAKEN = "PNG, JPEG, WebP or GIF image, or WAV, FLAC, OGG or MP3 sound"
FIELDS = tuple(kind.field for kind in MODALITIES.values() if kind.media is not None)


def look(path: Path, *, megapixels: float, longest: float) -> FileInfo:
    """What a file is, decoded once where that is cheap.

    Raises:
        InvalidPayload: of no kind that is taken, damaged, of more `megapixels` or of more than `longest` seconds.
    """
    if _begins_as(path, image):
        return image.probe(path, megapixels=megapixels)
    if _begins_as(path, audio):
        return audio.probe(path, longest=longest)
    raise InvalidPayload(f"the file is no {TAKEN}")


def thumbnail(path: Path, side: int) -> bytes:
    """A PNG of at most `side` pixels a side: the picture made small, or a sound's waveform.

    Raises:
        InvalidPayload: the file is damaged.
    """
    return audio.thumbnail(path, side) if _begins_as(path, audio) else image.thumbnail(path, side)


def file_in(payload: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The field of an item's payload that names a file, with what it holds; None for other items."""
    for field in FIELDS:
        held = payload.get(field)
        if isinstance(held, dict):
            return field, held
    return None


def is_here(payload: dict[str, Any]) -> bool:
    """Whether the file of an item is stored; False while it waits to be fetched."""
    found = file_in(payload)
    return found is not None and "sha256" in found[1]


def _begins_as(path: Path, kind: Any) -> bool:
    with path.open("rb") as file:
        return kind.sniff(file.read(kind.HEAD_BYTES)) is not None
