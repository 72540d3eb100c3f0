"""Image files: what is taken, what is refused before a pixel is decoded, and how they are reduced."""

import io
import random
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.core.errors import InvalidPayload
from app.modalities.image import FileInfo, decode, probe, thumbnail

TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}


def picture(size: tuple[int, int] = (60, 40), mode: str = "RGB") -> Image.Image:
    return Image.effect_noise(size, 60).convert(mode)


def saved(folder: Path, image: Image.Image, kind: str, **options: Any) -> Path:
    path = folder / f"file.{kind.lower()}"
    image.save(path, kind, **options)
    return path


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_header(width: int, height: int) -> bytes:
    start = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", start) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", TYPES)
def test_the_four_formats_are_known_by_their_bytes(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path, picture(), kind).rename(tmp_path / "named.html")

    assert probe(path, megapixels=40) == FileInfo(TYPES[kind], 60, 40)


@pytest.mark.parametrize(
    "content",
    [b"", b"<html><script>alert(1)</script></html>", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"BM" + b"\0" * 60],
)
def test_a_file_that_is_no_image_is_refused_whatever_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(content)

    with pytest.raises(InvalidPayload, match="not a PNG, JPEG, WebP or GIF"):
        probe(path, megapixels=40)


@pytest.mark.parametrize("size", [(20_000, 20_000), (9_400, 9_400), (1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(*size))

    with pytest.raises(InvalidPayload, match="megapixels; 40 are allowed"):
        probe(path, megapixels=40)


def test_a_real_bomb_costs_no_memory(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("1", (9_400, 9_400)), "PNG")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(InvalidPayload, match="88 megapixels"):
        probe(path, megapixels=40)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16_000  # kilobytes


def test_a_width_of_zero_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "zero.png"
    path.write_bytes(png_header(0, 5))

    with pytest.raises(InvalidPayload):
        probe(path, megapixels=40)


@pytest.mark.parametrize("kind", TYPES)
def test_a_file_that_is_cut_off_or_changed_is_taken_or_refused_and_nothing_else(tmp_path: Path, kind: str) -> None:
    whole = saved(tmp_path, picture(), kind).read_bytes()
    rng = random.Random(0)
    path = tmp_path / "damaged"
    refused = 0
    for attempt in range(200):
        content = bytearray(whole[: len(whole) * (attempt % 10) // 10] if attempt < 10 else whole)
        for _ in range(0 if attempt < 10 else 5):
            content[rng.randrange(8, len(content))] = rng.randrange(256)
        path.write_bytes(content)
        for look in (lambda: probe(path, megapixels=1), lambda: thumbnail(path, 32)):
            try:
                look()
            except InvalidPayload:
                refused += 1

    assert refused >= 10


def test_a_truncated_jpeg_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, picture((800, 600)), "JPEG")
    path.write_bytes(path.read_bytes()[:5_000])

    with pytest.raises(InvalidPayload, match="truncated"):
        probe(path, megapixels=40)


def test_a_photo_that_lies_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    lying = Image.new("RGB", (80, 40), "white")
    lying.paste("black", (0, 0, 40, 40))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    path = saved(tmp_path, lying, "JPEG", exif=exif)

    upright = decode(path, 40)

    assert upright.size == (20, 40)
    assert upright.convert("L").getpixel((10, 5)) < 60
    assert upright.convert("L").getpixel((10, 35)) > 200


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"])
def test_every_mode_gives_a_small_picture_of_the_same_look(tmp_path: Path, mode: str) -> None:
    grey = Image.new("L", (400, 200), 255)
    grey.paste(0, (0, 0, 200, 200))
    image = grey.point(lambda value: value * 257, "I").convert("I;16") if mode == "I;16" else grey.convert(mode)

    small = Image.open(io.BytesIO(thumbnail(saved(tmp_path, image, "PNG"), 64)))

    assert small.size == (64, 32)
    assert small.getpixel((5, 16)) == (0, 0, 0)
    assert small.getpixel((58, 16)) == (255, 255, 255)


def test_what_is_transparent_shows_white(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGBA", (10, 10), (0, 0, 0, 0)), "PNG")

    assert decode(path, 8).getpixel((4, 4)) == (255, 255, 255)


def test_a_thumbnail_of_the_largest_image_holds_it_at_most_once(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("1", (6_300, 6_300)), "PNG")
    code = (
        "import resource, sys, pathlib\n"
        "from app.modalities.image import probe, thumbnail\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "probe(pathlib.Path(sys.argv[1]), megapixels=40); thumbnail(pathlib.Path(sys.argv[1]), 256)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)"
    )

    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)

    assert int(done.stdout) < 100  # megabytes, for 39.7 megapixels
