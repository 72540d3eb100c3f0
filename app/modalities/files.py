"""Files of items: which kind a file is, by its first bytes, and what is asked of every kind."""

from pathlib import Path
from typing import Any, BinaryIO

from app.core.errors import InvalidPayload
from app.modalities import MODALITIES, audio, image, video
from app.modalities.base import FileInfo

TAKEN = "PNG, JPEG, WebP or GIF image, WAV, FLAC, OGG or MP3 sound, or MP4 or WebM video"
FIELDS = tuple(kind.field for kind in MODALITIES.values() if kind.media is not None)


def look(path: Path, *, megapixels: float, clip_megapixels: float, longest: float) -> FileInfo:
    """What a file is, decoded once where that is cheap.

    Raises:
        InvalidPayload: of no kind that is taken, damaged, of more `megapixels` or of more than `longest` seconds.
    """
    if _begins_as(path, image):
        return image.probe(path, megapixels=megapixels)
    if _begins_as(path, audio):
        return audio.probe(path, longest=longest)
    if _begins_as(path, video):
        return video.probe(path, megapixels=clip_megapixels, longest=longest)
    raise InvalidPayload(f"the file is no {TAKEN}")


def check_beginning(head: bytes) -> None:
    """Raise InvalidPayload for the beginning of a file that is of no kind that is taken."""
    if all(each.sniff(head[: each.HEAD_BYTES]) is None for each in (image, audio, video)):
        raise InvalidPayload(f"the file is no {TAKEN}")


def glance(file: BinaryIO, *, megapixels: float, longest: float) -> FileInfo | None:
    """What a file says of itself at its beginning, for one that lies elsewhere; None where it must be looked at whole.

    Raises:
        InvalidPayload: as `look` does; a file that is cut off further behind is not noticed.
    """
    head = file.read(max(each.HEAD_BYTES for each in (image, audio, video)))
    file.seek(0)
    if image.sniff(head) is not None:
        return image.header(file, megapixels=megapixels)
    if audio.sniff(head) is not None:
        return audio.header(file, longest=longest)
    if video.sniff(head) is not None:
        return None
    raise InvalidPayload(f"the file is no {TAKEN}")


def thumbnail(path: Path, side: int) -> bytes:
    """A PNG of at most `side` pixels a side: the picture made small, a sound's waveform, or a picture of a video.

    Raises:
        InvalidPayload: the file is damaged.
    """
    kind = next((each for each in (audio, video) if _begins_as(path, each)), image)
    made: bytes = kind.thumbnail(path, side)
    return made


def check_kind(kind: str, modality: str) -> None:
    """Refuse a file of another modality (InvalidPayload); one that has no files of its own takes every kind."""
    wanted = MODALITIES[modality].media
    if wanted is not None and not kind.startswith(wanted):
        raise InvalidPayload(f"the file is {kind}; this project holds {wanted}* files")


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
