"""Real files that are small and decode to more than is allowed: each is refused in words, and nothing is held of it.

The limits are those of a service whose operator set none, but for what a ZIP unpacks to: twenty gigabytes take minutes.
"""

import io
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pytest
import soundfile

from app.core import decoding, pictures
from app.core.errors import AppError, InvalidFile, InvalidPayload, TooLarge
from app.core.settings import Settings
from app.modalities import files
from app.services import archives, media
from tests.clips import write

MIB = 1 << 20


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", _env_file=None)


def look(settings: Settings, path: Path) -> Any:
    return files.look(
        path,
        megapixels=settings.image_megapixels,
        clip_megapixels=settings.clip_megapixels,
        longest=settings.clip_seconds,
    )


def blank(path: Path, side: int) -> Path:
    """A whole PNG of black pixels, a bit each."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer, row = zlib.compressobj(1), bytes(1 + (side + 7) // 8)
    rows = b"".join(packer.compress(row * 100) for _ in range(side // 100)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


def peak_of(pid: int) -> int:
    """The most address space that a process has had, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmPeak:"))


def test_a_picture_over_the_limit_is_refused_before_a_pixel_is_read(settings: Settings, tmp_path: Path) -> None:
    path = blank(tmp_path / "large.png", 9_000)

    with pytest.raises(InvalidPayload, match="81 megapixels; 40 are allowed"):
        look(settings, path)

    assert path.stat().st_size < 100_000


@pytest.mark.night
def test_a_decoder_of_pictures_never_takes_more_than_its_memory(settings: Settings, tmp_path: Path) -> None:
    """Behind the door's limit stands the decoder's own: 2.5 gigabytes of pixels, asked for as if the door were open."""
    path = blank(tmp_path / "huge.png", 50_000)
    small = blank(tmp_path / "small.png", 100)
    pictures.decoders.end()

    with pytest.raises(InvalidPayload, match="cannot be read"):
        pictures.look(path, most_pixels=1e12)
    assert pictures.look(small, most_pixels=1e12) == ("PNG", 100, 100)

    assert path.stat().st_size < 2 * MIB
    [decoder] = pictures.decoders.waiting()
    assert peak_of(decoder) <= decoding.MEMORY


def test_a_sound_over_the_limit_is_refused_by_its_head(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    rate, seconds = 8_000, int(settings.clip_seconds) + 1
    soundfile.write(path, np.zeros(rate * seconds, dtype=np.int16), rate, format="FLAC")

    with pytest.raises(InvalidPayload, match="longer than the 3600 seconds"):
        look(settings, path)

    assert path.stat().st_size < MIB


def test_a_sound_is_read_in_pieces_and_no_further_than_its_head_says(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "lying.flac"
    soundfile.write(path, np.zeros(8_000 * 3_000, dtype=np.int16), 8_000, format="FLAC")
    content = bytearray(path.read_bytes())
    place = 8 + 13  # of the four bytes that end STREAMINFO's number of samples
    assert int.from_bytes(content[place + 1 : place + 5], "big") == 8_000 * 3_000

    tracemalloc.start()
    assert look(settings, path).seconds == 3_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    content[place + 1 : place + 5] = (8_000 * 5).to_bytes(4, "big")
    path.write_bytes(content)

    assert peak < 8 * MIB  # of 96 that the samples take
    assert look(settings, path).seconds <= 5


def test_a_video_over_the_limits_is_refused(settings: Settings, tmp_path: Path) -> None:
    large = write(tmp_path / "large.mp4", np.zeros((2, 2_400, 4_000, 3), dtype=np.uint8))
    long = write(tmp_path / "long.mp4", np.zeros((3_605, 32, 32, 3), dtype=np.uint8), rate=1, keys_every=1_000)

    with pytest.raises(InvalidPayload, match=r"9\.6 megapixels; 9 are allowed"):
        look(settings, large)
    with pytest.raises(InvalidPayload, match="longer than the 3600 seconds"):
        look(settings, long)

    assert large.stat().st_size + long.stat().st_size < MIB


def swelling(size: int, entries: int = 1) -> BinaryIO:
    """A ZIP of entries that begin as pictures and unpack to so many bytes each."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number in range(entries):
            with archive.open(f"{number}.png", "w") as entry:
                entry.write(b"\x89PNG\r\n\x1a\n")
                for _ in range(size // MIB):
                    entry.write(bytes(MIB))
    out.seek(0)
    return out


def test_an_entry_that_unpacks_to_too_much_is_cut_off_and_leaves_nothing(settings: Settings) -> None:
    packed = swelling(settings.media_file_bytes + 2 * MIB)
    assert len(packed.getvalue()) < 2 * MIB  # type: ignore[attr-defined]

    [(name, source)] = list(taken(packed, settings))

    assert (name, type(source)) == ("0.png", TooLarge)
    assert list((settings.data / "tmp").iterdir()) == []
    assert not (settings.data / "media").exists()


def test_an_archive_that_unpacks_to_too_much_ends_where_the_limit_is(settings: Settings) -> None:
    bounded = settings.model_copy(update={"archive_bytes": 30 * MIB})

    ended = list(taken(swelling(8 * MIB, entries=6), bounded))

    assert [type(each) for _, each in ended[:3]] == [InvalidPayload] * 3  # no pictures, and each of an allowed size
    assert {type(each) for _, each in ended[3:]} == {InvalidFile}
    assert "unpacks to more than is allowed" in str(ended[-1][1])
    assert list((settings.data / "tmp").iterdir()) == []


def taken(packed: BinaryIO, settings: Settings) -> Any:
    """What becomes of each entry as an upload takes it in."""
    for name, source in archives.entries(packed, settings):
        try:
            yield name, media.store(settings, 1, "image", cast("BinaryIO", source))
        except AppError as error:
            yield name, error
